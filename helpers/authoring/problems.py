"""What is wrong with a source, a page or a catalogue, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: in which lesson and cell (their names), in which language, and what."""

    lesson: str
    cell: str
    lang: str
    what: str

    def __str__(self) -> str:
        where = [self.lesson, f"cell {self.cell!r}" if self.cell else "", self.lang]
        return ": ".join(filter(None, [", ".join(filter(None, where)), self.what]))
