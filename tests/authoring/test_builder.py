"""Tests of helpers.authoring.builder: what it writes, what it refuses, and that a second build changes nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers.authoring import builder, diagrams, rules, source
from helpers.authoring.problems import Problem
from helpers.backend import saving
from helpers.exercises import texts as exercise_files
from helpers.i18n import LANGUAGES
from helpers.setup import CourseError
from helpers.setup.files import write_whole
from helpers.setup.processes import typed
from helpers.training import trained
from tests.authoring.birds import GOOD, TEXTS, write

CODE = """
```{code-cell} python
:id: fails
:tags: [raises-exception]

{}["a"]
```

```{code-cell} python
:id: clock
:tags: [varies]

import time

print(time.perf_counter())
```
"""


# What the builder writes beside the notebooks, and where below the course's folder it goes here.
WRITTEN = {
    "TEXTS_FILE": "",
    "PREDICTIONS_FILE": "",
    "SOLUTIONS_FILE": "notebooks/source",
    "DRILLS_FILE": "notebooks/source",
}


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of one lesson, not built; the builder works on it. Returns `notebooks/`."""
    notebooks = tmp_path / "notebooks"
    (notebooks / "source").mkdir(parents=True)
    write(notebooks / "source", GOOD + CODE)
    monkeypatch.setattr(builder, "NOTEBOOKS", notebooks)
    monkeypatch.setattr(diagrams, "IMAGES", notebooks / "images")
    monkeypatch.setattr(builder, "ROOT", tmp_path)
    for name, folder in WRITTEN.items():
        path = tmp_path / folder / getattr(exercise_files, name).name
        monkeypatch.setattr(exercise_files, name, path)
    monkeypatch.setattr(source, "SOURCE", notebooks / "source")
    return notebooks


def pages(notebooks: Path) -> dict[str, str]:
    return {
        path.parent.name: path.read_text("utf-8") for path in notebooks.glob("*/01-birds.ipynb")
    }


def lines(problems: list[Problem]) -> list[str]:
    return [str(problem) for problem in problems]


def test_build_check_and_status_from_nothing_to_ready(course: Path) -> None:
    assert "01-birds, zh: notebooks/zh/01-birds.ipynb is missing or damaged" in lines(
        builder.check([])
    )
    assert builder.status().splitlines() == [
        "01-birds:",
        *(f"  {lang}: notebooks/{lang}/01-birds.ipynb is missing or damaged" for lang in LANGUAGES),
        "texts.json: is not what the sources say: build again",
        "predictions.json: is not what the sources say: build again",
        "notebooks/source/solutions.json: is not what the sources say: build again",
        "notebooks/source/drills.json: is not what the sources say: build again",
    ]

    assert builder.build([]) == []
    first = pages(course)
    assert sorted(first) == ["en", "fr", "zh"]
    assert builder.build(["birds"]) == []
    assert pages(course) == first, "built twice, the clock cell included, there is no diff"
    assert builder.check([]) == []
    assert builder.status() == "01-birds: ready"

    page = nbformat.reads(first["zh"], as_version=4)
    nbformat.validate(page)
    cells = {cell.id: cell for cell in page.cells}
    assert list(cells) == ["title", "why", "call", "exercise", "fails", "clock"]
    assert cells["title"].source.startswith(
        "# 01 · 鸟\n\n约 5 分钟 · [English](../en/01-birds.ipynb)"
    )
    assert "学完之后，你会认鸟。" in cells["title"].source
    assert cells["call"].outputs[0].text == "鹦鹉: 2\n"
    assert cells["exercise"].source.endswith("song = ...") and not cells["exercise"].outputs
    assert cells["fails"].outputs[0].traceback == ["KeyError: 'a'"]
    assert not list(course.rglob("*.new"))


