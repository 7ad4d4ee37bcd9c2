"""Reads the built-in model's book from its files; book.yaml says what they look like."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, product
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from helpers.builtin.likeness import Wordings, plain
from helpers.i18n import LANGUAGES

PATH = Path(__file__).with_name("book.yaml")
MORE = [PATH.with_name(name) for name in ("talk.yaml", "desk.yaml")]
SHOP = PATH.with_name("shop.yaml")

# PyYAML's parser in C is ten times as fast; not every platform's wheel has it.
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

KEYS = {"id", "theme", "each", "ask", "answer", "call", "about", "result", "json", "system", "earlier"}  # fmt: skip
NEEDED = {"unknown": dict, "entries": list, "continuations": list}
PARTS = {**NEEDED, "notes": dict, "themes": dict, "slots": dict, "light": str, "languages": dict, "followed": dict, "tables": dict}  # fmt: skip


class Entry(NamedTuple):
    """What the book has for a question in one language.

    `answer` is said in words, at a temperature also one of `others`, with `note` after it. `calls`
    are made where these tools are offered, each a name and its arguments, and `result` is what is
    said when they have returned: {0} stands for what the first one did. `json` is the answer in a
    JSON format. `about` are words one of which is in the name or description of a tool that fits
    as well. `id` and `lang` say which entry it is, and `slots` what its {slots} were filled with.
    """

    answer: str
    calls: Sequence[tuple[str, dict[str, Any]]] = ()
    result: str = ""
    json: Any = None
    about: Sequence[str] = ()
    others: Sequence[str] = ()
    id: str = ""
    lang: str = ""
    note: str = ""
    slots: Mapping[str, str] = {}


# A last question, the system message and one earlier question, as `normalise` has them; None means
# any.
Key = tuple[str | None, ...]
# What stands for a number, or for whatever a pattern takes, where texts are compared.
SLOT = "¤"


class Book(NamedTuple):
    """The prepared answers by what was said, and by language the reply to any other question.

    `continuations` are how texts go on, for the older interface that has no messages. `patterns`
    are wordings with {slots}, each with its language, what `entries` have for it and whether it
    takes more than names, and `wordings` all others. `languages` are how a system message asks for
    a language, `rules` what else it may say, `followed` those of
    them that hold for any answer, and `notes` what is said where it asks for something that the
    book cannot do. `translations` are the entries by id and language, and `questions` the first
    wordings by language and theme.
    """

    entries: dict[Key, Entry]
    continuations: dict[str, str]
    unknown: dict[str, str]
    notes: dict[str, dict[str, str]]
    languages: dict[str, re.Pattern[str]]
    rules: set[str]
    followed: Collection[str]
    patterns: list[tuple[re.Pattern[str], str, str, bool]]
    wordings: Wordings
    translations: dict[tuple[str, str], Entry]
    questions: dict[str, dict[str, list[str]]]


def normalise(text: str) -> str:
    """Return `text` without what should not matter: case, width, punctuation and white space."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if unicodedata.category(char)[0] not in "PZC")


BETWEEN = "[ '’-]"  # words, in what patterns are held against: all other signs are one space there
# What an entry's ask is that has the reply to whatever is not known under its system message.
ANYTHING = "~"
STOPS = (".", "!", "?", "。", "！", "？")
NAMES = {"name", "Name"}  # slots that take no more than a name


def put(pattern: str, text: str, values: Mapping[str, str]) -> str:
    """Put values where `pattern` finds their names; one that ends in a stop of its own gets no other."""

    def value(found: re.Match[str]) -> str:
        said, closing, stop = values.get(found[1], found[0]), found[2], found[3]
        if found[1] not in values:
            return said
        return said + closing + ("" if said.endswith(STOPS) else stop)

    return re.sub(rf"{pattern}((?:\s?[”»])?)([.。]?)", value, text)


class BookError(ValueError):
    """An entry of the book is wrong; the message names the entry and the language."""


def shop(lang: str) -> Any:
    """Return what shop.yaml says of the shop, in one language: its goods, orders, hours and mails."""

    def spoken(value: Any) -> Any:
        if isinstance(value, list):
            return [spoken(item) for item in value]
        if not isinstance(value, dict):
            return value
        own = {key: spoken(item) for key, item in value.items() if key not in LANGUAGES}
        if not set(LANGUAGES) <= set(value):
            return own
        return {**own, **value[lang]} if isinstance(value[lang], dict) else value[lang]

    return spoken(_source(SHOP))


