"""words: the catalogues of the messages in Chinese and French."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from helpers.i18n import N_, _
from helpers.setup import environment

HELP = N_("bring the catalogues of the messages into step with the code")


def add_arguments(parser: ArgumentParser) -> None:
    """Add --check."""
    parser.add_argument("--check", action="store_true", help=_("only compare: write nothing"))


def run(options: Namespace) -> int:
    """Update the catalogues, unless told only to check; return 1 where there are problems, which are printed."""
    environment.enter()
    from helpers.authoring import words

    if not options.check:
        words.update()
    problems = words.problems()
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0
