"""Reads a command line with argparse, which speaks the reader's language too."""

from __future__ import annotations

import contextlib
import gettext
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from types import ModuleType

from helpers import i18n
from helpers.i18n import LANGUAGES, N_, _
from helpers.setup.processes import typed

# What argparse says itself, in the words of Python 3.11 to 3.15; listed for the catalogues, where
# argparse looks it up. A test finds what a newer Python says besides.
ARGPARSE = (
    N_("usage: "),
    N_("positional arguments"),
    N_("options"),
    N_("%(heading)s:"),
    N_("show this help message and exit"),
    N_("%(prog)s: error: %(message)s\n"),
    N_("argument %(argument_name)s: %(message)s"),
    N_("unrecognized arguments: %s"),
    N_("the following arguments are required: %s"),
    N_("expected one argument"),
    N_("ignored explicit argument %r"),
    N_("not allowed with argument %s"),
    N_("invalid %(type)s value: %(value)r"),
    N_("invalid choice: %(value)r (choose from %(choices)s)"),
    N_("invalid choice: %(value)r, maybe you meant %(closest)r? (choose from %(choices)s)"),
)


@contextlib.contextmanager
def translated_argparse() -> Iterator[None]:
    """Let argparse speak the current language as long as the block runs.

    It asks gettext for the texts of its current domain in the language that the environment names.
    Children shall not inherit that, so all is put back at the end.
    """
    domain, language = gettext.textdomain(), os.environ.get("LANGUAGE")
    gettext.bindtextdomain(i18n.DOMAIN, str(i18n.FOLDER))
    gettext.textdomain(i18n.DOMAIN)
    os.environ["LANGUAGE"] = i18n.language()
    try:
        yield
    finally:
        gettext.textdomain(domain)
        if language is None:
            del os.environ["LANGUAGE"]
        else:
            os.environ["LANGUAGE"] = language


def add_language(parser: ArgumentParser) -> None:
    """Let `parser` take --lang."""
    text = _("the language (default: your system's)")
    parser.add_argument("--lang", choices=LANGUAGES, help=text)


def take_language(argv: Sequence[str]) -> tuple[str, list[str]]:
    """Return the language that --lang names, wherever it stands, else the system's; and the rest.

    Raises SystemExit where it names none of ours.
    """
    with translated_argparse():
        parser = ArgumentParser(prog=typed(), add_help=False, allow_abbrev=False)
        add_language(parser)
        options, rest = parser.parse_known_args(argv)
    return options.lang or i18n.system_language(), rest


def parse(name: str, command: ModuleType, arguments: Sequence[str]) -> Namespace:
    """Return what stands after `name`, as the module `command` takes it.

    Unknown arguments are `rest`, if the command sets that as a default. Raises SystemExit after
    --help, and for arguments that are wrong.
    """
    with translated_argparse():
        parser = ArgumentParser(prog=typed(name), description=_(command.HELP), allow_abbrev=False)
        add_language(parser)  # for --help; `take_language` has taken it
        if hasattr(command, "add_arguments"):
            command.add_arguments(parser)
        if parser.get_default("rest") is None:
            return parser.parse_args(arguments)
        options, rest = parser.parse_known_args(arguments)
        options.rest = rest
        return options
