"""Chooses the chat model that a notebook talks to: OpenAI, a compatible server, or the built-in one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from helpers import i18n
from helpers.backend import nearby, network, servers, tracing, variables
from helpers.backend.keys import BUILTIN_KEY, NO_KEY
from helpers.backend.settings import (
    MISLEADING,
    OF_THE_CLIENT,
    PLACEHOLDER,
    BackendError,
    Settings,
    default_env_file,
    is_other_env_file,
)
from helpers.builtin import MODEL
from helpers.i18n import _
from helpers.setup.processes import typed

if TYPE_CHECKING:
    from helpers.builtin.routes import State

OPENAI_DEFAULT_MODEL = "gpt-6-luna"
IN_PROCESS_VARIABLE = (
    "COURSE_IN_PROCESS"  # set, the built-in model opens no socket, as in a browser
)

_model = ""  # the name that the last start() returned
_asked: tuple[str | Path | None, bool] = (None, False)  # its `env_file` and `builtin`
_server: State | None = None  # the built-in model, once it runs


def start(
    lang: str | None = None, env_file: str | Path | None = None, builtin: bool = False
) -> str:
    """Choose the chat model, say in one line which one and why, and return its name.

    With OPENAI_BASE_URL it is that server; else with OPENAI_API_KEY it is OpenAI; else the
    built-in model, which runs in this process on loopback. The variables come from the
    environment or from `.env`; a key is never printed. What would lead the calls elsewhere or break
    them is taken away, and given back when it no longer would. Harmless when called again: a
    changed `.env` takes effect, and the built-in model runs once.

    `lang` is the language of messages, "en", "zh" or "fr"; None means the system's. `env_file` is
    read instead of `.env`. `builtin` takes the built-in model in any case, for a lesson that needs
    it. Raises ValueError for another language, FileNotFoundError for an `env_file` that does not
    exist, and BackendError, with what to do, for a `.env` that cannot be read, a key or a base URL
    that is none, a proxy that the client cannot use, and a server that does not answer; the
    environment then stays as it was.
    """
    global _model, _asked
    i18n.use(lang or i18n.system_language())
    if env_file is not None and not Path(env_file).is_file():
        raise FileNotFoundError(_("There is no file {path}.").format(path=env_file))
    _asked = env_file, builtin
    with variables.all_or_nothing():
        settings = Settings(Path(env_file or default_env_file()))
        variables.give_back()
        model, notes = _choose(settings, builtin)
        variables.put(OPENAI_MODEL=model)  # for programs that ask the environment, as lesson 17's
        if model != MODEL and "LANGSMITH_GATEWAY" in os.environ:
            note = _("(LANGSMITH_GATEWAY is not used. OPENAI_BASE_URL can name a gateway.)")
            notes.append(note)
        if model == MODEL and not builtin and env_file is None and not is_other_env_file():
            # Neither building nor testing, whose pages say the same on every machine.
            notes += map(_unused, nearby.look(nearby.GLANCE))
        notes += [tracing.settle(settings), *settings.remarks]
        variables.put(**dict.fromkeys(name for name in MISLEADING if name in os.environ))
    _model = model
    print("\n".join(filter(None, notes)))
    return _model


def _unused(found: nearby.Nearby) -> str:
    """Return what to say of a program that serves a model here, where the built-in one is taken."""
    text = _("({program} runs on this computer: {command} says how to use it.)")
    return text.format(program=found.program, command=typed("local"))


def _choose(settings: Settings, builtin: bool) -> tuple[str, list[str]]:
    """Point the client at a model; return its name and what to say of it."""
    base = "OPENAI_BASE_URL" if settings.value("OPENAI_BASE_URL") else "OPENAI_API_BASE"
    wanted = not builtin and settings.value("OPENAI_API_KEY") != PLACEHOLDER
    key = settings.key("OPENAI_API_KEY") if wanted else ""
    if settings.value(base) and not builtin:
        model, notes = _use_compatible(settings, base, key)
    elif key:
        model, notes = _use_openai(settings, key)
    else:
        model, notes = _use_builtin(settings, builtin)
    if key and key != settings.raw("OPENAI_API_KEY"):
        note = _("(The key {where} has spaces or quotes around it; they were left out.)")
        notes.append(note.format(where=settings.where("OPENAI_API_KEY")))
    return model, notes


def start_again() -> str:
    """Do what the last `start` did, with what stands in `.env` and in the environment by now."""
    return start(i18n.language(), *_asked)


def current_model() -> str:
    """Return the name of the chat model that was chosen, "" before the first `start`."""
    return _model


def builtin_server() -> State:
    """Return the built-in model; raise BackendError where this notebook talks to another."""
    if _server is None or os.environ.get("OPENAI_BASE_URL") != _server.url:
        message = _(
            "Only the built-in model fails on demand, and this notebook does not talk to it. "
            'First run helpers.start("en", builtin=True).'
        )
        raise BackendError(message)
    return _server


def _use_openai(settings: Settings, key: str) -> tuple[str, list[str]]:
    """Point the client at OpenAI; return the model's name and what to say of it."""
    network.go_out()
    variables.put(OPENAI_API_KEY=key, OPENAI_BASE_URL=None, OPENAI_API_BASE=None)
    model = settings.value("OPENAI_MODEL") or OPENAI_DEFAULT_MODEL
    line = _("Chat model: {model} at OpenAI, because there is an OPENAI_API_KEY {where}.")
    return model, [line.format(model=model, where=settings.where("OPENAI_API_KEY"))]


