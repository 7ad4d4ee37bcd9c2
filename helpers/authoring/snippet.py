"""Lists the snippets of the cheat sheet, prints one or writes it to a file; needs the standard library only."""

from __future__ import annotations

import argparse
import difflib
import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from helpers.i18n import LANGUAGES, system_language
from helpers.setup import ROOT, CourseError
from helpers.setup.environment import tell
from helpers.setup.processes import typed

SHEET = "17-cheat-sheet.ipynb"

HOW = {
    "en": "To write one to a file, type for example:\n\n    {command}",
    "zh": "要把其中一段写进文件，请输入命令，例如：\n\n    {command}",
    "fr": "Pour en écrire un dans un fichier, tapez par exemple :\n\n    {command}",
}
UNKNOWN = {
    "en": "There is no snippet {name}. {near}To see them all, type:\n\n    {command}",
    "zh": "没有 {name} 这段代码。{near}要查看全部，请输入：\n\n    {command}",
    "fr": "Il n'y a pas d'extrait {name}. {near}Pour les voir tous, tapez :\n\n    {command}",
}
NEAR = {
    "en": "Did you mean {names}? ",
    "zh": "你要找的是不是 {names}？",
    "fr": "Cherchez-vous {names} ? ",
}
WRITTEN = {"en": "Written: {path}", "zh": "已写入：{path}", "fr": "Écrit : {path}"}
NOT_WRITTEN = {
    "en": "{path} was not written: {reason}. Name another file.",
    "zh": "没有写入 {path}：{reason}。请换一个文件名。",
    "fr": "{path} n'a pas été écrit : {reason}. Choisissez un autre fichier.",
}
THERE = {
    "en": "it is there already",
    "zh": "文件已经存在",
    "fr": "ce fichier existe déjà",
}
NO_SHEET = {
    "en": "{path} is not there, so this copy of the course is not complete. Download it again.",
    "zh": "找不到 {path}，说明这份课程不完整。请重新下载。",
    "fr": "{path} est introuvable : cette copie du cours est incomplète. Téléchargez-la à nouveau.",
}


class Snippet(NamedTuple):
    """A cell of the sheet that is a whole program, and the line above it: when to use it, and the lesson."""

    when: str
    code: str


def snippets(lang: str, root: Path = ROOT) -> dict[str, Snippet]:
    """Return the snippets of the sheet in `lang` by name, in the sheet's order.

    Raises CourseError where the sheet is missing.
    """
    path = root / "notebooks" / lang / SHEET
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except FileNotFoundError:
        raise CourseError(tell(NO_SHEET, lang, path=path)) from None
    found = {}
    for above, cell in zip(cells, cells[1:], strict=False):
        if "standalone" in cell["metadata"].get("tags", []):
            line = "".join(above["source"]).splitlines()[-1]
            when = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line).replace("`", "")
            found[cell["id"]] = Snippet(when, "".join(cell["source"]))
    return found


def choose(name: str, lang: str, root: Path = ROOT) -> Snippet:
    """Return the snippet `name`. Raises CourseError, with names like it, where there is none."""
    found = snippets(lang, root)
    if name not in found:
        names = difflib.get_close_matches(name.lower(), found)
        names = names or [other for other in found if name.lower() in other]
        near = tell(NEAR, lang, names=", ".join(names)) if names else ""
        command = typed("snippet")
        raise CourseError(tell(UNKNOWN, lang, name=name, near=near, command=command))
    return found[name]


def main(argv: Sequence[str]) -> int:
    """List the snippets, or print or write the one that `argv` names; return the exit code.

    Raises CourseError for an unknown name and for a file that is there or cannot be written.
    """
    parser = argparse.ArgumentParser(prog=typed("snippet"))
    parser.add_argument("name", nargs="?", metavar="NAME", help="without a name: list them all")
    parser.add_argument("file", nargs="?", metavar="FILE", type=Path, help="write it there")
    parser.add_argument("--lang", choices=LANGUAGES, default=system_language())
    options = parser.parse_intermixed_args(argv)
    if options.name is None:
        found = snippets(options.lang)
        width = max(map(len, found))
        for name, snippet in found.items():
            print(f"{name:{width}}  {snippet.when}")
        command = typed("snippet", next(iter(found)), "new.py")
        print("", tell(HOW, options.lang, command=command), sep="\n")
        return 0
    snippet = choose(options.name, options.lang)
    program = f"# {snippet.when}\n{snippet.code}"
    if options.file is not None:
        write(f"{program}\n", options.file, options.lang)
        print(tell(WRITTEN, options.lang, path=options.file))
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What lands in a file is Python: UTF-8, whatever this console's code page is.
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print(program)
    return 0


def write(program: str, path: Path, lang: str) -> None:
    """Write a program to a new file. Raises CourseError where it is there or cannot be written.

    What `>` writes in Windows PowerShell is UTF-16, which Python does not read.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(program)
    except OSError as error:
        there = isinstance(error, FileExistsError)
        reason = tell(THERE, lang) if there else error.strerror
        raise CourseError(tell(NOT_WRITTEN, lang, path=path, reason=reason)) from None
