"""Finds the snippets of the cheat sheet and writes them to files; needs the standard library only."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import NamedTuple

from helpers.i18n import _
from helpers.setup import ROOT, CourseError
from helpers.setup.processes import typed

SHEET = "17-cheat-sheet.ipynb"


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
        text = _(
            "{path} is not there, so this copy of the course is not complete. Download it again."
        )
        raise CourseError(text.format(path=path)) from None
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
        near = _("Did you mean {names}? ").format(names=", ".join(names)) if names else ""
        text = _("There is no snippet {name}. {near}To see them all, type:\n\n    {command}")
        raise CourseError(text.format(name=name, near=near, command=typed("snippet")))
    return found[name]


def table(found: dict[str, Snippet]) -> str:
    """Return the list of snippets, and how one of them is written to a file."""
    width = max(map(len, found))
    lines = [f"{name:{width}}  {snippet.when}" for name, snippet in found.items()]
    how = _("To write one to a file, type for example:\n\n    {command}")
    command = typed("snippet", next(iter(found)), "new.py")
    return "\n".join([*lines, "", how.format(command=command)])


def program(snippet: Snippet) -> str:
    """Return a snippet as a program: when to use it, as a comment, and its code."""
    return f"# {snippet.when}\n{snippet.code}\n"


def write(text: str, path: Path) -> str:
    """Write a program to a new file; return what was done.

    What `>` writes in Windows PowerShell is UTF-16, which Python does not read.
    Raises CourseError where the file is there or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        there = isinstance(error, FileExistsError)
        reason = _("it is there already") if there else error.strerror
        message = _("{path} was not written: {reason}. Name another file.")
        raise CourseError(message.format(path=path, reason=reason)) from None
    return _("Written: {path}").format(path=path)
