"""How many wordings of beginners the built-in model understands, and what it does not mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from helpers.builtin import book, reading
from helpers.builtin.book import Message

WORDINGS: Any = yaml.load(
    Path(__file__).with_name("wordings.yaml").read_text(encoding="utf-8"), Loader=reading.LOADER
)
# Entries that say the same.
SAME = {"desk-order": "desk-any-order", "product-other": "sum-other"}


def found(question: str) -> tuple[str, str] | None:
    """Return which entry answers, and in which language; of a table, the entry of all its rows."""
    entry = book.find([Message("user", question)])
    if entry is None:
        return None
    name = entry.id.split()[0]
    return SAME.get(name, name), entry.lang


def test_nearly_all_wordings_of_beginners_are_met() -> None:
    asked = [
        (question, (name, lang))
        for lang, entries in WORDINGS["met"].items()
        for name, questions in entries.items()
        for question in questions
    ]
    missed = [question for question, expected in asked if found(question) != expected]
    assert len(asked) >= 300
    assert len(missed) <= len(asked) * 0.03, missed


def test_none_that_merely_looks_alike_is_met() -> None:
    asked = [question for questions in WORDINGS["unlike"].values() for question in questions]
    assert len(asked) >= 100
    assert {question: found(question) for question in asked if found(question)} == {}
