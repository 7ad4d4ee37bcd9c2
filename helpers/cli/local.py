"""local: a real model on this machine, without an account."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from helpers.cli.serve import PORT, port
from helpers.i18n import N_, _
from helpers.setup import environment
from helpers.setup.processes import typed

HELP = N_("use a real model on this computer, without an account")


def add_arguments(parser: ArgumentParser) -> None:
    """Add what to run where no other program runs a model."""
    text = _("run a small real model, SmolLM2-135M-Instruct (93 MB, and 1.3 GB to run it, once)")
    parser.add_argument("--run", action="store_true", help=text)
    text = _("run the model in this folder in Hugging Face's format, or in this GGUF file")
    parser.add_argument("--weights", type=Path, metavar="FOLDER", help=text)
    text = _("the port to listen on; 0 for any free one (default: {port})")
    parser.add_argument("--port", type=port, default=PORT, help=text.format(port=PORT))


def run(options: Namespace) -> int:
    """Say what is there and how to use it, or run a model until Ctrl-C. Raises CourseError."""
    if not (options.run or options.weights):
        environment.enter()
        return look()
    environment.enter(extra="training")
    if options.weights is None:
        environment.add_weights()
    from helpers.backend import serving
    from helpers.models import local

    print(_("Loading the model; that takes up to a minute."), flush=True)
    shop = local.load(options.weights or local.weights())
    return serving.run("127.0.0.1", options.port, None, 0, source=local.source(shop))


def look() -> int:
    """Print what the programs that serve a model here need in `.env`; return the exit code."""
    from helpers.backend import nearby
    from helpers.backend.settings import default_env_file

    usable = False
    for found in nearby.look():
        names = nearby.models(found)
        if not names:
            text = _("{program} answers at {url} and lists no model that chats. Load one there.")
            print(text.format(program=found.program, url=found.url) + "\n")
            continue
        usable = True
        text = _(
            "{program} answers at {url}. To use it, write into {file}:\n\n    {lines}\n\n"
            "Then run the first cell of a lesson again."
        )
        lines = f"OPENAI_BASE_URL={found.url}\n    OPENAI_MODEL={names[0]}"
        file = default_env_file()
        print(text.format(program=found.program, url=found.url, file=file, lines=lines))
        if names[1:]:
            print(_("(It has other models: {names}.)").format(names=", ".join(names[1:])))
        print()
    if not usable:
        text = _(
            "No Ollama, LM Studio or llama.cpp with a model answers on this computer.\n"
            "The course can run a small one, SmolLM2-135M-Instruct, which speaks English, follows some "
            "instructions and is often wrong, as real models are. It takes 93 MB, and 1.3 GB for what "
            "runs it (lesson 15 needs that too). Type:\n\n    {command}"
        )
        print(text.format(command=typed("local", "--run")))
    return 0
