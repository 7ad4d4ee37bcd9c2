"""The built-in model's prepared answers: reads book.yaml and finds the answer to a conversation."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from helpers.i18n import LANGUAGES

PATH = Path(__file__).with_name("book.yaml")

# PyYAML's parser in C is ten times as fast; not every platform's wheel has it.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MAX_ASKED = 1000  # characters of what the book is asked for

# Short words that a question in one of the languages can hardly do without.
_FRENCH = set(
    re.findall(
        r"\w+",
        "au aux avec bonjour ce cette comment dans de des du elle en est et il je la le les ma mon ne "
        "nous où par pas pour pourquoi quand que quel quelle qui quoi salut son sur tu un une vous",
    )
)
_ENGLISH = set(
    re.findall(
        r"\w+",
        "a an and are at can do does for from how i in is it my of or the this to was what when where "
        "which who why with you your",
    )
)


class BookError(ValueError):
    """An entry of the book is wrong; the message names the entry and the language."""


class Message(NamedTuple):
    """One message of a conversation: its content as plain text, and the tool whose result it is."""

    role: str
    text: str
    tool: str = ""


class Entry(NamedTuple):
    """What the book has for a question in one language.

    `answer` is said in words. `calls` are made where these tools are offered, each a name and its
    arguments, and `result` is what is said when they have returned: {0} stands for what the first
    one did. `json` is the answer in a JSON format.
    `about` are words one of which is in the name or description of a tool that fits as well.
    """

    answer: str
    calls: list[tuple[str, dict[str, Any]]]
    result: str
    json: Any
    about: Sequence[str] = ()


KEYS = {"id", "ask", "answer", "call", "about", "result", "json", "system", "earlier"}

# A last question, the system message and one earlier question, normalised; None means any.
Key = tuple[str | None, ...]


class Book(NamedTuple):
    """The prepared answers by what was said, and by language the reply to any other question.

    `continuations` are how texts go on, for the older interface that has no messages.
    """

    entries: dict[Key, Entry]
    continuations: dict[str, str]
    unknown: dict[str, str]


def normalise(text: str) -> str:
    """Return `text` without what should not matter: case, width, punctuation and white space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if unicodedata.category(char)[0] not in "PZC")


def plain(text: str) -> str:
    """Return `text` in small letters without accents, as names of functions are written."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in letters if unicodedata.category(char) != "Mn")


def language_of(text: str) -> str:
    """Guess which of the course's languages `text` is in: Han characters, accents, small words."""
    if re.search("[\u3400-\u9fff]", text):
        return "zh"
    words = set(re.findall(r"[^\W\d_]+", text.casefold()))
    french = len(words & _FRENCH) + bool(re.search("[àâæçéèêëîïôœùûÿ]", text.casefold()))
    return "fr" if french > len(words & _ENGLISH) else "en"


def load(path: Path = PATH) -> Book:
    """Read a book; its first lines say what it looks like. Raise BookError where it does not."""
    try:
        source = yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except yaml.YAMLError as error:
        raise BookError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(source, dict) or set(source) != {"unknown", "entries", "continuations"}:
        raise BookError(
            f"{path.name} must have the keys 'unknown', 'entries' and 'continuations', and no other"
        )
    for field in ("entries", "continuations"):
        if not isinstance(source[field], list):
            raise BookError(f"{path.name}: {field} must be a list")
    book = Book({}, {}, _one_text(source, "unknown", path.name))
    for number, entry in enumerate(source["continuations"], 1):
        where = f"continuation {number}"
        if not isinstance(entry, dict) or set(entry) != {"text", "next"}:
            raise BookError(f"{where}: must have text and next, and no other key")
        goes_on = _one_text(entry, "next", where)
        for lang, text in _one_text(entry, "text", where).items():
            book.continuations[normalise(text)] = goes_on[lang]
    ids = set()
    for number, entry in enumerate(source["entries"], 1):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
            raise BookError(f"entry {number}: must have an id, ask and answer")
        where = f"entry '{entry['id']}'"
        if entry["id"] in ids:
            raise BookError(f"{where}: another entry has the same id")
        ids.add(entry["id"])
        _add(book, entry, where)
    return book


