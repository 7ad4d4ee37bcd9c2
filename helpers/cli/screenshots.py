"""screenshots: the pictures of the READMEs."""

from __future__ import annotations

from argparse import Namespace

from helpers.i18n import N_, _
from helpers.setup import environment

HELP = N_("make the pictures of the READMEs anew, in a browser")


def run(options: Namespace) -> int:
    """Make the pictures and name them. Raises CourseError where there is no browser, or it fails."""
    from helpers.authoring import screenshots

    screenshots.check_browser()
    environment.enter("browser")
    for path in screenshots.make(screenshots.IMAGES):
        print(_("Written: {path}").format(path=path))
    return 0
