"""Tests of helpers.authoring.source: the two files of a lesson, its cells, its stamps."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.authoring import rules, source
from helpers.authoring.source import (
    SourceError,
    files,
    lesson_paths,
    read_head,
    read_lesson,
    restamp,
)
from helpers.i18n import LANGUAGES
from helpers.i18n.typography import typeset_french
from tests.authoring.birds import GOOD, TEXTS, broken, write


def test_a_lesson_is_read_from_its_two_files(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, TEXTS)
    lesson = read_lesson(path)
    assert rules.check(lesson) == []
    assert (lesson.name, lesson.number, lesson.minutes) == ("01-birds", "01", 5)
    assert [lesson.title(lang) for lang in LANGUAGES] == ["Birds", "鸟", "Les oiseaux"]
    shown = ["title", "why", "call", "exercise"]
    hidden = ["exercise.correct", "exercise.wrong.silent"]
    assert [cell.id for cell in lesson.cells] == shown + hidden
    assert files(path) == [path, tmp_path / "01-birds.exercises.md"]
    assert [cell.file for cell in lesson.cells] == [files(path)[0]] * 4 + [files(path)[1]] * 2


def test_a_lesson_without_a_file_for_exercises_is_read_from_one(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    lesson = read_lesson(path)
    assert files(path) == [path] and rules.check(lesson) == []
    assert [cell.id for cell in lesson.cells] == ["title", "why", "call", "exercise"]


def test_a_cell_in_the_other_file_is_told_where_it_belongs(tmp_path: Path) -> None:
    head, _, cells = TEXTS.partition("\n\n")
    code = "\n```{code-cell} python\n:id: perch\n\n1\n```\n"
    lesson = read_lesson(write(tmp_path, GOOD + cells, f"{head}\n{code}"))
    assert [(p.cell, p.lang, p.what) for p in lesson.problems] == [
        (cell, "en", "stands in 01-birds.md and belongs into 01-birds.exercises.md")
        for cell in ("exercise.correct", "exercise.wrong.silent")
    ] + [("perch", "en", "stands in 01-birds.exercises.md and belongs into 01-birds.md")]


def test_a_translation_at_the_start_of_the_second_file_is_not_one_of_the_firsts_end(
    tmp_path: Path,
) -> None:
    prose = '\n+++ {"id": "end", "lang": "en"}\n\nEnd.\n'
    french = '+++ {"lang": "fr", "of": "x"}\n\nFin.\n'
    (problem,) = read_lesson(write(tmp_path, GOOD + prose, french)).problems
    assert problem.cell == "number 1 of 01-birds.exercises.md" and "is an orphan" in problem.what


def test_a_lesson_that_trains_says_so_in_its_head(tmp_path: Path) -> None:
    assert read_lesson(write(tmp_path, GOOD)).training is False
    lesson = broken(tmp_path, "minutes: 5", "minutes: 5\ntraining: true")
    assert lesson.training is True and lesson.problems == []
    (problem,) = broken(tmp_path, "minutes: 5", "minutes: 5\ntraining: torch").problems
    assert "`training:` is true" in problem.what


def test_the_head_alone_is_read_without_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("minutes: 5", "minutes: 5\ntraining: true"))
    assert read_head(path) == {"minutes": 5, "training": True}
    path.write_text("# Birds\n\n---\n", encoding="utf-8")
    assert read_head(path) == {}


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    "text",
    ["```{code-cell} python\n:id: [\n\n1\n```\n", "---\nkernelspec: 1\n---\n", "---\na: [\n---\n"],
)
def test_a_file_that_is_no_lesson_is_one_problem(tmp_path: Path, text: str, number: int) -> None:
    file = files(write(tmp_path, GOOD, TEXTS))[number]
    file.write_text(text, encoding="utf-8")
    (problem,) = read_lesson(tmp_path / "01-birds.md").problems
    assert (problem.lesson, problem.cell, problem.lang) == ("01-birds", "", "")
    assert problem.what.startswith(f"{file.name} cannot be read as MyST Markdown: ")


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


def test_a_copy_without_sources_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "SOURCE", tmp_path)
    for names in ([], ["01"]):
        with pytest.raises(SourceError, match="this copy has no sources"):
            lesson_paths(names)