def load(path: Path = PATH) -> Book:
    """Read a book, the course's own with all its files; raise BookError where one is wrong."""
    source = {name: kind() for name, kind in PARTS.items()}
    for part in [path, *(MORE if path == PATH else [])]:
        given = _source(part)
        wrong = not isinstance(given, dict) or set(given) - set(PARTS)
        if wrong or (part == path and set(NEEDED) - set(given)):
            names = ", ".join(map(repr, NEEDED))
            raise BookError(f"{part.name} must have the keys {names}, and others of {set(PARTS)}")
        for name, value in given.items():
            if not isinstance(value, PARTS[name]):
                raise BookError(f"{part.name}: {name} must be a {PARTS[name].__name__}")
            source[name] = source[name] | value if PARTS[name] is dict else source[name] + value
    if path == PATH:
        tables = [_tables(shop(lang)) for lang in LANGUAGES]
        for name in tables[0]:
            rows = zip(*(table[name] for table in tables), strict=True)
            source["tables"][name] = [dict(zip(LANGUAGES, row, strict=True)) for row in rows]
    return _Reader(source, path.name).book


def _tables(facts: dict[str, Any]) -> dict[str, list[Any]]:
    """Return what entries may be made of: the shop, its goods, the mails about an order, the others."""
    mails = facts["mails"]
    return {
        "shop": [facts],
        "products": facts["products"],
        "order-mails": [mail for mail in mails if "number" in mail],
        "other-mails": [mail for mail in mails if "number" not in mail],
    }


