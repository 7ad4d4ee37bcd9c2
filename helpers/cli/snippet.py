"""snippet: a program of the cheat sheet."""

from __future__ import annotations

import io
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from helpers import i18n
from helpers.i18n import N_, _
from helpers.setup.processes import typed

HELP = N_("list the programs of the cheat sheet, print one or write it to a file")


def add_arguments(parser: ArgumentParser) -> None:
    """Add a program's name, and the file that it is written to."""
    name = _("the program (default: list them all)")
    parser.add_argument("name", nargs="?", metavar="NAME", help=name)
    file = _("a new file to write it to (default: print it)")
    parser.add_argument("file", nargs="?", metavar="FILE", type=Path, help=file)


def run(options: Namespace) -> int:
    """List the programs, or print or write one.

    Raises CourseError for an unknown name and for a file that is there or cannot be written.
    """
    from helpers.authoring import snippet

    lang = i18n.language()
    if options.name is None:
        found = snippet.snippets(lang)
        width = max(map(len, found))
        for name, one in found.items():
            print(f"{name:{width}}  {one.when}")
        how = _("To write one to a file, type for example:\n\n    {command}")
        print("", how.format(command=typed("snippet", next(iter(found)), "new.py")), sep="\n")
        return 0
    one = snippet.choose(options.name, lang)
    program = f"# {one.when}\n{one.code}"
    if options.file is not None:
        snippet.write(f"{program}\n", options.file, lang)
        print(_("Written: {path}").format(path=options.file))
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What lands in a file is Python: UTF-8, whatever this console's code page is.
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print(program)
    return 0
