"""lab: the course in JupyterLab."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from helpers import i18n
from helpers.i18n import N_, _
from helpers.setup import ROOT, environment, files, jupyter

HELP = N_("set everything up and open the course in JupyterLab")


def add_arguments(parser: ArgumentParser) -> None:
    """Add what JupyterLab's address is made of; the rest is JupyterLab's own."""
    port = _("JupyterLab's port (default: the first free one from {port} on)")
    parser.add_argument("--port", type=int, help=port.format(port=jupyter.FIRST_PORT))
    ip = _("the address to listen on (default: 127.0.0.1, this computer alone)")
    parser.add_argument("--ip", default="127.0.0.1", help=ip)
    parser.set_defaults(rest=[])
    parser.epilog = _("All other arguments go to JupyterLab, for example --no-browser.")


def run(options: Namespace) -> int:
    """Set up and open the course; return JupyterLab's exit code. Raises CourseError."""
    lang = i18n.language()
    jupyter.check_notebooks(ROOT, lang)
    files.check_savable(ROOT, lang)
    python = environment.set_up()
    port = jupyter.choose_port(options.port)
    return jupyter.serve(python, ROOT, lang, port, options.ip, options.rest)