def _source(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    except yaml.YAMLError as error:
        raise BookError(f"{path.name} is not valid YAML: {error}") from error


class _Reader:
    """Makes a `book` of what its files say."""

    def __init__(self, source: dict[str, Any], name: str) -> None:
        self.slots: dict[str, str] = source["slots"]
        self.texts: set[tuple[str, str, str]] = set()  # each with its field and its key
        empty = Wordings((), ())
        languages = {lang: re.compile(text) for lang, text in source["languages"].items()}
        notes = {kind: _one_text(source["notes"], kind, name) for kind in source["notes"]}
        unknown = _one_text(source, "unknown", name)
        self.book = Book({}, {}, unknown, notes, languages, set(), {}, [], empty, {}, {})
        for number, entry in enumerate(source["continuations"], 1):
            where = f"continuation {number}"
            if not isinstance(entry, dict) or set(entry) != {"text", "next"}:
                raise BookError(f"{where}: must have text and next, and no other key")
            goes_on = _one_text(entry, "next", where)
            for lang, text in _one_text(entry, "text", where).items():
                self.book.continuations[normalise(text)] = goes_on[lang]
        for number, entry in enumerate(source["entries"], 1):
            if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
                raise BookError(f"entry {number}: must have an id, ask and answer")
            if (entry["id"], LANGUAGES[0]) in self.book.translations:
                raise BookError(f"entry '{entry['id']}': another entry has the same id")
            for row, given in enumerate(_each(entry, source["tables"])):
                self.add({**given, "id": f"{entry['id']} {row}" if row else entry["id"]})
            if theme := entry.get("theme"):
                first = _texts(next(_each(entry, source["tables"])), "ask", entry["id"])
                for lang in LANGUAGES:
                    listed = self.book.questions.setdefault(lang, {})
                    asked = listed.setdefault(source["themes"][theme][lang], [])
                    asked.append(
                        re.sub(r"\{number\}", "1024", re.sub(r"\{[nN]ame\}", "…", first[lang][0]))
                    )
        lists = chain.from_iterable(source["followed"].values())
        followed = {normalise(text): text for text in chain.from_iterable(lists)}
        self.texts |= {("system", key, text) for key, text in followed.items()}
        wordings = Wordings(sorted(self.texts), source["light"].split())
        self.book.rules.update(followed)
        self.book = self.book._replace(wordings=wordings, followed=followed)

    def add(self, entry: dict[str, Any]) -> None:
        """Add an entry in all languages, under each of its wordings."""
        where = f"entry '{entry['id']}'"
        if unknown := sorted(map(str, set(entry) - KEYS)):
            raise BookError(f"{where}: unknown key {', '.join(unknown)}")
        answers = _texts(entry, "answer", where)
        calls = _values(entry, "call", dict, where)
        nothing = dict.fromkeys(LANGUAGES, "")
        results = _one_text(entry, "result", where) if "result" in entry else nothing
        values = _values(entry, "json", object, where)
        about = entry.get("about", "")
        if not isinstance(about, str) or ("about" in entry) != ("call" in entry):
            raise BookError(f"{where}: about must be text, and stand where call does")
        wordings = {}
        for field in ("ask", "system", "earlier"):
            anything: dict[str, Any] = {lang: [None] for lang in LANGUAGES}
            wordings[field] = _texts(entry, field, where) if field in entry else anything
        for lang in LANGUAGES:
            made = [
                (tool, arguments)
                for tool, given in (calls[lang] or {}).items()
                for arguments in (given if isinstance(given, list) else [given])
            ]
            first, *others = answers[lang]
            kept = Entry(
                first, made, results[lang], values[lang], plain(about).split(), others, entry["id"], lang
            )  # fmt: skip
            self.book.translations[entry["id"], lang] = kept
            keys = [
                [(text, self.known(text, field, lang)) for text in wordings[field][lang]]
                for field in ("ask", "earlier")
            ]
            keys.insert(1, [(None, self.rule(wordings["system"]))])
            for said in product(*keys):
                there = self.book.entries.setdefault(tuple(key for _, key in said), kept)
                if said[0][0] != ANYTHING and (there.id, there.answer) != (kept.id, kept.answer):
                    raise BookError(f"{where}, {lang}: {said[0][0]!r} already has an answer")

    def known(self, text: str | None, field: str, lang: str) -> str | None:
        """Note a wording, and return what an entry is found by."""
        if text is None:
            return None
        slotted = text.replace("{number}", SLOT)
        if "{" not in slotted:
            self.texts.add((field, normalise(slotted), slotted))
            return normalise(slotted)
        key = normalise(re.sub(r"\{\w+\}", SLOT, text)) + lang
        parts = re.split(r"\{(\w+)\}", text)
        for place, part in enumerate(parts):
            parts[place] = self.slot(part) if place % 2 else _fixed(part)
        wide = bool(set(re.findall(r"\{(\w+)\}", text)) - NAMES)
        kept = (re.compile("".join(parts) + f"{BETWEEN}?"), lang, key, wide)
        if kept not in self.book.patterns:
            self.book.patterns.append(kept)
        return key

    def rule(self, wordings: dict[str, list[Any]]) -> str | None:
        """Note the wordings of a system message, which mean the same in all languages; return a key."""
        texts = [text for lang in LANGUAGES for text in wordings[lang] if text]
        keys = list(map(normalise, texts))
        self.book.rules.update(keys)
        self.texts |= {("system", keys[0], text) for text in texts}
        return keys[0] if keys else None

    def slot(self, name: str) -> str:
        """Return the pattern of what a slot takes."""
        return f"(?P<{name}>{self.slots[name]})"


def _fixed(text: str) -> str:
    """Return a pattern for words, whatever signs are between and around them."""
    joined = BETWEEN.join(map(re.escape, re.findall(r"\w+", text)))
    return f"(?i:{BETWEEN}?{joined}{BETWEEN}?)" if joined else ""


def _each(entry: dict[str, Any], tables: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Yield an entry for each row of its table, or as it is where it has none."""
    if "each" not in entry:
        yield entry
        return
    for row in tables[entry["each"]]:

        def fill(value: Any, lang: str, row: Any = row) -> Any:
            if isinstance(value, dict):
                return {key: fill(item, key if key in LANGUAGES else lang) for key, item in value.items()}  # fmt: skip
            if isinstance(value, list):
                return [fill(item, lang) for item in value]
            if not isinstance(value, str):
                return value
            known = row.get(lang) if isinstance(row.get(lang), dict) else row
            if (whole := re.fullmatch(r"\{(\w+)\}", value)) and whole[1] in known:
                return known[whole[1]]
            return put(r"\{(\w+)\}", value, {name: str(said) for name, said in known.items()})

        yield fill({key: value for key, value in entry.items() if key != "each"}, "")


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
