"""training: what lesson 15 needs besides."""

from __future__ import annotations

from argparse import Namespace

from helpers.i18n import N_, _
from helpers.setup import environment

HELP = N_("add what training a network of your own needs (lesson 15, about 1.3 GB)")


def run(options: Namespace) -> int:
    """Add the packages for training to the environment. Raises CourseError."""
    environment.set_up(extra="training")
    print(_("What training needs is installed. Restart the kernel of any notebook that is open."))
    return 0
