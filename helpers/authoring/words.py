"""Keeps the catalogues of the helpers' messages in step with the code, and finds what is wrong in them.

A message whose English changed keeps its translations, marked "fuzzy" until somebody has revised them.
"""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from helpers import i18n
from helpers.authoring.problems import Problem
from helpers.setup import ROOT
from helpers.setup.files import write_whole

TRANSLATIONS = i18n.LANGUAGES[1:]
KEYWORDS: dict[str, Any] = {
    "_": (1,),
    "N_": (1,),
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
}
UNDATED = datetime(2000, 1, 1, tzinfo=UTC)  # instead of the moment of reading
FIELD = re.compile(r"{(\w*)[^{}]*}|%(?:\((\w+)\))?[sd]")  # of str.format, and of argparse


def path_of(lang: str, kind: str = "po") -> Path:
    """Return where the catalogue of `lang` is kept: "po" to read, "mo" as gettext uses it."""
    return i18n.FOLDER / lang / "LC_MESSAGES" / f"{i18n.DOMAIN}.{kind}"


def in_code() -> Catalog:
    """Return a catalogue with every message that the helpers' code marks for translation."""
    found = Catalog(charset="utf-8")
    for name, _line, message, _comments, context in extract_from_dir(
        ROOT / "helpers", method_map=[("**.py", "python")], keywords=KEYWORDS
    ):
        where = Path("helpers", name).as_posix()
        found.add(message, locations=[(where, 0)], context=context)
    return found


def read(lang: str) -> Catalog:
    """Return the catalogue of `lang` as it is kept."""
    lines = path_of(lang).read_text(encoding="utf-8-sig").splitlines(keepends=True)
    catalogue = read_po(lines, locale=lang, domain=i18n.DOMAIN)
    catalogue.creation_date = UNDATED
    return catalogue


def compiled(catalogue: Catalog) -> bytes:
    """Return a catalogue as gettext reads it."""
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def write(lang: str, catalogue: Catalog) -> None:
    """Write a catalogue, to read and for gettext, without what changes from run to run."""
    text = io.BytesIO()
    write_po(text, catalogue, width=100, sort_by_file=True, include_lineno=False, omit_header=True)
    head = f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n"Language: {lang}\\n"\n'
    head += f'"Plural-Forms: {catalogue.plural_forms};\\n"\n\n'.replace(";;", ";")
    write_whole(path_of(lang), head + text.getvalue().decode("utf-8"))
    path_of(lang, "mo").write_bytes(compiled(read(lang)))


def update() -> None:
    """Bring the catalogues into step with the code: new messages empty, changed ones fuzzy, old ones gone."""
    template = in_code()
    for lang in TRANSLATIONS:
        catalogue = read(lang)
        catalogue.update(template, update_header_comment=False)
        catalogue.obsolete.clear()
        write(lang, catalogue)


def fields(text: str) -> set[str]:
    """Return the names of what is filled into a message."""
    return {name or other for name, other in FIELD.findall(text)}


def problems() -> list[Problem]:
    """Return each message that is not translated, fuzzy, without use or with other fields; by language."""
    wanted = {(message.id, message.context) for message in in_code() if message.id}
    found = []
    for lang in TRANSLATIONS:
        catalogue = read(lang)
        kept = {(message.id, message.context): message for message in catalogue if message.id}
        for key in sorted(wanted - set(kept), key=str):
            found.append(Problem("words", "", lang, f"{key[0]!r} is missing from the catalogue"))
        for key, message in kept.items():
            what = "is no longer in the code" if key not in wanted else wrong_in(message)
            if what:
                found.append(Problem("words", "", lang, f"{key[0]!r} {what}"))
        mo = path_of(lang, "mo")
        if not mo.exists() or mo.read_bytes() != compiled(catalogue):
            found.append(
                Problem("words", "", lang, f"{mo.name} is not what {path_of(lang).name} says")
            )
    return found


def wrong_in(message: Message) -> str:
    """Return what is wrong with one translation; nothing where all is well."""
    if message.fuzzy:
        return "is fuzzy: its English has changed. Revise the translation and take the mark away"
    english = (message.id,) if isinstance(message.id, str) else message.id
    said = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
    if not all(said):
        return "is not translated"
    if any(fields(text) != fields(english[-1]) for text in said):
        return f"has other fields than {sorted(fields(english[-1]))}"
    return ""
