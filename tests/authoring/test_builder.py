"""Tests of helpers.builder: what it writes, what it refuses, and that a second build changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from helpers.authoring import builder, source
from helpers.backend import saving
from helpers.setup.files import write_whole
from helpers.setup.processes import typed
from helpers.training import trained
from tests.authoring.test_source import GOOD, write

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


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of one lesson, not built; the builder works on it. Returns `notebooks/`."""
    notebooks = tmp_path / "notebooks"
    (notebooks / "source").mkdir(parents=True)
    write(notebooks / "source", GOOD + CODE)
    monkeypatch.setattr(builder, "NOTEBOOKS", notebooks)
    monkeypatch.setattr(builder, "TEXTS_FILE", tmp_path / "exercises.json")
    monkeypatch.setattr(source, "SOURCE", notebooks / "source")
    return notebooks


def pages(notebooks: Path) -> dict[str, str]:
    return {
        path.parent.name: path.read_text("utf-8") for path in notebooks.glob("*/01-birds.ipynb")
    }


def test_build_check_and_status_from_nothing_to_ready(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert builder.main("build", ["--check"]) == 1
    assert "01-birds, zh: notebooks/zh/01-birds.ipynb is missing" in capsys.readouterr().err
    assert "missing or damaged" in builder.status()

    assert builder.main("build", []) == 0
    first = pages(course)
    assert sorted(first) == ["en", "fr", "zh"]
    assert builder.main("build", ["birds"]) == 0
    assert pages(course) == first, "built twice, the clock cell included, there is no diff"
    assert builder.main("build", ["--check"]) == 0
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
    course: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = course / "source" / "01-birds.md"
    other = path.read_text("utf-8")
    (course / "source" / "02-nests.md").write_text(other, "utf-8")
    path.write_text(other.replace("minutes: 5", "minutes: 5\ntraining: true"), "utf-8")
    monkeypatch.setattr(trained, "PACKAGES", ("json", "nowhere_to_be_found"))
    assert builder.main("build", []) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == ("01-birds: not built, it needs nowhere_to_be_found: " + typed("training"))
    assert pages(course) == {}
    nests = nbformat.read(course / "fr" / "02-nests.ipynb", as_version=4)
    assert "01-birds.ipynb" in nests.cells[0].source
    assert not {"training", "execution"} & set(nests.metadata)

    monkeypatch.setattr(trained, "PACKAGES", ("json",))
    assert builder.main("build", ["01"]) == 0
    page = nbformat.read(course / "en" / "01-birds.ipynb", as_version=4)
    assert page.metadata.training is True
    assert page.metadata.execution == {"timeout": builder.TRAINING_TIMEOUT}
    assert builder.main("build", ["--check"]) == 0
    path.write_text(other, "utf-8")
    assert builder.main("build", ["--check"]) == 1
    assert "01-birds, en: the notebook's metadata are not" in capsys.readouterr().err


def test_a_cell_that_misbehaves_is_named_and_its_notebook_not_written(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = course / "source" / "01-birds.md"
    text = path.read_text("utf-8")
    path.write_text(text.replace('{}["a"]', "1"), "utf-8")
    assert builder.main("build", []) == 1
    assert "01-birds, cell 'fails', fr: is tagged raises-exception and raised nothing" in (
        capsys.readouterr().err
    )
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
    course: Path, capsys: pytest.CaptureFixture[str], change: object, says: str
) -> None:
    lessons, _ = builder.read_course()
    write_whole(builder.TEXTS_FILE, builder.exercise_texts(lessons))
    for (name, lang), page in builder.assemble_all(lessons).items():
        write_whole(course / lang / f"{name}.ipynb", saving.dumps(page))
    assert builder.main("build", ["--check"]) == 0
    path = course / "en" / "01-birds.ipynb"
    page = json.loads(path.read_text("utf-8"))
    change(page)  # type: ignore[operator]
    path.write_text(json.dumps(page), "utf-8")
    assert builder.main("build", ["--check"]) == 1
    error = capsys.readouterr().err
    assert says in error and "zh" not in error


def test_check_and_status_report_a_broken_source_and_a_notebook_without_one(
    course: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = course / "source" / "01-birds.md"
    path.write_text(path.read_text("utf-8").replace("Call `sing`", "Do call `sing`"), "utf-8")
    (course / "en").mkdir()
    (course / "en" / "09-gone.ipynb").write_text("{}", "utf-8")
    assert builder.main("build", []) == 1
    assert builder.main("build", ["--check"]) == 1
    error = capsys.readouterr().err
    assert "01-birds, cell 'why', zh: is stale" in error
    assert "09-gone, en: this notebook has no source" in error
    assert "  cell 'why', zh: is stale" in builder.status()


def test_translated_stamps_one_cell(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = course / "source" / "01-birds.md"
    path.write_text(path.read_text("utf-8").replace("Call `sing`", "Do call `sing`"), "utf-8")
    assert builder.main("translated", ["birds", "why", "zh"]) == 0
    stale = source.read_lesson(path).problems
    assert [problem.split(":")[0] for problem in stale] == ["01-birds, cell 'why', fr"]
    for wrong in (["birds", "nothing", "zh"], ["birds", "why", "en"], ["99", "why", "zh"]):
        assert builder.main("translated", wrong) == 1
    assert builder.main("translated", ["birds", "clock", "zh"]) == 1
    error = capsys.readouterr().err
    assert "cell 'clock': there is nothing to translate" in error
    assert "has no cell 'nothing'" in error and "not 'en'" in error and "no lesson '99'" in error


@pytest.mark.parametrize("arguments", [[], ["--check"], ["00"], ["--solutions", "x"]])
def test_a_copy_without_sources_is_left_as_it_is(
    course: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (course / "source").glob("*.md"):
        path.unlink()
    builder.TEXTS_FILE.write_text('{"01-birds/sing": {}}', encoding="utf-8")
    assert builder.main("build", arguments) == 1
    assert "this copy has no sources" in capsys.readouterr().err
    assert builder.TEXTS_FILE.read_text(encoding="utf-8") == '{"01-birds/sing": {}}'


def test_neighbours_are_linked_both_ways(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    first, second = source.read_lesson(path), source.read_lesson(path)
    second.name = "02-nests"
    built = builder.assemble_all([first, second])
    link = "[02 · Les oiseaux](02-nests.ipynb) →"
    page = built["01-birds", "fr"]
    assert link in page.cells[0].source and page.cells[-1].source == link
    assert built["02-nests", "fr"].cells[-1].source == "← [01 · Les oiseaux](01-birds.ipynb)"


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "page"
    write_whole(path, "old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        write_whole(path, "new")
    assert path.read_text("utf-8") == "old" and list(tmp_path.iterdir()) == [path]


EXERCISE = """
+++ {"id": "exercise.correct", "lang": "en"}

Well sung.

+++ {"lang": "zh", "of": "EXERCISE.CORRECT"}

唱得好。

+++ {"lang": "fr", "of": "EXERCISE.CORRECT"}

Bien chanté !

```{code-cell} python
:id: exercise.wrong.silent

song = ""
```
"""


def test_texts_of_exercises_go_to_their_file_and_solutions_to_the_teachers_edition(
    course: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(course / "source", GOOD + EXERCISE)
    assert builder.main("build", []) == 0
    texts = json.loads(builder.TEXTS_FILE.read_text("utf-8"))
    french = "Bien chanté\u00a0!"
    assert texts == {
        "01-birds/exercise": {"correct": {"en": "Well sung.", "zh": "唱得好。", "fr": french}}
    }
    learners = pages(course)["en"]
    assert (
        "upper" not in learners and "Well sung" not in learners and 'song = \\"\\"' not in learners
    )

    assert builder.main("build", ["--solutions", str(tmp_path / "teachers")]) == 0
    page = nbformat.read(tmp_path / "teachers" / "en" / "01-birds.ipynb", as_version=4)
    cells = {cell.id: cell for cell in page.cells}
    assert (
        "return bird.upper()" in cells["exercise"].source and "..." not in cells["exercise"].source
    )
    assert pages(course)["en"] == learners
    assert builder.main("build", ["--solutions", str(course / "en")]) == 1
    assert "belongs elsewhere" in capsys.readouterr().err

    builder.TEXTS_FILE.write_text("{}", encoding="utf-8")
    assert builder.main("build", ["--check"]) == 1
    assert "exercises.json is not what the sources say" in capsys.readouterr().err


def test_a_text_of_no_exercise_is_an_orphan(course: Path) -> None:
    path = write(course / "source", GOOD + EXERCISE.replace("exercise.", "nothing."))
    problems = source.read_lesson(path).problems
    assert any("cell 'nothing.correct', en: belongs to an exercise, but no" in p for p in problems)
