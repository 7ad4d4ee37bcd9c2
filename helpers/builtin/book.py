"""The built-in model's prepared answers: finds the one to a conversation."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from helpers.builtin.likeness import words
from helpers.builtin.reading import SLOT, Book, Entry, load, normalise

MAX_ASKED = 1000  # characters of what the book is asked for
MAX_FITTED = 300  # of what is held against patterns, which take long for long texts
MAX_QUOTED = 100  # of a rule that is not followed
MAX_EARLIER = 10  # of the questions before the last one

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


# Where Chinese has a space: between Han and what is not.
GAP = re.compile("(?<=[\u3400-\u9fff])(?=[A-Za-zÀ-ÿ])|(?<=[A-Za-zÀ-ÿ])(?=[\u3400-\u9fff])")


course_book = functools.cache(load)


class Message(NamedTuple):
    """One message of a conversation: its content as plain text, and the tool whose result it is."""

    role: str
    text: str
    tool: str = ""


def language_of(text: str) -> str:
    """Guess which of the course's languages `text` is in: Han characters, accents, small words."""
    if re.search("[\u3400-\u9fff]", text):
        return "zh"
    said = set(re.findall(r"[^\W\d_]+", text.casefold()))
    french = len(said & _FRENCH) + bool(re.search("[àâæçéèêëîïôœùûÿ]", text.casefold()))
    return "fr" if french > len(said & _ENGLISH) else "en"


def _key(text: str) -> str:
    """Return what to look up: nothing for a long text, which Unicode's normal form can take minutes for."""
    return normalise(text) if len(text) <= MAX_ASKED else ""


Reading = tuple[str, dict[str, str]]  # a text that the book may know, and the values of its slots


def _readings(book: Book, text: str, field: str) -> Iterator[Reading]:
    """Yield what a text may be read as: itself, with slots for numbers or names, one alike, a pattern."""
    if len(text) > MAX_ASKED:
        return
    yield normalise(text), {}
    numbers = re.findall(r"\d{2,}", text)
    slots = {"number": max(numbers, key=len)} if numbers else {}
    slotted = re.sub(r"\d{2,}", SLOT, text)
    if numbers:
        yield normalise(slotted), slots
    yield from _fitting(book, text, wide=False)
    for said in dict.fromkeys([text, slotted]):
        for known in book.wordings.near(said, field):
            yield known, slots
    yield from _fitting(book, text, wide=True)


def _fitting(book: Book, text: str, wide: bool) -> Iterator[Reading]:
    """Yield the patterns that a text fits, those that take names, or else those that take anything."""
    if len(text) > MAX_FITTED:
        return
    lang, said = language_of(text), re.sub(r"[^\w'’-]+", " ", text).strip()
    for pattern, _of, known, takes_anything in sorted(
        book.patterns, key=lambda kept: kept[1] != lang
    ):
        if takes_anything == wide and (found := pattern.fullmatch(said)):
            yield known, {name.lower(): value for name, value in found.groupdict("").items()}


def _rules(book: Book, messages: Sequence[Message]) -> tuple[list[str], str, str]:
    """Return what the system message asks for: texts that the book may have entries for, a language,
    and the first thing that not every answer follows.

    It is read as a whole, or else sentence by sentence.
    """
    told = [message.text for message in messages if message.role in ("system", "developer")]
    if not told or not told[-1].strip():
        return [], "", ""
    text = told[-1].strip()[:MAX_ASKED]
    whole = normalise(text) in book.rules
    known: list[str] = []
    lang = ignored = ""
    for sentence in [text] if whole else re.split(r"(?<=[.!?。！？])\s*", text):
        near = book.wordings.near(sentence, "system")
        known += near
        asked = [name for name, pattern in book.languages.items() if pattern.search(sentence)]
        lang = (asked or [lang])[0]
        if normalise(sentence) and not asked and not set(near) & set(book.followed):
            ignored = ignored or sentence
    return known, lang, ignored if len(ignored) <= MAX_QUOTED else f"{ignored[:MAX_QUOTED]}…"


def _look_up(
    book: Book, messages: Sequence[Message], systems: Sequence[str | None]
) -> tuple[Entry, bool] | None:
    """Return the entry for the last user message, and whether it is there for the system message."""
    said = [message.text for message in messages if message.role == "user"]
    before = [
        reading
        for text in reversed(said[-MAX_EARLIER - 1 : -1])
        for reading in _readings(book, text, "earlier")
    ]
    for question, slots in _readings(book, said[-1], "ask") if said else ():
        for system, (earlier, more) in product(systems, [*before, (None, {})]):
            if entry := book.entries.get((question, system, earlier)):
                return _filled(entry, {**more, **slots}), system is not None
    return None


def _contradicted(book: Book, messages: Sequence[Message], systems: Sequence[str | None]) -> bool:
    """Say whether an earlier answer to a question of the book shares no word with the book's."""
    for place in range(max(1, len(messages) - 2 * MAX_EARLIER), len(messages) - 1):
        said = set(words(messages[place].text[:MAX_ASKED]))
        if said and (messages[place - 1].role, messages[place].role) == ("user", "assistant"):
            found = _look_up(book, messages[:place], systems)
            known = found and words(" ".join([found[0].answer, *found[0].others]))
            if found and not found[0].calls and not said & set(known or ()):
                return True
    return False


def find(messages: Sequence[Message]) -> Entry | None:
    """Return the entry for the last user message, in the language it was asked in.

    A system message may ask for another of the course's languages. A text that is in the book is
    preferred to one that is like it; then an entry that fits the system message to one that fits
    an earlier question, and that to one that asks for neither.
    """
    book = course_book()
    known, lang, ignored = _rules(book, messages)
    systems = [*known, None]
    if not (found := _look_up(book, messages, systems)):
        return None
    entry, by_rule = found
    spoken = language_of([message.text for message in messages if message.role == "user"][-1])
    lang = lang or (spoken if spoken != "en" else entry.lang)  # English has the fewest signs
    if lang != entry.lang:
        entry = _filled(book.translations[entry.id, lang], entry.slots)
    if ignored and not by_rule:
        return entry._replace(note=book.notes["rule"][entry.lang].replace("{rule}", ignored))
    if _contradicted(book, messages, systems):
        return entry._replace(note=book.notes["history"][entry.lang])
    return entry


def _filled(entry: Entry, slots: Mapping[str, str]) -> Entry:
    """Return an entry with the values of its {slots}."""

    def fill(text: str) -> str:
        filled = re.sub(r"\{([a-z]+)\}", lambda slot: slots.get(slot[1], slot[0]), text)
        return GAP.sub(" ", filled) if entry.lang == "zh" and filled != text else filled

    def value(given: Any) -> Any:
        return int(slots["number"]) if given == "{number}" and "number" in slots else given

    calls = [(tool, {name: value(it) for name, it in given.items()}) for tool, given in entry.calls]
    others = [fill(text) for text in entry.others]
    answer, result = fill(entry.answer), fill(entry.result)
    return entry._replace(answer=answer, calls=calls, result=result, others=others, slots=slots)


def language_for(messages: Sequence[Message], text: str) -> str:
    """Return the language to answer `text` in: the one that the system message asks for, or its own."""
    return _rules(course_book(), messages)[1] or language_of(text)


def unknown(lang: str) -> str:
    """Return the reply to what the book does not know."""
    return course_book().unknown[lang]


def go_on(text: str) -> str:
    """Return how a text goes on."""
    book = course_book()
    return book.continuations.get(_key(text), book.unknown[language_of(text)])
