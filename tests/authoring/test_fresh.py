"""Other versions: what counts as a difference, how it is shown, and what is kept of a run."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers import i18n
from helpers.authoring import builder, fresh, fresh_report, seen
from helpers.authoring.fresh import Difference
from helpers.authoring.seen import Run
from helpers.setup import ROOT, CourseError
from tests.pages import page

HERE = Path(sys.executable)
OLD = {"python": "3.11.7", "langchain-core": "1.7.2", "openai": "3.9.0", "pydantic": "2.14"}
NEW = {**OLD, "langchain-core": "1.7.10", "openai": "3.57.0"}


def cell(ident: str, source: str, shown: str = "", tags: tuple[str, ...] = ()) -> Any:
    outputs = [nbformat.v4.new_output("stream", text=shown)] if shown else []
    metadata = {"tags": list(tags)} if tags else {}
    return nbformat.v4.new_code_cell(source, id=ident, outputs=outputs, metadata=metadata)


def notebook(*cells: Any) -> Any:
    return nbformat.v4.new_notebook(cells=list(cells))


@pytest.mark.parametrize(
    ("before", "after", "alike"),
    [
        ("langchain-core 1.7.2", "langchain-core 1.8.3rc1", True),
        ("see https://errors.pydantic.dev/2.14/v/missing", "see https://errors.pydantic.dev/3.0/v/missing", True),
        ("it took 12.5 s", "it took 3 s", True),
        ("用了 3 秒", "用了 12 秒", True),
        ("on 2026-11-30 at 12:31:08", "on 2026-12-01 at 01:02:03.5", True),
        ("ok 156 packages, as requirements.txt pins them", "!! 2 packages are not as requirements.txt pins them", True),
        ("a score of 0.97", "a score of 0.96", False),
        ("12 tokens", "13 tokens", False),
        ("3 steps", "4 steps", False),
        ("finish_reason stop", "finish_reason length", False),
    ],
)  # fmt: skip
def test_versions_and_times_do_not_count_and_all_else_does(
    before: str, after: str, alike: bool
) -> None:
    pages = (notebook(cell("a", "1", text)) for text in (before, after))
    assert (fresh.page_differences("04-stream", "en", *pages) == []) is alike


def test_tags_let_differ_what_they_let_differ_elsewhere() -> None:
    pages = (notebook(cell("a", "1", text, ("varies",))) for text in ("12 tokens", "13 tokens"))
    assert fresh.page_differences("04-stream", "en", *pages) == []


def test_after_a_cell_that_raised_nothing_is_compared() -> None:
    raised = cell("b", "2")
    raised.outputs = [
        nbformat.v4.new_output("error", ename="E", evalue="gone", traceback=["E: gone"])
    ]
    committed = notebook(cell("a", "1", "x"), cell("b", "2", "y"), cell("c", "3", "z"))
    now = notebook(cell("a", "1", "x"), raised, cell("c", "3"))
    found = fresh.page_differences("04-stream", "zh", committed, now)
    assert found == [Difference("04-stream", "b", "zh", "[stdout] y", "E: gone")]


def test_a_provoked_change_is_found_in_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys\nprint(sys.executable)\nprint('a word that is long ago')\n'result'"
    committed = notebook(cell("a", "1 + 1"), cell("b", code, f"{HERE}\na word\n"))
    committed.cells[0].outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    ]
    monkeypatch.setattr(fresh, "read_notebook", lambda name, lang: committed)
    monkeypatch.setattr(fresh, "NOTEBOOKS", tmp_path)
    (tmp_path / "en").mkdir()
    (found,) = asyncio.run(fresh.run_page("04-stream", "en", HERE))
    assert (found.cell, found.old) == ("b", f"[stdout] {HERE}\na word\n")
    assert found.new == f"[stdout] {HERE}\na word that is long ago\n\n[text/plain] 'result'"


def test_pages_run_in_the_python_that_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-python-here"):
        asyncio.run(builder.execute(notebook(cell("a", "1")), tmp_path, Path("no-python-here")))


def test_a_snippet_prints_what_its_page_shows_and_complains_of_nothing() -> None:
    code = "import os, sys; print(os.environ['OPENAI_BASE_URL'])"

    def difference(code: str, shown: str) -> Difference | None:
        return fresh.snippet_difference("stream", code, shown, HERE, "http://here/v1")

    assert difference(code, "http://here/v1\n") is None
    wrong = difference(f"{code}; print('old', file=sys.stderr)", "http://here/v1\n")
    assert wrong is not None and wrong.new == "http://here/v1\nold"
    assert wrong.name == "17-cheat-sheet/stream"


def test_the_newest_of_what_the_course_depends_on_is_asked_for() -> None:
    asked = fresh.required()
    assert {"langchain-core", "langchain-openai", "openai", "jupyterlab"} <= set(asked)
    assert set(fresh.required(training=True)) - set(asked) >= {"transformers", "tokenizers"}


def test_an_environment_that_cannot_be_made_says_what_pip_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        bad = "pip" in command
        return subprocess.CompletedProcess(command, int(bad), b"first\nResolutionImpossible" * bad)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(fresh, "pip_environment", lambda python, root: {})
    with pytest.raises(CourseError, match="ResolutionImpossible"):
        fresh.make(["openai"], ["--pre"], tmp_path)


def test_lessons_that_train_wait_until_they_are_asked_for() -> None:
    few, all_of_them = fresh.chosen([], False), fresh.chosen([], True)
    assert set(all_of_them) - set(few) == {"15-train-your-own"}
    assert fresh.chosen(["04"], False) == ["04-stream"]
    assert fresh.chosen(["15"], True) == ["15-train-your-own"]
    with pytest.raises(CourseError, match="--training"):
        fresh.chosen(["15"], False)


FOUND = [
    Difference("04-stream", "chunks", "en", "[stdout] a\nb\n1.7.2\nold <b>\nc\nd\ne", "[stdout] a\nb\n1.8.3\nnew <b>\nc\nd\ne"),
    Difference("04-stream", "chunks", "zh", "旧", "新"),
    Difference("17-cheat-sheet", "stream", "en", "x\n", "x\nwarning\n", alone=True),
]  # fmt: skip


def test_the_report_shows_old_and_new_side_by_side_once_for_all_languages() -> None:
    said = fresh_report.summary(FOUND, 54, 39)
    assert said.startswith("2 of 54 pages and 1 of 39 snippets")
    rows = fresh_report.other_versions(
        {"openai": "3.52.0", "rich": "1"}, {"openai": "3.57.0", "rich": "1"}
    )
    report = fresh_report.markdown(said, FOUND, rows)
    assert "| openai | 3.52.0 | 3.57.0 |" in report and "rich" not in report
    assert "### 04-stream, cell chunks (en, zh)" in report
    assert "### 17-cheat-sheet, the snippet stream (en)" in report
    old, new = "<pre>1.7.2\nold &lt;b&gt;\nc</pre>", "<pre>1.8.3\nnew &lt;b&gt;\nc</pre>"
    assert f"<tr><td>{old}</td><td>{new}</td></tr>" in report
    assert (
        fresh_report.summary([], 54, 39)
        == "All of 54 pages and 39 snippets show what is committed."
    )


def test_a_report_fits_into_an_issue() -> None:
    many = [FOUND[0]._replace(cell=f"c{i}", new="long\n" * 500 + "x" * 3000) for i in range(200)]
    report = fresh_report.markdown("said", many, [])
    assert len(report) < 65_536 and "more cells" in report and "more lines" in report


def test_of_a_drawing_the_words_are_shown_and_numbers_that_may_vary_are_not() -> None:
    svg = '<svg width="{n}"><text x="{n}">{n}</text><title>calls</title><text>{word}</text></svg>'
    old, new = (svg.format(n=n, word=word) for n, word in ((7, "parrots"), (8, "birds")))
    one = Difference("05-batch", "timeline", "en", old, new, ("varies",))
    assert fresh_report.changes(one) == [("calls\nparrots", "calls\nbirds")]
    assert "only the lines" in fresh_report.changes(one._replace(new=old))[0][0]


def test_what_is_different_is_run_again_at_the_pages_own_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = []

    async def run_page(lesson: str, lang: str, python: Path) -> list[Difference]:
        pace = os.environ.get("COURSE_PACE")
        ran.append((lesson, lang, pace))
        changed = lesson == "04-stream" or (lesson == "05-batch" and pace == "0" and lang == "fr")
        return [Difference(lesson, "a", lang, "x", "y")] if changed else []

    monkeypatch.setattr(fresh, "run_page", run_page)
    found = fresh.run_pages(["04-stream", "05-batch", "06-async"], HERE)
    assert {one.lesson for one in found} == {"04-stream"} and len(found) == 3
    again = [page for page in ran if page[2] is None]
    assert len(ran) == 9 + 4 and {page[:2] for page in again} >= {("05-batch", "fr")}


def test_a_terminal_shows_two_columns() -> None:
    lines = fresh_report.terminal(FOUND, width=43).splitlines()
    assert "04-stream, cell chunks (en, zh)" in lines
    assert f"{'old <b>':20} | new <b>" in lines
    wide = [Difference("04-stream", "a", "zh", "一二三四五六七八九十" * 2, "短")]
    shown = fresh_report.terminal(wide, width=43).splitlines()
    assert {line.index("|") for line in shown if "|" in line and "一" not in line} == {21}
    assert "一二三四五六七八九十 | 短" in shown


def test_what_a_run_has_found_is_kept_until_a_newer_one_says_more(tmp_path: Path) -> None:
    path = tmp_path / "seen.json"
    assert seen.read(path) == []
    assert seen.note(Run("2026-11-30", NEW, ["00-start"], ["04-stream"]), path)
    assert seen.note(Run("2026-12-01", OLD, ["00-start", "04-stream"], []), path)
    assert [run.versions["openai"] for run in seen.read(path)] == ["3.9.0", "3.57.0"]
    # A day alone is written once a week; a lesson by itself takes its place among the others.
    assert not seen.note(Run("2026-12-06", NEW, ["00-start"], ["04-stream"]), path)
    assert seen.note(Run("2026-12-07", NEW, ["00-start"], ["04-stream"]), path)
    assert seen.note(Run("2026-12-08", NEW, ["04-stream"], []), path)
    oldest, newest = seen.read(path)
    assert newest == Run("2026-12-08", NEW, ["00-start", "04-stream"], [])
    assert seen.span("04-stream", [oldest, newest]) == (oldest, newest)
    # What lies between the oldest and the newest tells nothing.
    between = {**OLD, "openai": "3.40.0"}
    assert seen.note(Run("2026-12-09", between, ["00-start", "04-stream"], []), path)
    assert seen.read(path) == [oldest, newest]


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_a_foot_says_what_it_was_made_and_seen_with(lang: str) -> None:
    i18n.use(lang)
    runs = [Run("2026-11-30", OLD, ["04-stream"], []), Run("2026-12-01", NEW, ["04-stream"], [])]
    unseen, known = seen.foot("05-batch", runs), seen.foot("04-stream", runs)
    made = f"langchain-core {seen.pins()['langchain-core']}"
    assert made in unseen and "2026" not in unseen
    assert known.startswith(unseen) and "2026-12-01" in known
    again = seen.foot("04-stream", [runs[1]._replace(versions={**seen.pins(), "python": "3.11"})])
    assert again.startswith(unseen) and again.count(made) == 1
    assert "langchain-core 1.7.10" in known and "langchain-core 1.7.2" in known


def test_what_is_committed_names_pages_and_snippets_that_there_are() -> None:
    runs = seen.read()
    assert runs == sorted(runs, key=Run.newness)
    sheet = {c.id for c in page("17-cheat-sheet", "en").cells}
    for run in runs:
        assert set(run.versions) == {"python", *seen.TAUGHT}
        for name in (*run.alike, *run.different):
            lesson, _, snippet = name.partition("/")
            assert (ROOT / "notebooks" / "en" / f"{lesson}.ipynb").exists()
            assert not snippet or snippet in sheet
