"""Makes what lesson 15 trains a network on: plain text and dialogues of a shop, in three languages."""

from __future__ import annotations

import functools
import itertools
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

LANGUAGES = ("en", "zh", "fr")
CHOICE = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
# Marks of Chinese have no space beside them.
GAP = re.compile(r"(?<=[，。？！：、])\s+|\s+(?=[，。？！：、])|^\s+|\s+$")


class Dialogue(NamedTuple):
    """A conversation that ends with a reply; `number` is the one that this reply has to repeat."""

    language: str
    intent: str
    messages: list[dict[str, str]]
    number: str | None


@functools.cache
def book() -> Any:
    """Return what shop.yaml says."""
    return yaml.safe_load(Path(__file__).with_name("shop.yaml").read_text(encoding="utf-8"))


def intents() -> list[str]:
    """Return the names of what a customer can want."""
    return list(book()["wordings"]["en"])


def wordings(language: str, intent: str, part: str) -> list[str]:
    """Return the patterns of one list; `part` is known, validation, test or text."""
    lines: list[str] = book()["wordings"][language][intent][part].splitlines()
    return lines


def variants(pattern: str) -> Iterator[str]:
    """Yield all that a pattern can say, its {slots} still empty."""
    fixed, options, end = [], [], 0
    for found in CHOICE.finditer(pattern):
        fixed.append(pattern[end : found.start()])
        options.append(found[1].split("|") if found[2] is None else ["", *found[2].split("|")])
        end = found.end()
    for chosen in itertools.product(*options):
        yield "".join(map("".join, zip(fixed, chosen, strict=True))) + pattern[end:]


def say(language: str, pattern: str, rng: random.Random) -> str:
    """Return one of the things that a pattern can say, its {slots} still empty."""
    said = CHOICE.sub(
        lambda found: rng.choice(
            found[1].split("|") if found[2] is None else ["", *found[2].split("|")]
        ),
        pattern,
    )
    return GAP.sub("", said) if language == "zh" else said


def slots(language: str, product: dict[str, Any], number: str) -> dict[str, str]:
    """Return what the {slots} stand for."""
    return {
        "n": number,
        "p": product[language],
        "e": str(product["price"]),
        "o": product["origin"][language],
    }


def sentence(text: str) -> str:
    """Return a text with a capital letter at its beginning."""
    return text[0].upper() + text[1:]


def number_from(rng: random.Random) -> str:
    """Return a number of four digits."""
    return str(rng.randrange(1000, 10000))


# The plain text


def page(language: str, intent: str, rng: random.Random) -> str:
    """Return two sentences about a subject and two that customers say of it, in any order."""
    filled = slots(language, rng.choice(book()["products"]), number_from(rng))
    chosen = rng.sample(wordings(language, intent, "text"), 2)
    chosen += rng.sample(wordings(language, intent, "known"), 2)
    rng.shuffle(chosen)
    said = [sentence(say(language, line, rng).format(**filled)) for line in chosen]
    return ("" if language == "zh" else " ").join(said)


def register(language: str, rng: random.Random) -> str:
    """Return lines of the shop's register, which repeat a number under one heading after another."""
    number = number_from(rng)
    headings = rng.sample(book()["register"][language].split("|"), rng.randint(5, 8))
    comma, stop = (" ，", " 。") if language == "zh" else (", ", ". ")
    if rng.random() < 0.6:
        headings = [heading[0].lower() + heading[1:] for heading in headings]
        return sentence(comma.join(f"{heading} {number}" for heading in headings)) + stop.strip()
    return "".join(f"{heading} {number}{stop}" for heading in headings).strip()


def catalogue(language: str, rng: random.Random) -> str:
    """Return the shop's catalogue, which says where each product is made, in any order."""
    products = rng.sample(book()["products"], len(book()["products"]))
    line = book()["catalogue"][language]
    said = [sentence(line.format(**slots(language, product, ""))) for product in products]
    return ("" if language == "zh" else " ").join(said)


def registers(count: int, seed: int) -> list[str]:
    """Return `count` pieces of the register in each language."""
    rng = random.Random(f"register {seed}")
    return [register(language, rng) for _ in range(count) for language in LANGUAGES]


