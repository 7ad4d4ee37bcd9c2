"""doctor: whether all that the course needs is there."""

from __future__ import annotations

from argparse import Namespace

from helpers.i18n import N_
from helpers.setup import environment

HELP = N_("look at everything the course needs and say what is found")


def run(options: Namespace) -> int:
    """Print what is found; return 0 where all is well, else 1."""
    environment.enter()
    from helpers.backend.doctor import doctor

    return 0 if doctor() else 1
