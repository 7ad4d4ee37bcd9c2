"""progress: which exercises are solved."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from helpers.i18n import N_, _, listed

HELP = N_("show which exercises are solved")


def lesson(asked: str) -> str:
    """Return the lesson that is called `asked`: "04-stream", "04" or "stream".

    Raises ArgumentTypeError, naming the lessons there are, where it is none.
    """
    from helpers import exercises

    names = exercises.lessons()
    for name in names:
        if asked in (name, *name.split("-", 1)):
            return name
    text = _("there is no lesson {name}; there are {names}")
    raise ArgumentTypeError(text.format(name=asked, names=listed(names)))


def add_arguments(parser: ArgumentParser) -> None:
    """Add --reset, which is a lesson, or True for all of them."""
    parser.add_argument(
        "--reset",
        nargs="?",
        const=True,
        type=lesson,
        metavar="LESSON",
        help=_("forget what was solved, in one lesson or in all; notebooks stay as they are"),
    )


def run(options: Namespace) -> int:
    """Print how many exercises of each lesson are solved, after --reset without those."""
    from helpers import exercises
    from helpers.exercises import progress

    if options.reset:
        try:
            progress.reset(None if options.reset is True else options.reset)
        except progress.ProgressError as error:
            print(progress.not_kept(error), file=sys.stderr)
            return 1
    print(exercises.overview())
    return 0
