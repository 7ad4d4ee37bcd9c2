"""translated: a stamp on one cell's translation."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from helpers.i18n import LANGUAGES, N_, _
from helpers.setup import environment

HELP = N_("mark one cell's translation as up to date")


def add_arguments(parser: ArgumentParser) -> None:
    """Add which translation: `into`, since `lang` is the language of the messages."""
    parser.add_argument("lesson", metavar="LESSON", help=_("for example 04 or 04-stream"))
    parser.add_argument("cell", metavar="CELL", help=_("the cell's id, for example why"))
    languages = _("the translation's language: {languages}").format(
        languages="|".join(LANGUAGES[1:])
    )
    parser.add_argument("into", metavar="LANG", help=languages)


def run(options: Namespace) -> int:
    """Stamp the translation and say so."""
    environment.enter()
    from helpers.authoring import builder

    print(builder.translated(options.lesson, options.cell, options.into))
    return 0
