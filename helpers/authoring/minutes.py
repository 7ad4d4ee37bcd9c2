"""How many minutes a lesson takes a reader: one rule for all lessons, from what they hold.

A minute for so many words of prose, the reading of each line of code and the running of each cell, and
what an exercise wants. The figures were fitted to how long readers needed who did all of lessons 00
to 08, exercises included (18, 42, 45, 33, 35, 28, 47, 57 and 62 minutes): in English the rule gives
these within an eighth. The speeds of the other languages make the three the same on average.
"""

from __future__ import annotations

import re

from helpers.authoring.source import SOLUTION, Lesson

WORDS = {"en": 170, "zh": 255, "fr": 190}  # a minute; in Chinese each Han character is a word
CODE_LINE = 0.2  # minutes
CELL = 0.2
FUNCTION, CHOICE = 3.0, 0.5  # an exercise that asks for a function, and any other
LONGEST = 35  # minutes that a lesson should not go beyond
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
WORD = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")


def minutes(lesson: Lesson, lang: str) -> int:
    """Return the length of a lesson in `lang`, in minutes."""
    taken = 0.0
    for cell in lesson.cells:
        if "." in cell.id:  # a text of an exercise, which few see
            continue
        text = cell.source(lang)
        if cell.kind == "markdown":
            taken += len(WORD.findall(FENCED.sub("", text))) / WORDS[lang]
            continue
        taken += CELL + CODE_LINE * sum(bool(line.strip()) for line in text.splitlines())
        if SOLUTION.search(cell.text["en"]):
            taken += FUNCTION if re.search(r"\bdef ", text) else CHOICE
    return round(taken)
