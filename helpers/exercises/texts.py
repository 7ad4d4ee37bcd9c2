"""What the lessons' sources say of their exercises: names, texts and model answers."""

from __future__ import annotations

import functools
import json
from pathlib import Path

from helpers.setup import ROOT

# The builder makes these from the sources. The last two, which hold right answers and nearly right
# ones, are not handed out with every copy.
TEXTS_FILE = Path(__file__).with_name("texts.json")
PREDICTIONS_FILE = Path(__file__).with_name("predictions.json")
SOLUTIONS_FILE = ROOT / "notebooks" / "source" / "solutions.json"
DRILLS_FILE = ROOT / "notebooks" / "source" / "drills.json"


@functools.cache
def all_texts() -> dict[str, dict[str, dict[str, str]]]:
    """Return the texts of all exercises, name -> key -> language -> text."""
    texts: dict[str, dict[str, dict[str, str]]] = json.loads(TEXTS_FILE.read_text(encoding="utf-8"))
    return texts


@functools.cache
def predictions() -> dict[str, dict[str, str]]:
    """Return what to look for once a cell has run, by the cell's name ("04-stream/add-up") and language."""
    found: dict[str, dict[str, str]] = json.loads(PREDICTIONS_FILE.read_text(encoding="utf-8"))
    return found


def lessons() -> list[str]:
    """Return the names of the lessons that have exercises, in their order."""
    return sorted({name.partition("/")[0] for name in all_texts()})


def solution_code(name: str, lang: str) -> str | None:
    """Return the model answer to the exercise `name`, None where no solutions were handed out."""
    try:
        solutions = json.loads(SOLUTIONS_FILE.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return str(solutions[name][lang])


def drills() -> dict[str, dict[str, dict[str, str]]] | None:
    """Return the mistakes to drill, exercise -> key -> language -> code; None where none were handed out.

    A key is that of a message, with a number behind a dot where there are several of one kind.
    """
    try:
        found: dict[str, dict[str, dict[str, str]]] = json.loads(DRILLS_FILE.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return found
