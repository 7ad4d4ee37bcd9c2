"""build: the notebooks from the lessons' sources."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from helpers.i18n import LANGUAGES, N_, _
from helpers.setup import ROOT, environment, files

HELP = N_("build and execute the notebooks from notebooks/source")


def add_arguments(parser: ArgumentParser) -> None:
    """Add which lessons, and what to do other than build the learner's edition."""
    lessons = _("for example 04 or 04-stream (default: all)")
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help=lessons)
    how = parser.add_mutually_exclusive_group()
    check = _("only compare: run nothing, write nothing")
    how.add_argument("--check", action="store_true", help=check)
    solutions = _("write the teacher's edition, with the solutions, to this folder")
    how.add_argument("--solutions", metavar="DIR", type=Path, help=solutions)


def run(options: Namespace) -> int:
    """Build or check; return 1 where there are problems, which are printed.

    Raises CourseError where the notebooks cannot be written.
    """
    if not options.check and options.solutions is None:
        for lang in LANGUAGES:
            files.check_savable(ROOT, lang)
    environment.enter()
    from helpers.authoring import builder

    if options.check:
        problems = builder.check(options.lessons)
    else:
        problems = builder.build(options.lessons, options.solutions)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0