def test_a_lesson_that_trains_is_marked_and_left_out_where_that_cannot_be(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = course / "source" / "01-birds.md"
    other = path.read_text("utf-8")
    (course / "source" / "02-nests.md").write_text(other, "utf-8")
    path.write_text(other.replace("training: false", "training: true"), "utf-8")
    monkeypatch.setattr(trained, "PACKAGES", ("json", "nowhere_to_be_found"))
    assert lines(builder.build([])) == [
        "01-birds: not built, it needs nowhere_to_be_found: " + typed("training")
    ]
    assert pages(course) == {}
    nests = nbformat.read(course / "fr" / "02-nests.ipynb", as_version=4)
    assert "01-birds.ipynb" in nests.cells[0].source
    assert not {"training", "execution"} & set(nests.metadata)

    monkeypatch.setattr(trained, "PACKAGES", ("json",))
    assert builder.build(["01"]) == []
    page = nbformat.read(course / "en" / "01-birds.ipynb", as_version=4)
    assert page.metadata.training is True
    assert page.metadata.execution == {"timeout": builder.TRAINING_TIMEOUT}
    assert builder.check([]) == []
    path.write_text(other, "utf-8")
    assert [(p.lesson, p.lang, p.what) for p in builder.check([])] == [
        ("01-birds", lang, "the notebook's metadata are not what the source says")
        for lang in LANGUAGES
    ]


def test_a_cell_that_misbehaves_is_named_and_its_notebook_not_written(course: Path) -> None:
    path = course / "source" / "01-birds.md"
    text = path.read_text("utf-8")
    path.write_text(text.replace('{}["a"]', "1"), "utf-8")
    what = "is tagged raises-exception and raised nothing"
    found = sorted(builder.build([]), key=lambda problem: LANGUAGES.index(problem.lang))
    assert found == [Problem("01-birds", "fails", lang, what) for lang in LANGUAGES]
    assert pages(course) == {}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda page: page["cells"].pop(), "other cells than the source: not built ['clock']"),
        (lambda page: page["cells"][2].update(source="2"), "cell 'call', en: the notebook is not"),
        (
            lambda page: page["cells"][4]["metadata"].clear(),
            "cell 'fails', en: the notebook is not",
        ),
        (lambda page: page["cells"][1].update(id="other"), "too many ['other']"),
    ],
)
def test_check_sees_every_difference_in_structure(
    course: Path, change: Callable[[Any], None], says: str
) -> None:
    lessons, _ = builder.read_course()
    for file, text in builder.beside_the_notebooks(lessons).items():
        write_whole(file, text)
    for (name, lang), page in builder.assemble_all(lessons).items():
        write_whole(course / lang / f"{name}.ipynb", saving.dumps(page))
    assert builder.check([]) == []
    path = course / "en" / "01-birds.ipynb"
    page = json.loads(path.read_text("utf-8"))
    change(page)
    path.write_text(json.dumps(page), "utf-8")
    (problem,) = builder.check([])
    assert says in str(problem) and problem.lang == "en"


def test_check_and_status_report_a_broken_source_and_a_notebook_without_one(course: Path) -> None:
    path = course / "source" / "01-birds.md"
    path.write_text(path.read_text("utf-8").replace("Call `sing`", "Do call `sing`"), "utf-8")
    (course / "en").mkdir()
    (course / "en" / "09-gone.ipynb").write_text("{}", "utf-8")
    stale = [("01-birds", "why", "zh"), ("01-birds", "why", "fr")]
    assert [(p.lesson, p.cell, p.lang) for p in builder.build([])] == stale
    *problems, last = builder.check([])
    assert [(p.lesson, p.cell, p.lang) for p in problems] == stale
    assert str(last) == "09-gone, en: this notebook has no source"
    assert builder.status().splitlines()[1].startswith("  cell 'why', zh: is stale")
    assert builder.status().splitlines()[-1] == str(last)


