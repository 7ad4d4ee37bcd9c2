"""The course's command line: python -m helpers COMMAND."""

from __future__ import annotations

import argparse
import importlib
import io
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from helpers.authoring import browser
from helpers.i18n import LANGUAGES, system_language
from helpers.setup import ROOT, CourseError, environment, processes
from helpers.setup.environment import tell
from helpers.setup.processes import typed

USAGE = {
    "en": "Usage: {command}\n\n{lines}\n\n"
    "lab takes --lang zh|en|fr, --port N and --no-browser; the rest goes to JupyterLab.\n"
    "What stands after test goes to pytest.",
    "zh": "用法：{command}\n\n{lines}\n\n"
    "lab 接受 --lang zh|en|fr、--port N 和 --no-browser，其余参数交给 JupyterLab。\n"
    "test 后面的参数交给 pytest。",
    "fr": "Utilisation : {command}\n\n{lines}\n\n"
    "lab accepte --lang zh|en|fr, --port N et --no-browser ; le reste va à JupyterLab.\n"
    "Ce qui suit test va à pytest.",
}
UNKNOWN = {
    "en": "There is no command {name}. To see the commands, type:\n\n    {command}",
    "zh": "没有 {name} 这个命令。要查看所有命令，请输入：\n\n    {command}",
    "fr": "La commande {name} n'existe pas. Pour voir les commandes, tapez :\n\n    {command}",
}

# Name -> (module whose main(command, argv) runs it in the environment, what it does).
COMMANDS = {
    "lab": (
        "helpers.setup.jupyter",
        {
            "en": "set everything up and open the course in JupyterLab",
            "zh": "装好所需的一切，并在 JupyterLab 中打开课程",
            "fr": "tout installer et ouvrir le cours dans JupyterLab",
        },
    ),
    "test": (
        "pytest",
        {
            "en": "set everything up and run all tests",
            "zh": "装好所需的一切，并运行全部测试",
            "fr": "tout installer et lancer tous les tests",
        },
    ),
    "training": (
        "helpers.setup.environment",
        {
            "en": "add what training a network of your own needs (lesson 15, about 1.3 GB)",
            "zh": "加装训练自己的网络所需的软件包（第 15 课，约 1.3 GB）",
            "fr": "ajouter de quoi entraîner votre propre réseau (leçon 15, environ 1,3 Go)",
        },
    ),
    "doctor": (
        "helpers.backend.doctor",
        {
            "en": "look at everything the course needs and say what is found",
            "zh": "检查课程需要的一切，并报告结果",
            "fr": "examiner tout ce dont le cours a besoin et dire ce qui est trouvé",
        },
    ),
    "progress": (
        "helpers.exercises",
        {
            "en": "show which exercises are solved (--reset starts over)",
            "zh": "显示哪些练习已经完成（--reset 从头开始）",
            "fr": "montrer les exercices réussis (--reset repart de zéro)",
        },
    ),
    "snippet": (
        "helpers.authoring.snippet",
        {
            "en": "list the programs of the cheat sheet, print one or write it to a file",
            "zh": "列出速查表里的程序，打印其中一个或写进文件",
            "fr": "énumérer les programmes de l'aide-mémoire, en afficher un ou l'écrire dans un fichier",
        },
    ),
    "serve": (
        "helpers.builtin.serving",
        {
            "en": "serve the built-in model to a whole room (--help says how)",
            "zh": "向整个教室提供内置模型（用法见 --help）",
            "fr": "mettre le modèle intégré à la disposition de toute une salle (--help dit comment)",
        },
    ),
    "build": (
        "helpers.authoring.builder",
        {
            "en": "build and execute the notebooks from notebooks/source",
            "zh": "由 notebooks/source 生成并执行各课的笔记本",
            "fr": "construire et exécuter les notebooks depuis notebooks/source",
        },
    ),
    "screenshots": (
        "helpers.authoring.screenshots",
        {
            "en": "make the pictures of the READMEs anew, in a browser",
            "zh": "用浏览器重新生成 README 里的图片",
            "fr": "refaire les images des README, dans un navigateur",
        },
    ),
    "status": (
        "helpers.authoring.builder",
        {
            "en": "show which lessons and translations need work",
            "zh": "显示哪些课和译文还需要处理",
            "fr": "montrer les leçons et les traductions à reprendre",
        },
    ),
    "translated": (
        "helpers.authoring.builder",
        {
            "en": "mark one cell's translation as up to date",
            "zh": "把一个单元格的译文标记为最新",
            "fr": "marquer la traduction d'une cellule comme à jour",
        },
    ),
}

# What a command needs beyond requirements.txt, one of environment.EXTRAS.
EXTRA_OF = {"training": "training", "screenshots": "browser"}


def usage(lang: str) -> str:
    """Return the list of commands in the language `lang`."""
    lines = "\n".join(f"    {name:12}{texts[lang]}" for name, (_, texts) in COMMANDS.items())
    return tell(USAGE, lang, command=typed("COMMAND", "…"), lines=lines)


def run(command: str, argv: Sequence[str], lang: str) -> int:
    """Run `command` in the environment, made first where needed, and return its exit code."""
    module = COMMANDS[command][0]
    if module == "helpers.setup.jupyter":  # needs no environment in this process, and makes its own
        from helpers.setup import jupyter as lab

        return lab.main(argv)
    if module == "helpers.authoring.snippet":  # reads a file, which needs no environment either
        from helpers.authoring import snippet

        return snippet.main(argv)
    if command == "training":
        parser = argparse.ArgumentParser(
            prog=typed(command), description=COMMANDS[command][1][lang]
        )
        parser.add_argument("--lang", choices=LANGUAGES)
        parser.parse_args(argv)
    if {"-h", "--help"} & set(argv) and not environment.is_current(ROOT):
        print(usage(lang))  # who asks wants nothing installed; once it is, each command has its own
        return 0
    if command == "screenshots":
        from helpers.authoring import screenshots

        screenshots.check_browser(lang)
    python = str(environment.set_up(lang, extra=EXTRA_OF.get(command)))
    if command == "training":  # that was all
        print(tell(environment.TRAINING_READY, lang))
        return 0
    if module == "pytest":
        if browser.find():
            try:
                environment.set_up(lang, extra="browser")
            except CourseError as error:  # the tests that need it say so
                print(error, file=sys.stderr)
        return processes.run([python, "-m", "pytest", *argv], cwd=ROOT)
    if processes.is_inside(ROOT / ".venv"):
        return int(importlib.import_module(module).main(command, list(argv)))
    return processes.run([python, "-m", "helpers", command, *argv])


def terminated(signum: int, frame: FrameType | None) -> None:
    """End as after an error, so that children are ended too."""
    sys.exit(128 + signum)


def main(argv: Sequence[str]) -> int:
    """Run the command that `argv` names and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A Windows code page cannot show every character; a "?" is better than a traceback.
            stream.reconfigure(errors="replace", line_buffering=True)
    signal.signal(signal.SIGTERM, terminated)
    asked = re.search(r"--lang[= ](zh|en|fr)\b", " ".join(argv))
    lang = asked.group(1) if asked else system_language()
    try:
        environment.check_python(lang)
        if not argv or {"-h", "--help"} & set(argv if argv[0] == "lab" else argv[:1]):
            print(usage(lang))
            return 0
        if argv[0] not in COMMANDS:
            print(tell(UNKNOWN, lang, name=argv[0], command=typed("--help")), file=sys.stderr)
            return 2
        return run(argv[0], argv[1:], lang)
    except CourseError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        message = tell(environment.INTERRUPTED, lang, command=typed(*argv))
        print(f"\n{message}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
