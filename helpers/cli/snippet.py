"""snippet: a program of the cheat sheet."""

from __future__ import annotations

import io
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from helpers import i18n
from helpers.i18n import N_, _

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
        print(snippet.table(snippet.snippets(lang)))
        return 0
    program = snippet.program(snippet.choose(options.name, lang))
    if options.file is not None:
        print(snippet.write(program, options.file))
        return 0
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What lands in a file is Python: UTF-8, whatever this console's code page is.
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    print(program, end="")
    return 0
