"""status: what work the lessons need."""

from __future__ import annotations

from argparse import Namespace

from helpers.i18n import N_
from helpers.setup import environment

HELP = N_("show which lessons and translations need work")


def run(options: Namespace) -> int:
    """Print each lesson and its problems."""
    environment.enter()
    from helpers.authoring import builder

    print(builder.status())
    return 0
