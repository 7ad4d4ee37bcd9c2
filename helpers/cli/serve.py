"""serve: the built-in model for a whole room."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from helpers.i18n import N_, _
from helpers.setup import environment

HELP = N_("serve the built-in model to a whole room")
PORT = 8000


def port(given: str) -> int:
    """Return a port, 0 for any. Raises ArgumentTypeError, ValueError."""
    if not 0 <= int(given) < 2**16:
        raise ArgumentTypeError(_("must be from 0 to 65535"))
    return int(given)


def pace(given: str) -> float:
    """Return a number of tokens per second. Raises ArgumentTypeError, ValueError."""
    if not 0 <= float(given) < float("inf"):
        raise ArgumentTypeError(_("must be 0 or more"))
    return float(given)


def origin(given: str) -> str:
    """Return what web pages have as their origin, or "*". Raises ArgumentTypeError."""
    if not re.fullmatch(r"\*|[a-z][a-z0-9+.-]*://[^\s/,]+", given):
        text = _("must be * or the beginning of an address, such as http://localhost:5173")
        raise ArgumentTypeError(text)
    return given


def add_arguments(parser: ArgumentParser) -> None:
    """Add where it listens, to whom it answers, and how fast."""
    host = _("the address to listen on; 0.0.0.0 for the whole network (default: 127.0.0.1)")
    parser.add_argument("--host", default="127.0.0.1", help=host)
    text = _("the port to listen on; 0 for any free one (default: {port})")
    parser.add_argument("--port", type=port, default=PORT, help=text.format(port=PORT))
    token = _("what students send as their key; safer in the environment variable COURSE_TOKEN")
    parser.add_argument("--token", help=token)
    cors = _("let web pages from this address use it, such as http://localhost:5173; * for all")
    parser.add_argument("--cors", type=origin, metavar="ORIGIN", help=cors)
    parser.add_argument("--pace", type=pace, help=_("tokens per second; 0 for as fast as possible"))


def run(options: Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code."""
    environment.enter()
    from helpers.backend import serving

    return serving.run(options.host, options.port, options.token, options.pace, options.cors)