@pytest.mark.parametrize(
    ("cell", "english", "number"), [("why", "Call `sing`", 0), ("exercise.correct", "Well sung", 1)]
)
def test_translated_stamps_one_cell_in_the_file_where_it_stands(
    course: Path, cell: str, english: str, number: int
) -> None:
    path = write(course / "source", GOOD, TEXTS)
    file = source.files(path)[number]
    file.write_text(file.read_text("utf-8").replace(english, f"Now: {english}"), "utf-8")
    before = [each.read_text("utf-8").splitlines() for each in source.files(path)]
    assert f"cell {cell!r}, zh: stamped " in builder.translated("birds", cell, "zh")
    after = [each.read_text("utf-8").splitlines() for each in source.files(path)]
    changed = [sum(map(str.__ne__, *pair)) for pair in zip(before, after, strict=True)]
    assert changed == ([1, 0] if number == 0 else [0, 1])
    stale = rules.check(source.read_lesson(path))
    assert [(p.lesson, p.cell, p.lang) for p in stale] == [("01-birds", cell, "fr")]


@pytest.mark.parametrize(
    ("lesson", "cell", "lang", "says"),
    [
        ("birds", "nothing", "zh", "has no cell 'nothing'"),
        ("birds", "why", "en", "not 'en'"),
        ("99", "why", "zh", "no lesson '99'"),
        ("birds", "clock", "zh", "cell 'clock': there is nothing to translate"),
    ],
)
def test_what_cannot_be_stamped_is_refused(
    course: Path, lesson: str, cell: str, lang: str, says: str
) -> None:
    with pytest.raises(CourseError, match=says):
        builder.translated(lesson, cell, lang)


@pytest.mark.parametrize(
    "work",
    [
        lambda: builder.build([]),
        lambda: builder.build(["00"]),
        lambda: builder.build([], Path("x")),
        lambda: builder.check([]),
        builder.status,
    ],
)
def test_a_copy_without_sources_is_left_as_it_is(course: Path, work: Callable[[], object]) -> None:
    for path in (course / "source").glob("*.md"):
        path.unlink()
    exercise_files.TEXTS_FILE.write_text('{"01-birds/sing": {}}', encoding="utf-8")
    with pytest.raises(CourseError, match="this copy has no sources"):
        work()
    assert exercise_files.TEXTS_FILE.read_text(encoding="utf-8") == '{"01-birds/sing": {}}'


