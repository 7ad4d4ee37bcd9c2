"""Finds the known wordings that a text is close to: rare words count most, typing errors little."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Collection, Iterable

ENOUGH = 0.73  # likeness, from 0 to 1, from which on two texts are taken to say the same
SHARED = 0.6  # how much of either text the other must have too
MAX_WORDS = 60  # of a text that is looked at
MISTYPED = 0.8  # likeness of two words, as difflib has it, one of which is the other mistyped
UNKNOWN = 1.3  # how much more than the rarest word one counts that is in no known text
LIGHT = 0.15  # how much a word counts that says nothing of what a question is about

_HAN = "\u3400-\u9fff"
# A number, a run of Han characters, or a word: "l'avion" and "what's" are two.
_IS_HAN = re.compile(f"[{_HAN}]")
_WORD = re.compile(rf"¤|\d+|[{_HAN}]+|[^\W\d_{_HAN}]+")


def plain(text: str) -> str:
    """Return `text` in small letters without accents, as names of functions are written."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in letters if unicodedata.category(char) != "Mn")


def words(text: str) -> list[str]:
    """Return the words of a text, and of Chinese, which has no spaces, each character and pair."""
    found = []
    for word in _WORD.findall(plain(text)):
        han = _IS_HAN.match(word)
        found += [*word, *map("".join, zip(word, word[1:], strict=False))] if han else [word]
    return found


class Wordings:
    """Known texts: each with its field and its key; `light` are words that count little."""

    def __init__(self, texts: Iterable[tuple[str, str, str]], light: Collection[str]) -> None:
        self.keys: list[tuple[str, str]] = []
        self.places: dict[str, list[int]] = {}  # of the texts in which a word is
        found = []
        for place, (field, key, text) in enumerate(texts):
            self.keys.append((field, key))
            found.append(set(words(text)))
            for word in found[-1]:
                self.places.setdefault(word, []).append(place)
        self.light = set(light)
        self.rarest = math.log(1 + len(found))
        self.long = [word for word in {*self.places, *self.light} if len(word) > 3]
        self.sizes = [sum(map(self.weight, text)) for text in found]

    def weight(self, word: str) -> float:
        """Return how much a word says; a Han character is in three of them, so each says less."""
        if word in self.light:
            return LIGHT
        known = self.places.get(word)
        weight = self.rarest - math.log(len(known)) if known else UNKNOWN * self.rarest
        if not _IS_HAN.match(word):
            return weight
        return LIGHT if set(word) & self.light else weight / 2

    def mended(self, word: str) -> str:
        """Return the known word that `word` is when it is typed right, or else `word`."""
        if len(word) < 4 or word in self.places or word in self.light or _IS_HAN.match(word):
            return word
        near = [one for one in self.long if one[0] == word[0] and abs(len(one) - len(word)) < 3]
        return next(iter(difflib.get_close_matches(word, near, 1, MISTYPED)), word)

    def near(self, text: str, field: str) -> list[str]:
        """Return the keys of the texts that are close enough to `text`, the closest first."""
        found = words(text)
        if len(found) > MAX_WORDS:
            return []
        asked = {word: self.weight(word) for word in map(self.mended, found)}
        size = sum(asked.values())
        common: dict[int, float] = {}
        for word, weight in asked.items():
            for place in self.places.get(word, ()):
                common[place] = common.get(place, 0) + weight
        likeness: dict[str, float] = {}
        for place, weight in common.items():
            found_in, key = self.keys[place]
            if found_in == field and weight > SHARED * max(size, self.sizes[place]):
                alike = 2 * weight / (size + self.sizes[place])
                likeness[key] = max(alike, likeness.get(key, 0))
        ranked = sorted(likeness, key=lambda key: -likeness[key])
        return [key for key in ranked if likeness[key] >= ENOUGH]
