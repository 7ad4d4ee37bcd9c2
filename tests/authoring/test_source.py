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
    assert (lesson.name, lesson.number, lesson.sheet) == ("01-birds", "01", False)
    assert [lesson.title(lang) for lang in LANGUAGES] == ["Birds", "鸟", "Les oiseaux"]
    shown = ["title", "why", "call", "exercise"]
    hidden = ["exercise.correct", "exercise.wrong.none"]
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
        for cell in ("exercise.correct", "exercise.wrong.none")
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
    lesson = broken(tmp_path, "training: false", "training: true")
    assert lesson.training is True and lesson.problems == []
    (problem,) = broken(tmp_path, "training: false", "training: torch").problems
    assert "`training:` is true" in problem.what


def test_the_head_alone_is_read_without_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("training: false", "training: true"))
    assert read_head(path) == {"training": True}
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


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_other_line_ends_are_read_over(
    tmp_path: Path, number: int, ends: str
) -> None:
    path = write(tmp_path, GOOD.replace("training: false", "training: true"), TEXTS)
    file = files(path)[number]
    file.write_bytes(file.read_text("utf-8").replace("\n", ends).encode("utf-8-sig"))
    lesson = read_lesson(path)
    assert rules.check(lesson) == [] and len(lesson.cells) == 6
    assert read_head(path)["training"] is True


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize(
    ("character", "name"),
    [
        ("\u2028", "U+2028 (LINE SEPARATOR)"),
        ("\u2029", "U+2029 (PARAGRAPH SEPARATOR)"),
        ("\x85", "U+0085 (a control character)"),
        ("\x0b", "U+000B (a control character)"),
        ("\x0c", "U+000C (a control character)"),
        ("\x1c", "U+001C (a control character)"),
        ("\x00", "U+0000 (a control character)"),
        ("\u200b", "U+200B (ZERO WIDTH SPACE)"),
        ("\u200d", "U+200D (ZERO WIDTH JOINER)"),
        ("\u2060", "U+2060 (WORD JOINER)"),
        ("\u00ad", "U+00AD (SOFT HYPHEN)"),
        ("\u202e", "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("\ufeff", "U+FEFF (ZERO WIDTH NO-BREAK SPACE)"),
    ],
)
def test_an_invisible_character_is_named_with_its_line(
    tmp_path: Path, number: int, character: str, name: str
) -> None:
    file = files(write(tmp_path, GOOD, TEXTS))[number]
    lines = file.read_text("utf-8").split("\n")
    line = lines.index("# Birds" if number == 0 else "Well sung.")
    lines[line] += character
    file.write_text("\n".join(lines), "utf-8")
    (problem,) = read_lesson(tmp_path / "01-birds.md").problems
    assert str(problem) == (
        f"01-birds: line {line + 1} of {file.name} has an invisible {name}: take it out"
    )


def test_every_invisible_character_is_named_and_an_emoji_is_none(tmp_path: Path) -> None:
    lesson = broken(tmp_path, "You can tell", "You 👩‍🌾 🏴‍☠️ 🧑🏽‍🚀 can\u200b tell\u2028")
    assert [p.what.partition(" of ")[0] for p in lesson.problems] == ["line 9", "line 9"]


@pytest.mark.parametrize(
    "name",
    [
        "01-birds (1).md",
        "01-birds - Copy.md",
        "01-birds-Copy1.md",
        "01-nests.md",
        "01-birds.exercises (1).md",
    ],
)
def test_two_sources_of_one_number_are_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = write(tmp_path, GOOD, TEXTS)
    monkeypatch.setattr(source, "SOURCE", tmp_path)
    assert lesson_paths() == [path]
    (tmp_path / name).write_text(GOOD, "utf-8")
    (tmp_path / "02-nests.md").write_text(GOOD, "utf-8")
    with pytest.raises(SourceError, match="Two sources have the number 01: ") as refused:
        lesson_paths(["02"])
    assert name in str(refused.value) and "01-birds.md" in str(refused.value)


def test_exercises_of_no_lesson_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, GOOD, TEXTS)
    monkeypatch.setattr(source, "SOURCE", tmp_path)
    (tmp_path / "01-birds (1).exercises.md").write_text(TEXTS, "utf-8")
    with pytest.raises(SourceError, match=r"there is no 01-birds \(1\).md"):
        lesson_paths()


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


@pytest.mark.parametrize(
    ("text", "set_text"),
    [
        ("l'eau, aujourd'hui, L'Été, qu'à", "l’eau, aujourd’hui, L’Été, qu’à"),
        ("d'`invoke`, l'**eau**, qu'*un*", "d’`invoke`, l’**eau**, qu’*un*"),
        ("l'[API](https://x.org/l'eau)", "l’[API](https://x.org/l'eau)"),
        ("qu'« oui »", "qu’«\u00a0oui\u00a0»"),
        ("l'{name}, '{name}', l'10", "l’{name}, '{name}', l’10"),
        ("le mot 'pirate' et `d'ici`", "le mot 'pirate' et `d'ici`"),
        ("$f'(x)$ et l'$x$, $$l'x$$", "$f'(x)$ et l’$x$, $$l'x$$"),
        ("5 $ d'abord, 10 $ d'après", "5 $ d’abord, 10 $ d’après"),
        ("https://x.org/l'eau <i title='l'x'>l'eau</i>", "https://x.org/l'eau <i title='l'x'>l’eau</i>"),
        ("l'un\n\n```python\nx = l'y\n```\n\nl'autre", "l’un\n\n```python\nx = l'y\n```\n\nl’autre"),
        ("- l'un\n\n  ```\n  l'y\n  ```\n\n  l'autre", "- l’un\n\n  ```\n  l'y\n  ```\n\n  l’autre"),
    ],
)  # fmt: skip
def test_french_gets_its_apostrophes_outside_code(text: str, set_text: str) -> None:
    assert typeset_french(text) == set_text
    assert typeset_french(set_text) == set_text


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
