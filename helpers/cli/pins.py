"""pins: the files of pinned requirements."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from helpers.i18n import N_, _
from helpers.setup import environment

HELP = N_("pin the packages anew, as pyproject.toml asks for them")


def add_arguments(parser: ArgumentParser) -> None:
    """Add --upgrade."""
    text = _("take the newest releases (default: keep the pins that still fit)")
    parser.add_argument("--upgrade", action="store_true", help=text)


def run(options: Namespace) -> int:
    """Write the files and print their names. Raises CourseError where that is not possible."""
    environment.enter()
    from helpers.authoring import pins

    for path in pins.make(options.upgrade):
        print(path)
    return 0