def test_neighbours_are_linked_both_ways(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    first, second = source.read_lesson(path), source.read_lesson(path)
    second.name = "02-nests"
    built = builder.assemble_all([first, second])
    link = "[02 · Les oiseaux](02-nests.ipynb) →"
    page = built["01-birds", "fr"]
    links, _, foot = page.cells[-1].source.partition("\n\n")
    assert link in page.cells[0].source and links == link
    last = built["02-nests", "fr"].cells[-1].source
    assert last == f"← [01 · Les oiseaux](01-birds.ipynb)\n\n{foot}"
    assert "`requirements.txt`" in foot and "`notebooks/seen.json`" in foot


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page"
    write_whole(path, "old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_whole(path, "new")
    assert path.read_text("utf-8") == "old" and list(tmp_path.iterdir()) == [path]


def test_texts_of_exercises_go_to_their_file_and_solutions_to_the_teachers_edition(
    course: Path, tmp_path: Path
) -> None:
    write(course / "source", GOOD, TEXTS)
    assert builder.build([]) == []
    texts = json.loads(exercise_files.TEXTS_FILE.read_text("utf-8"))
    french = "Bien chanté\u00a0!"
    assert texts == {
        "01-birds/exercise": {"correct": {"en": "Well sung.", "zh": "唱得好。", "fr": french}}
    }
    solution = "def sing(bird):\n    return bird.upper()\n\n\nsong = sing(bird)"
    assert json.loads(exercise_files.SOLUTIONS_FILE.read_text("utf-8")) == {
        "01-birds/exercise": dict.fromkeys(LANGUAGES, solution)
    }
    assert json.loads(exercise_files.DRILLS_FILE.read_text("utf-8")) == {
        "01-birds/exercise": {"none": dict.fromkeys(LANGUAGES, 'song = ""')}
    }
    learners = pages(course)["en"]
    assert (
        "upper" not in learners and "Well sung" not in learners and 'song = \\"\\"' not in learners
    )

    teachers = tmp_path / "teachers"
    assert builder.build([], teachers) == []
    page = nbformat.read(teachers / "en" / "01-birds.ipynb", as_version=4)
    assert {cell.id: cell.source for cell in page.cells}["exercise"] == solution
    assert pages(course)["en"] == learners
    with pytest.raises(CourseError, match="belongs elsewhere"):
        builder.build([], course / "en")


def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def execute(*_: Any) -> None:
        raise AssertionError("something ran")

    monkeypatch.setattr(builder, "execute", execute)


@pytest.mark.parametrize("under", ["", "deeper", "two/deeper", "en"])
def test_a_file_where_a_folder_should_be_is_refused_before_anything_runs(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, under: str
) -> None:
    nothing_runs(monkeypatch)
    teachers = tmp_path / "teachers"
    if under == "en":  # the folder is one, what it should hold is none
        teachers.mkdir()
        (teachers / "en").write_text("a file", "utf-8")
        under = ""
    else:
        teachers.write_text("a file", "utf-8")
    with pytest.raises(CourseError, match=r"teachers.* cannot be a folder: a file"):
        builder.build([], teachers / under)
    assert not exercise_files.TEXTS_FILE.exists()


@pytest.mark.parametrize(
    ("teachers", "locked"), [(None, "fr"), (None, "source"), ("teachers", "zh")]
)
def test_a_folder_that_cannot_be_written_to_is_named_before_anything_runs(
    course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, teachers: str | None, locked: str
) -> None:
    nothing_runs(monkeypatch)
    before = sorted(tmp_path.rglob("*.ipynb"))

    def refuse(dir: Path) -> Any:
        if dir.name == locked:
            raise PermissionError(13, "Permission denied")
        return contextlib.nullcontext()

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(CourseError, match=rf"folder .*{locked} \(Permission denied\)"):
        builder.build([], tmp_path / teachers if teachers else None)
    assert sorted(tmp_path.rglob("*.ipynb")) == before
    assert not exercise_files.TEXTS_FILE.exists()
    if locked == "source":
        with pytest.raises(CourseError, match="Nothing can be written"):
            builder.translated("birds", "why", "zh")


def test_a_source_with_a_byte_order_mark_is_stamped(course: Path) -> None:
    path = course / "source" / "01-birds.md"
    text = path.read_text("utf-8").replace("Call `sing`", "Now call `sing`")
    path.write_text(text, "utf-8-sig")
    assert "stamped " in builder.translated("birds", "why", "zh")
    assert [p.lang for p in rules.check(source.read_lesson(path))] == ["fr"]


def test_a_copied_source_is_refused_by_every_command(course: Path) -> None:
    (course / "source" / "01-birds (1).md").write_text(GOOD, "utf-8")
    for work in (lambda: builder.build([]), lambda: builder.check([]), builder.status):
        with pytest.raises(CourseError, match=r"number 01: 01-birds \(1\).md, 01-birds.md"):
            work()


@pytest.mark.parametrize("file", WRITTEN)
def test_check_sees_what_is_not_built_beside_the_notebooks(course: Path, file: str) -> None:
    lessons, _ = builder.read_course()
    for path, text in builder.beside_the_notebooks(lessons).items():
        write_whole(path, text)
    path = getattr(exercise_files, file)
    wrong = Problem(
        path.relative_to(course.parent).as_posix(),
        "",
        "",
        "is not what the sources say: build again",
    )
    assert wrong not in builder.check([])
    path.write_text("{}", encoding="utf-8")
    assert wrong in builder.check([])
    path.unlink()
    assert wrong in builder.check([])