def _use_builtin(settings: Settings, asked: bool) -> tuple[str, list[str]]:
    """Start the built-in model unless it runs, and point the client at it."""
    global _server
    pace = settings.pace()
    notes = []
    if _server is None:
        _server = _serve(pace)
        note = _(
            "(It recites prepared answers, and takes its time as a service would, so that times in "
            "the lessons look real. helpers.questions() shows what it can be asked.)"
        )
        notes = [note]
    _server.pace = pace
    if _server.calls is not None:
        _server.calls.end()
    network.go_near()
    variables.put(**dict.fromkeys(name for name in os.environ if name.startswith(OF_THE_CLIENT)))
    variables.put(OPENAI_API_KEY=BUILTIN_KEY, OPENAI_BASE_URL=_server.url)
    if asked:
        why = _("this lesson asks for it")
    elif "OPENAI_API_KEY" not in settings:
        why = _("there is no OPENAI_API_KEY")
    elif settings.value("OPENAI_API_KEY"):
        why = _("OPENAI_API_KEY {where} is still the placeholder of .env.example")
    else:
        why = _("OPENAI_API_KEY {where} is empty")
    why = why.format(where=settings.where("OPENAI_API_KEY"))
    notes.insert(0, _("Chat model: the built-in one, offline, because {why}.").format(why=why))
    if settings.value("OPENAI_MODEL") not in ("", MODEL) and not asked:
        note = _(
            "(OPENAI_MODEL {where} is not used: it needs an OPENAI_API_KEY or an OPENAI_BASE_URL.)"
        )
        notes.append(note.format(where=settings.where("OPENAI_MODEL")))
    return MODEL, notes


def _serve(pace: float) -> State:
    """Start the built-in model: in this process where there are no sockets, or where that is asked for."""
    if sys.platform == "emscripten" or os.environ.get(IN_PROCESS_VARIABLE):
        from helpers.builtin import inprocess

        return inprocess.serve(pace)
    from helpers.builtin import server

    return server.serve(pace)


def _use_compatible(settings: Settings, base: str, key: str) -> tuple[str, list[str]]:
    """Point the client at the server that the variable `base` names; its first model unless one is set."""
    address = servers.address(settings, base)
    host = str(urlsplit(address.url).hostname)
    if network.is_near(host):
        network.go_near(host)
    else:
        network.go_out()
    variables.put(OPENAI_API_KEY=key or NO_KEY, OPENAI_BASE_URL=address.url, OPENAI_API_BASE=None)
    model, others = settings.value("OPENAI_MODEL"), []
    if model:
        servers.reach(address, key)
    else:
        model, *others = servers.chat_models(address, key)
    line = _("Chat model: {model} at {host}, because there is an {name} {where}.")
    notes = [line.format(model=model, host=address.host, name=base, where=address.where)]
    if others:
        note = _(
            "(The first of {count} models that the server lists. Others, for OPENAI_MODEL: {names}.)"
        )
        names = servers.shortened(others)
        notes.append(note.format(count=len(others) + 1, names=names))
    return model, notes
