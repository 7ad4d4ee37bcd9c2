"""site: the course as a site."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from helpers.i18n import N_, _
from helpers.setup import environment

HELP = N_("build the course as a site, in three languages")
PORT = 8080


def add_arguments(parser: ArgumentParser) -> None:
    """Add where it is built to, where it will be, and whether it is shown."""
    out = _("the folder to build it in (default: site)")
    parser.add_argument("--out", metavar="DIR", type=Path, help=out)
    text = _("OWNER/NAME on GitHub, for links to it (default: what pyproject.toml says)")
    parser.add_argument("--repository", metavar=_("OWNER/NAME"), help=text)
    url = _("the site's address, for its sitemap (default: the repository's GitHub Pages)")
    parser.add_argument("--url", help=url)
    serve = _("show it at an address of this computer, and build it again when a page changes")
    parser.add_argument("--serve", action="store_true", help=serve)
    port = _("the port of --serve; 0 for any free one (default: {port})")
    parser.add_argument("--port", type=int, default=PORT, help=port.format(port=PORT))


def run(options: Namespace) -> int:
    """Build the site, or serve it until Ctrl-C. Raises CourseError."""
    environment.enter("site")
    from helpers.authoring.site import building, serving, settings

    address = settings.address(options.repository, options.url)
    out = (options.out or building.OUT).absolute()
    if options.serve:
        return serving.serve(out, address, options.port)
    print(building.build(out, address))
    return 0
