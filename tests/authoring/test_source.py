"""Tests of helpers.source: every way in which a lesson's source can be wrong is named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from helpers.authoring import source
from helpers.authoring.builder import header
from helpers.authoring.source import (
    Lesson,
    SourceError,
    lesson_paths,
    read_lesson,
    restamp,
    skeleton,
)
from helpers.i18n import LANGUAGES
from helpers.i18n.typography import typeset_french

GOOD = """---
minutes: 5
---

+++ {"id": "title", "lang": "en"}

# Birds

You can tell birds apart.

+++ {"lang": "zh", "of": "TITLE"}

# 鸟

学完之后，你会认鸟。

+++ {"lang": "fr", "of": "TITLE"}

# Les oiseaux

Vous savez reconnaître les oiseaux.

+++ {"id": "why", "lang": "en"}

## Why

Call `sing` as the [guide](https://example.org/) says.

+++ {"lang": "zh", "of": "WHY"}

## 为什么

按照[指南](https://example.org/)调用 `sing`。

+++ {"lang": "fr", "of": "WHY"}

## Pourquoi

Appelez `sing` comme le dit le [guide](https://example.org/).

```{code-cell} python
:id: call
:of: {zh: "CALL", fr: "CALL"}

bird = "parrot"  # @en
bird = "鹦鹉"  # @zh
bird = "perroquet"  # @fr
print(f"{bird}: {len(bird)}")
```

```{code-cell} python
:id: exercise

def sing(bird):
    ### BEGIN SOLUTION
    return bird.upper()
    ### END SOLUTION


song = ...
### BEGIN SOLUTION
song = sing(bird)
### END SOLUTION
```
"""


def write(folder: Path, text: str) -> Path:
    """Write a lesson with correct stamps; return its path."""
    path = folder / "01-birds.md"
    path.write_text(text, encoding="utf-8")
    stamps = {cell.id.upper(): cell.stamp() for cell in read_lesson(path).cells}
    for name in ("TITLE", "WHY", "CALL", "EXERCISE.CORRECT", "NOTHING.CORRECT"):
        text = text.replace(f'"{name}"', f'"{stamps.get(name, name)}"')
    path.write_text(text, encoding="utf-8")
    return path


def broken(folder: Path, old: str, new: str) -> Lesson:
    assert old in GOOD
    return read_lesson(write(folder, GOOD.replace(old, new)))


def test_a_lesson_that_trains_says_so_in_its_head(tmp_path: Path) -> None:
    assert read_lesson(write(tmp_path, GOOD)).training is False
    lesson = broken(tmp_path, "minutes: 5", "minutes: 5\ntraining: true")
    assert lesson.training is True and lesson.problems == []
    (problem,) = broken(tmp_path, "minutes: 5", "minutes: 5\ntraining: torch").problems
    assert "`training:` is true" in problem


def test_a_good_source_has_no_problem(tmp_path: Path) -> None:
    lesson = read_lesson(write(tmp_path, GOOD))
    assert lesson.problems == []
    assert (lesson.name, lesson.number, lesson.minutes) == ("01-birds", "01", 5)
    assert [lesson.title(lang) for lang in LANGUAGES] == ["Birds", "鸟", "Les oiseaux"]
    assert [cell.id for cell in lesson.cells] == ["title", "why", "call", "exercise"]


@pytest.mark.parametrize(
    ("old", "new", "cell", "lang", "says"),
    [
        ('{"id": "why", "lang": "en"}', '{"lang": "en"}', "number 4", "en", "has no id"),
        (":id: call\n", "", "number 7", "en", "has no id"),
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
        ("minutes: 5", "hours: 1", "title", "en", "minutes"),
        ("minutes: 5", "minutes: 5\nsheet: true", "title", "en", "or `sheet: true`"),
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
    problems = broken(tmp_path, old, new).problems
    start = f"01-birds, cell {cell!r}, {lang}: "
    assert any(p.startswith(start) and says in p for p in problems), problems


def test_a_sheet_has_no_length(tmp_path: Path) -> None:
    lesson = broken(tmp_path, "minutes: 5", "sheet: true")
    assert (lesson.problems, lesson.minutes) == ([], None)
    assert "To look things up · " in header(lesson, "en", None, None)


def test_a_changed_english_text_makes_both_translations_stale(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_text(
        path.read_text(encoding="utf-8").replace("Call `sing`", "Now call `sing`"), "utf-8"
    )
    stale = read_lesson(path).problems
    assert [p.split(":")[0] for p in stale] == [
        f"01-birds, cell 'why', {lang}" for lang in ("zh", "fr")
    ]
    assert all("is stale" in p and "-m helpers translated 01-birds why" in p for p in stale)


def test_a_translation_without_a_stamp_is_not_called_stale(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r', "of": "\w+"', "", text), "utf-8")
    problems = read_lesson(path).problems
    prose = [problem for problem in problems if "cell 'call'" not in problem]
    assert prose and all("is not yet stamped" in problem for problem in prose)


def test_a_file_that_is_no_lesson_is_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "01-birds.md"
    path.write_text("```{code-cell} python\n:id: [\n\n1\n```\n", encoding="utf-8")
    (problem,) = read_lesson(path).problems
    assert problem.startswith("01-birds: the file cannot be read")


@pytest.mark.parametrize("cell", ["why", "call"])
@pytest.mark.parametrize("lang", ["zh", "fr"])
def test_restamp_changes_exactly_one_line(tmp_path: Path, cell: str, lang: str) -> None:
    path = tmp_path / "01-birds.md"
    path.write_text(GOOD, encoding="utf-8")
    found = next(c for c in read_lesson(path).cells if c.id == cell)
    before, after = GOOD.splitlines(), restamp(GOOD, found, lang).splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1 and found.stamp() in changed[0][1]
    assert changed[0][1].count(found.stamp()) == 1


def test_restamp_adds_the_first_stamp_of_a_code_cell(tmp_path: Path) -> None:
    text = GOOD.replace(':of: {zh: "CALL", fr: "CALL"}\n', "")
    path = tmp_path / "01-birds.md"
    path.write_text(text, encoding="utf-8")
    found = next(c for c in read_lesson(path).cells if c.id == "call")
    assert f':id: call\n:of: {{zh: "{found.stamp()}"}}\n' in restamp(text, found, "zh")


def test_restamp_of_a_missing_translation_says_so(tmp_path: Path) -> None:
    lesson = broken(tmp_path, '\n+++ {"lang": "zh", "of": "WHY"}\n\n## 为什么\n', "\n")
    with pytest.raises(SourceError, match="'why' has no text in 'zh'"):
        restamp((tmp_path / "01-birds.md").read_text("utf-8"), lesson.cells[1], "zh")


def test_each_language_gets_its_lines_and_stubs_stand_for_solutions(tmp_path: Path) -> None:
    call, exercise = read_lesson(write(tmp_path, GOOD)).cells[2:]
    assert call.source("zh") == 'bird = "鹦鹉"\nprint(f"{bird}: {len(bird)}")'
    assert exercise.source("en") == "def sing(bird):\n    ...\n\n\nsong = ..."
    solved = "def sing(bird):\n    return bird.upper()\n\n\nsong = sing(bird)"
    assert exercise.source("en", solution=True) == solved


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


def test_french_gets_its_no_break_spaces_outside_code() -> None:
    text = (
        "Voici : « oui » ! `a : b` ; un [lien](x) ? 95 %.\n\n```text\na : b\n```\n\n| --- | :-- |"
    )
    nbsp = "\u00a0"
    assert typeset_french(text) == (
        f"Voici{nbsp}: «{nbsp}oui{nbsp}»{nbsp}! `a : b`{nbsp}; un [lien](x){nbsp}? 95{nbsp}%."
        "\n\n```text\na : b\n```\n\n| --- | :-- |"
    )


def test_lessons_are_found_by_number_slug_and_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, GOOD)
    monkeypatch.setattr(source, "SOURCE", tmp_path)
    for name in ("01", "birds", "01-birds"):
        assert lesson_paths([name]) == [path]
    assert lesson_paths() == [path]
    with pytest.raises(SourceError, match="no lesson '02'.*01-birds"):
        lesson_paths(["02"])
