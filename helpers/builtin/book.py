"""The built-in model's prepared answers: finds the one to a conversation."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from helpers.builtin.likeness import words
from helpers.builtin.reading import ANYTHING, SLOT, Book, Entry, load, normalise, put

MAX_ASKED = 1000  # characters of what the book is asked for
MAX_FITTED = 300  # of what is held against patterns, which take long for long texts
MAX_QUOTED = 100  # of a rule that is not followed
MAX_EARLIER = 10  # of the questions before the last one

# Short words that a question in one of the languages can hardly do without.
_FRENCH = set(
    re.findall(
        r"\w+",
        "au aux avec calcule calculez bonjour ce cette combien comment dans de des du elle en est et fois font il je la le les ma "
        "mon ne nous où par pas pour pourquoi quand que quel quelle qui quoi salut son stp sur svp tu un une vous",
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


# "1 024" and "1,024" are one number.
THOUSANDS = re.compile(r"(?<!\d)(?<!\d[ ,])([1-9])[ ,\u00a0\u202f](\d{3})(?![ ,]?\d)")


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


def _spoken(messages: Sequence[Message]) -> str:
    """Guess which language the user's last message is in, or the ones before it where it has no words."""
    said = [message.text for message in messages if message.role != "tool"]
    last = max((place for place, it in enumerate(messages) if it.role == "user"), default=-1)
    before = [message.text for message in messages[: last + 1]] or said
    return language_of(
        next((text for text in reversed(before) if re.search(r"[^\W\d_]", text)), "")
    )


def _key(text: str) -> str:
    """Return what to look up: nothing for a long text, which Unicode's normal form can take minutes for."""
    return normalise(text) if len(text) <= MAX_ASKED else ""


Reading = tuple[str, dict[str, str]]  # a text that the book may know, and the values of its slots


def _readings(book: Book, text: str, field: str) -> Iterator[Reading]:
    """Yield what a text may be read as: itself, with slots for numbers or names, one alike, a pattern."""
    if len(text) > MAX_ASKED:
        return
    yield normalise(text), {}
    text = THOUSANDS.sub(r"\1\2", text)
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


def _takes_number(entry: Entry) -> bool:
    """Say whether a call of the entry takes a number from the question."""
    return any("{number}" in given.values() for _tool, given in entry.calls)


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
            entry = book.entries.get((question, system, earlier))
            values = {**more, **slots}
            if entry and ("number" in values or not _takes_number(entry)):
                return _filled(entry, values), system is not None
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
    spoken = _spoken(messages)
    asked = [message.text for message in messages if message.role == "user"][-1]
    if not re.search(r"[^\W\d_]", asked):
        lang = lang or spoken
    lang = lang or (spoken if spoken != "en" else entry.lang)  # English has the fewest signs
    if lang != entry.lang:
        entry = _filled(book.translations[entry.id, lang], entry.slots)
    entry = _for_each_number(book, entry, THOUSANDS.sub(r"\1\2", asked[:MAX_ASKED]))
    if ignored and not by_rule:
        return entry._replace(
            note=put(r"\{(rule)\}", book.notes["rule"][entry.lang], {"rule": ignored})
        )
    if _contradicted(book, messages, systems):
        return entry._replace(note=book.notes["history"][entry.lang])
    return entry


def _filled(entry: Entry, slots: Mapping[str, str]) -> Entry:
    """Return an entry with the values of its {slots}."""

    def fill(text: str) -> str:
        filled = put(r"\{([a-z]+)\}", text, slots)
        return GAP.sub(" ", filled) if entry.lang == "zh" and filled != text else filled

    def value(given: Any) -> Any:
        return int(slots["number"]) if given == "{number}" and "number" in slots else given

    calls = [(tool, {name: value(it) for name, it in given.items()}) for tool, given in entry.calls]
    others = [fill(text) for text in entry.others]
    answer, result = fill(entry.answer), fill(entry.result)
    return entry._replace(answer=answer, calls=calls, result=result, others=others, slots=slots)


def _for_each_number(book: Book, entry: Entry, asked: str) -> Entry:
    """Return an entry that makes its call for each number, of those as long as the one it has."""
    number = entry.slots.get("number", "")
    alike = [one for one in dict.fromkeys(re.findall(r"\d+", asked)) if len(one) == len(number)]
    if len(entry.calls) != 1 or number not in alike or len(alike) == 1:
        return entry
    plain = book.translations[entry.id, entry.lang]
    each = [_filled(plain, {**entry.slots, "number": one}) for one in alike]
    results = [one.result.replace("{0}", f"{{{place}}}") for place, one in enumerate(each)]
    calls = [call for one in each for call in one.calls]
    return entry._replace(calls=calls, result="\n".join(results))


def language_for(messages: Sequence[Message], text: str) -> str:
    """Return the language to answer `text` in: the one that the system message asks for, or its own."""
    return _rules(course_book(), messages)[1] or _spoken(messages)


def at_a_loss(messages: Sequence[Message], lang: str) -> str:
    """Return the reply to what the book does not know, which may be in a role that it has to play."""
    book = course_book()
    for system in _rules(book, messages)[0]:
        if entry := book.entries.get((ANYTHING, system, None)):
            return book.translations[entry.id, lang].answer
    return book.unknown[lang]


def unknown(lang: str) -> str:
    """Return the reply to what the book does not know."""
    return course_book().unknown[lang]


def go_on(text: str) -> str:
    """Return how a text goes on."""
    book = course_book()
    return book.continuations.get(_key(text), book.unknown[language_of(text)])