def texts(count: int, seed: int) -> list[str]:
    """Return plain text in each language, mixed.

    It is `count` pages, half as many pieces of the register and a twentieth as many catalogues.
    """
    rng = random.Random(f"text {seed}")
    subjects = list(itertools.islice(itertools.cycle(intents()), count))
    found = registers(count // 2, seed)
    for language in LANGUAGES:
        found += [page(language, intent, rng) for intent in subjects]
        found += [catalogue(language, rng) for _ in range(count // 20)]
    rng.shuffle(found)
    return found


# The dialogues


class Wordings(dict[tuple[str, str, str], Iterator[str]]):
    """The patterns of each list, (language, intent, part), mixed: each of them once before any again."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def __missing__(self, key: tuple[str, str, str]) -> Iterator[str]:
        lines = wordings(*key)
        rounds = (line for _ in itertools.count() for line in self.rng.sample(lines, len(lines)))
        return self.setdefault(key, rounds)


def exchange(
    language: str, intent: str, part: str, mixed: Wordings
) -> list[tuple[str, str, str | None]]:
    """Return (question, reply, number in the reply): one turn, two where a number must be asked for."""
    rng = mixed.rng
    filled = slots(language, rng.choice(book()["products"][:-1]), number_from(rng))
    pattern = say(language, next(mixed[language, intent, part]), rng)
    question = careless(sentence(pattern.format(**filled)), rng)
    replies = book()["wordings"][language][intent]["replies"]
    if "reply" in replies:
        return [(question, replies["reply"].format(**filled), None)]
    full = (replies["number"].format(**filled), filled["n"])
    if "{n}" in pattern:
        return [(question, *full)]
    asked: list[tuple[str, str, str | None]] = [(question, replies["ask"], None)]
    if rng.random() < 0.5:
        given = rng.choice(book()["numbers"][language]).format(**filled)
        asked.append((given, *full))
    return asked


def careless(text: str, rng: random.Random) -> str:
    """Return a text as people type it: now and then without its full stop or without capitals."""
    if rng.random() < 0.15:
        text = text.rstrip(".。")
    return text.lower() if rng.random() < 0.1 else text


def dialogue(
    language: str, intent: str, part: str, mixed: Wordings, thanks: float, history: float
) -> Dialogue:
    """Return a dialogue that ends with a question of this intent, worded as in this part."""
    turns = []
    if mixed.rng.random() < history:
        turns += exchange(language, mixed.rng.choice(intents()), "known", mixed)
    turns += exchange(language, intent, part, mixed)
    if mixed.rng.random() < thanks:
        turns += exchange(language, "thanks", "known", mixed)
    messages = []
    for question, reply, _ in turns:
        messages += [
            {"role": "user", "content": question},
            {"role": "assistant", "content": reply},
        ]
    return Dialogue(language, intent, messages, turns[-1][2])


def dialogues(
    part: str, count: int, seed: int, thanks: float = 0.0, history: float = 0.3
) -> list[Dialogue]:
    """Return `count` dialogues in each language, the intents in turn, and of each the wordings.

    `part` is known, validation or test: which wordings the last question is taken from. A share
    `history` of them has another exchange before it, and a share `thanks` ends with thanks instead.
    """
    mixed = Wordings(random.Random(f"{part} {seed}"))
    return [
        dialogue(language, intent, part, mixed, thanks, history)
        for intent in itertools.islice(itertools.cycle(intents()), count)
        for language in LANGUAGES
    ]


@functools.cache
def shapes() -> list[tuple[str, str, re.Pattern[str]]]:
    """Return (intent, kind of reply, what such a reply looks like) of all replies."""
    return [
        (intent, kind, re.compile(re.sub(r"\\{[npe]\\}", ".+", re.escape(reply))))
        for language in LANGUAGES
        for intent in intents()
        for kind, reply in book()["wordings"][language][intent]["replies"].items()
    ]


def intent_of(reply: str) -> str | None:
    """Return the intent that a reply answers to, whatever its number or product; None for others.

    A reply that asks for a number first is an intent of its own, such as "refund number".
    """
    for intent, kind, shape in shapes():
        if shape.fullmatch(reply):
            return f"{intent} number" if kind == "ask" else intent
    return None
