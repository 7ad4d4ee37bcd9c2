"""test: all tests."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from helpers.i18n import N_, _
from helpers.setup import ROOT, CourseError, environment, processes

HELP = N_("set everything up and run all tests")


def add_arguments(parser: ArgumentParser) -> None:
    """Add nothing: all arguments are pytest's."""
    parser.set_defaults(rest=[])
    parser.epilog = _("All other arguments go to pytest, for example tests/cli -k lab.")


def run(options: Namespace) -> int:
    """Set up, also for a browser where there is one, and return pytest's exit code."""
    from helpers.authoring import browser

    python = environment.set_up()
    if browser.find():
        for extra in ("browser", "site"):
            try:
                environment.set_up(extra=extra)
            except CourseError as error:  # the tests that need it say so
                print(error, file=sys.stderr)
    return processes.run([str(python), "-m", "pytest", *options.rest], cwd=ROOT)
