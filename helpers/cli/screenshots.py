"""screenshots: the pictures of the READMEs."""

from __future__ import annotations

from argparse import Namespace

from helpers.i18n import N_, _
from helpers.setup import CourseError, environment

HELP = N_("make the pictures of the READMEs anew, in a browser")


def run(options: Namespace) -> int:
    """Make the pictures and name them. Raises CourseError where there is no browser, or it fails."""
    from helpers.authoring import browser, screenshots

    screenshots.check_browser()
    environment.enter("browser")
    try:
        paths = screenshots.make(screenshots.IMAGES)
    except browser.BrowserError as error:
        text = _(
            "The pictures were not made: JupyterLab or the browser did not start. It said:\n\n{said}"
        )
        raise CourseError(text.format(said=error)) from error
    for path in paths:
        print(_("Written: {path}").format(path=path))
    return 0
