"""Tests of helpers.authoring.rules: every way in which a lesson's source can be wrong is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.authoring import rules
from helpers.authoring.builder import header
from helpers.authoring.rules import skeleton
from helpers.authoring.source import read_lesson
from tests.authoring.birds import GOOD, TEXTS, broken, write


@pytest.mark.parametrize(
    ("old", "new", "cell", "lang", "says"),
    [
        ('{"id": "why", "lang": "en"}', '{"lang": "en"}', "number 4 of 01-birds.md", "en", "has no id"),
        (":id: call\n", "", "number 7 of 01-birds.md", "en", "has no id"),
        (":id: exercise", ":id: why", "why", "en", "stands 2 times"),
        (":id: exercise", ":id: next", "next", "en", "the links which the builder adds"),
        ('\n+++ {"lang": "zh", "of": "WHY"}\n\n## 为什么\n', "\n", "why", "zh", "is missing"),
        ('of": "WHY"}\n\n## 为', 'of": "0badbad0"}\n\n## 为', "why", "zh", "is stale"),
        ('of": "WHY"}\n\n## P', 'of": ""}\n\n## P', "why", "fr", "is not yet stamped"),
        ('fr: "CALL"', 'fr: "0badbad0"', "call", "fr", "is stale"),
        (', fr: "CALL"', "", "call", "fr", "is not yet stamped"),
        ('{"lang": "fr", "of": "WHY"}', '{"id": "x", "lang": "fr", "of": "WHY"}', "x", "fr", "orphan"),
        ('{"lang": "fr", "of": "WHY"}', '{"lang": "zh", "of": "WHY"}', "why", "zh", "twice"),
        ('{"lang": "fr", "of": "WHY"}', '{"lang": "de", "of": "WHY"}', "why", "de", "languages are"),
        ('"of": "WHY"}\n\n## P', '"of": "WHY", "tags": ["x"]}\n\n## P', "why", "fr", "has tags"),
        ('"of": "WHY"}\n\n## P', '"of": "WHY", "colour": 1}\n\n## P', "why", "fr", "metadata"),
        ("## 为什么\n\n按照[指南](https://example.org/)调用", "## Why\n\n[Call](https://example.org/)", "why", "zh", "no Han"),
        ("调用 `sing`", "调用sing", "why", "zh", "differs in inline code"),
        ("学完之后，", "学完之后,", "title", "zh", "half-width punctuation"),
        ("你会认鸟", "你会认bird", "title", "zh", "no space between Han and Latin"),
        ("## Pourquoi\n\nAppelez `sing` comme le dit le [guide](https://example.org/).", "## Why\n\nCall `sing` as the [guide](https://example.org/) says.", "why", "fr", "is the same as the English"),
        ("[guide](https://example.org/).\n\n```", "[guide](https://example.com/).\n\n```", "why", "fr", "differs in links"),
        ("le [guide](https://example.org/)", "le guide", "why", "fr", "differs in links"),
        ("## Pourquoi", "### Pourquoi", "why", "fr", "differs in headings"),
        ("le [guide](https://example.org/).", "le [guide](https://example.org/).\n\n~~~text\nx\n~~~", "why", "fr", "differs in fenced"),
        ("## Why", "# Why", "why", "en", "level 1"),
        ("# Birds\n\nYou", "# Birds\nYou", "title", "en", "must be"),
        ('{"id": "title", "lang": "en"}', '{"id": "head", "lang": "en"}', "title", "en", "first cell"),
        ("training: false", "sheet: 1", "title", "en", "`sheet:` is true or"),
        ('bird = "perroquet"  # @fr', "bird = parrot  # @fr", "call", "fr", "another program"),
        ('bird = "perroquet"  # @fr\n', "", "call", "fr", "no line marked"),
        ('bird = "perroquet"  # @fr\n', 'bird = "perroquet"  # @fr\nmore = 1  # @fr\n', "call", "fr", "another program"),
        ('bird = "perroquet"  # @fr', 'bird = "perroquet  # @fr', "call", "fr", "is not Python"),
        ('"perroquet"  # @fr', '"perroquet"  # @fr\nx = 1  # @de', "call", "de", "languages are"),
        ("    ### END SOLUTION\n", "", "exercise", "en", "do not pair up"),
    ],
)  # fmt: skip
def test_each_problem_names_lesson_cell_and_language(
    tmp_path: Path, old: str, new: str, cell: str, lang: str, says: str
) -> None:
    problems = rules.check(broken(tmp_path, old, new))
    assert any((p.cell, p.lang) == (cell, lang) and says in p.what for p in problems), problems
    assert {p.lesson for p in problems} == {"01-birds"}


def test_a_sheet_has_no_length(tmp_path: Path) -> None:
    lesson = broken(tmp_path, "training: false", "sheet: true")
    assert (rules.check(lesson), lesson.sheet) == ([], True)
    assert "To look things up · " in header(lesson, "en", None, None)


def test_a_changed_english_text_makes_both_translations_stale(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_text(
        path.read_text(encoding="utf-8").replace("Call `sing`", "Now call `sing`"), "utf-8"
    )
    stale = rules.check(read_lesson(path))
    assert [(p.cell, p.lang) for p in stale] == [("why", "zh"), ("why", "fr")]
    for p in stale:
        assert "is stale" in p.what and "-m helpers translated 01-birds why" in p.what


def test_a_translation_without_a_stamp_is_not_called_stale(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r', "of": "\w+"', "", text), "utf-8")
    problems = rules.check(read_lesson(path))
    assert {(p.cell, p.lang) for p in problems} == {
        (cell, lang) for cell in ("title", "why") for lang in ("zh", "fr")
    }
    assert all("is not yet stamped" in p.what for p in problems)


def test_a_text_of_no_exercise_is_an_orphan(tmp_path: Path) -> None:
    path = write(
        tmp_path, GOOD, TEXTS.replace("exercise.", "nothing.").replace("EXERCISE", "NOTHING")
    )
    found = {(p.cell, p.lang): p.what for p in rules.check(read_lesson(path))}
    assert set(found) == {("nothing.correct", "en"), ("nothing.wrong.none", "en")}
    assert all(what.startswith("belongs to an exercise, but no") for what in found.values())


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("print('a')", "print('b')", True),
        ("# a\nx = 1", "x = 1  # b", True),
        ("f'{a} of {b}'", "f'{b}: {a}'", True),
        ("f'{a} of {b}'", "f'{a} of {a}'", False),
        ("x = 1", "x = 2", False),
        ("f(x='a')", "f(y='a')", False),
        ("await f()", "await f()", True),
    ],
)
def test_programs_are_compared_beyond_strings_and_comments(
    one: str, other: str, same: bool
) -> None:
    assert (skeleton(one) == skeleton(other)) is same


def prose(ident: str) -> str:
    """Return a prose cell in three languages."""
    texts = {"en": "Sings loudly", "zh": "唱得很响", "fr": "Chante fort"}
    cells = (
        f'+++ {{"lang": "{lang}", "of": "{ident.upper()}"}}\n\n{text}\n'
        for lang, text in texts.items()
    )
    head = f'"id": "{ident}", "lang": "en"'
    return "\n" + "\n".join(cells).replace(f'"lang": "en", "of": "{ident.upper()}"', head)


@pytest.mark.parametrize("label", ["loud", "loud.2"])
def test_each_mistake_needs_a_name(tmp_path: Path, label: str) -> None:
    """Unless it is one that all exercises know, a letter, or one that no judge recognizes."""
    texts = TEXTS.replace("wrong.none", f"wrong.{label}")
    (problem,) = rules.check(read_lesson(write(tmp_path, GOOD, texts)))
    assert problem.cell == f"exercise.wrong.{label}" and "'exercise.loud.name'" in problem.what
    named = texts + prose("exercise.loud.name")
    assert rules.check(read_lesson(write(tmp_path, GOOD, named))) == []
    for other in ("b", "other.2", "choices"):
        texts = TEXTS.replace("wrong.none", f"wrong.{other}")
        assert rules.check(read_lesson(write(tmp_path, GOOD, texts))) == []


ASKS = '```{code-cell} python\n:id: call-predict\n\npredict("01-birds/call")\n```\n\n'
CALL = "```{code-cell} python\n:id: call\n"


@pytest.mark.parametrize(
    ("good", "told", "says"),
    [
        (GOOD.replace(CALL, ASKS + CALL), "call", ""),
        (GOOD.replace(CALL, ASKS + CALL), "", "needs to say what to look for"),
        (GOOD, "call", "no cell asks for this prediction"),
        (GOOD.replace(CALL, ASKS.replace("/call", "/x") + CALL), "call", 'must call predict("01'),
        (GOOD + "\n" + ASKS, "", "of a cell that does not come next"),
    ],
)
def test_a_prediction_is_asked_for_right_before_its_cell(
    tmp_path: Path, good: str, told: str, says: str
) -> None:
    texts = TEXTS + (prose(f"{told}.predict") if told else "")
    problems = rules.check(read_lesson(write(tmp_path, good, texts)))
    assert len(problems) == bool(says) and all(says in problem.what for problem in problems), (
        problems
    )