def _add(book: Book, entry: dict[str, Any], where: str) -> None:
    if unknown := sorted(map(str, set(entry) - KEYS)):
        raise BookError(f"{where}: unknown key {', '.join(unknown)}")
    answers = _one_text(entry, "answer", where)
    calls = _values(entry, "call", dict, where)
    results = (
        _one_text(entry, "result", where) if "result" in entry else dict.fromkeys(LANGUAGES, "")
    )
    values = _values(entry, "json", object, where)
    about = entry.get("about", "")
    if not isinstance(about, str) or ("about" in entry) != ("call" in entry):
        raise BookError(f"{where}: about must be text, and stand where call does")
    wordings = [_texts(entry, "ask", where)]
    for field in ("system", "earlier"):
        anything: dict[str, Any] = {lang: [None] for lang in LANGUAGES}
        wordings.append(_texts(entry, field, where) if field in entry else anything)
    for lang in LANGUAGES:
        for texts in product(*(wording[lang] for wording in wordings)):
            key = tuple(text and normalise(text) for text in texts)
            if key in book.entries:
                raise BookError(f"{where}, {lang}: {texts[0]!r} already has an answer")
            made = [
                (tool, arguments)
                for tool, given in (calls[lang] or {}).items()
                for arguments in (given if isinstance(given, list) else [given])
            ]
            book.entries[key] = Entry(
                answers[lang], made, results[lang], values[lang], plain(about).split()
            )


def _texts(entry: dict[str, Any], field: str, where: str) -> dict[str, list[str]]:
    """Return the texts of a field by language; a single text becomes a list of one."""
    given = entry.get(field)
    if not isinstance(given, dict):
        raise BookError(f"{where}: {field} must be given for each of {', '.join(LANGUAGES)}")
    if unknown := sorted(map(str, set(given) - set(LANGUAGES))):
        raise BookError(f"{where}: {field} has an unknown language, {', '.join(unknown)}")
    texts = {}
    for lang in LANGUAGES:
        if lang not in given:
            raise BookError(f"{where}, {lang}: {field} is missing")
        texts[lang] = given[lang] if isinstance(given[lang], list) else [given[lang]]
        if not texts[lang] or any(not isinstance(t, str) or not normalise(t) for t in texts[lang]):
            raise BookError(f"{where}, {lang}: {field} must be text, and not empty")
    return texts


def _one_text(entry: dict[str, Any], field: str, where: str) -> dict[str, str]:
    texts = _texts(entry, field, where)
    for lang in LANGUAGES:
        if len(texts[lang]) > 1:
            raise BookError(f"{where}, {lang}: {field} must be one text, not a list")
    return {lang: text for lang, [text] in texts.items()}


def _values(entry: dict[str, Any], field: str, kind: type, where: str) -> dict[str, Any]:
    """Return the values of an optional field by language, None where it is left out."""
    given = entry.get(field, dict.fromkeys(LANGUAGES))
    if not isinstance(given, dict) or set(given) != set(LANGUAGES):
        raise BookError(f"{where}: {field} must be given for each of {', '.join(LANGUAGES)}")
    for lang, value in given.items():
        if field in entry and not isinstance(value, kind):
            raise BookError(f"{where}, {lang}: {field} must be an object")
    return given


_course_book = functools.cache(load)


def _key(text: str) -> str:
    """Return what to look up: nothing for a long text, which Unicode's normal form can take minutes for."""
    return normalise(text) if len(text) <= MAX_ASKED else ""


def find(messages: Sequence[Message]) -> Entry | None:
    """Return the entry for the last user message, in the language it was asked in.

    One that fits the system message is preferred to one that fits an earlier question, and that
    to one that asks for neither.
    """
    book = _course_book()
    said = [message.text for message in messages if message.role == "user"]
    told = [message.text for message in messages if message.role in ("system", "developer")]
    question = _key(said[-1]) if said else ""
    systems = [*map(_key, told[-1:]), None]
    earlier = [*map(_key, reversed(said[:-1])), None]
    for system, before in product(systems, earlier):
        if found := book.entries.get((question, system, before)):
            return found
    return None


def unknown(lang: str) -> str:
    """Return the reply to what the book does not know."""
    return _course_book().unknown[lang]


def go_on(text: str) -> str:
    """Return how a text goes on."""
    book = _course_book()
    return book.continuations.get(_key(text), book.unknown[language_of(text)])
