"""Every exercise of every lesson, in each language: untouched, wrong, right; and its texts."""

from __future__ import annotations

import ast
import contextlib
import functools
import itertools
import json
import os
import re
import symtable
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

import nbformat
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_debug, set_llm_cache, set_verbose

from helpers import i18n
from helpers.exercises import exercise, lessons, texts
from helpers.exercises.verdict import CORRECT, INCORRECT, SHARED, UNTOUCHED, Result, check_of
from helpers.i18n import LANGUAGES, _
from helpers.setup import ROOT
from tests.cells import run

if TYPE_CHECKING:
    from helpers.authoring.source import Cell, Lesson

HINT_WORDS = 0.6  # a hint with this share of its words in the task is taken for a repetition


@functools.cache
def lesson_of(name: str) -> Lesson:
    from helpers.authoring import source

    return source.read_lesson(source.SOURCE / f"{name}.md")


def exercises_of(lesson: str) -> list[str]:
    return [name for name in texts.all_texts() if name.startswith(f"{lesson}/")]


def parts(lesson: Lesson, exercise_id: str) -> list[Cell]:
    return [cell for cell in lesson.cells if cell.id.startswith(f"{exercise_id}.")]


def parse(code: str) -> ast.Module:
    """Return the syntax tree of a cell, with `await` at the top as in a notebook."""
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree: ast.Module = compile(code, "<cell>", "exec", flags)
    return tree


def program_of(code: str) -> str:
    """Return what of `code` is run: without comments, and without docstrings of plain functions."""
    tree = parse(code)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.decorator_list:
            node.body = node.body[ast.get_docstring(node) is not None :]
    return ast.dump(tree)


def judge_all(lesson: Lesson, cell: Cell, names: dict[str, Any]) -> None:
    """Judge an exercise in each language: its stub, its wrong and right answers and its solution.

    `names` are what the lesson has defined before it. An answer that is the same program in
    several languages is judged once; what is then said of it is looked at in each.
    """
    one = exercise(f"{lesson.name}/{cell.id}")
    wanted = check_of(one.name).names

    def judged(code: Callable[[str], str]) -> Iterator[Result]:
        results: dict[tuple[str, str], Result] = {}
        for lang in LANGUAGES:
            i18n.use(lang)
            stub, answer = cell.source(lang), code(lang)
            program = program_of(stub), program_of(answer)
            if program not in results:
                own = dict(names)
                run(stub, own)
                run(answer, own)
                results[program] = one.judge(*(own[name] for name in wanted))
                if results[program].outcome == INCORRECT:
                    result = results[program]
                    said = one.message(result.key, result.fields)
                    assert result.text.startswith(_("**Not yet.** {message}").format(message=said))
            yield results[program]

    for result in judged(cell.source):
        assert result.outcome == UNTOUCHED, one.name
    wrongs = rights = 0
    for other in parts(lesson, cell.id):
        if other.kind == "markdown":
            continue
        kind, key = other.id.split(".")[1:3]
        wrongs += kind == "wrong"
        rights += kind == "right"
        for result in judged(other.source):
            expected = (INCORRECT, key) if kind == "wrong" else (CORRECT, "correct")
            assert (result.outcome, result.key) == expected, (other.id, result)
            if kind == "wrong":
                assert one.message(key, result.fields), "in the language of the moment"
    assert wrongs >= 2 and rights >= 1, f"{one.name}: two mistakes and another right answer"
    for result in judged(lambda lang: cell.source(lang, solution=True)):
        assert result.outcome == CORRECT, one.name
    with everything_set_for_all_of_langchain():
        run(cell.source("en", solution=True), names)
        result = one.judge(*(names[name] for name in wanted))
        assert result.outcome == CORRECT, (one.name, result)


@contextlib.contextmanager
def everything_set_for_all_of_langchain() -> Iterator[None]:
    """Turn on every switch that a learner may have found: it is no part of the answer."""
    set_llm_cache(InMemoryCache())
    set_debug(True)
    set_verbose(True)
    try:
        with mock.patch.dict(os.environ, {"LC_OUTPUT_VERSION": "v1"}):
            yield
    finally:
        set_llm_cache(None)
        set_debug(False)
        set_verbose(False)


def statements(code: str) -> list[tuple[set[str], set[str]]]:
    """Return of each statement which of the notebook's names it binds, and which it needs."""
    found = []
    for statement in parse(code).body:
        top = symtable.symtable(ast.unparse(statement), "<cell>", "exec")
        tables = [top]
        for table in tables:
            tables += table.get_children()
        binds = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
        needs = {s.get_name() for s in top.get_symbols() if s.is_referenced()}
        needs |= {s.get_name() for t in tables for s in t.get_symbols() if s.is_global()}
        found.append((binds, needs if isinstance(statement, ast.AugAssign) else needs - binds))
    return found


def before(code: str, wanted: set[str]) -> set[str]:
    """Return which names must be there before `code` runs, so that those `wanted` are after it."""
    for binds, needs in reversed(statements(code)):
        wanted = (wanted - binds) | needs
    return wanted


def cells_for(lesson: Lesson, cell: Cell) -> list[Cell]:
    """Return the cells of a lesson that define what the exercise `cell` builds upon."""
    answers = [other for other in parts(lesson, cell.id) if other.kind == "code"]
    codes = [cell.source("en"), cell.source("en", solution=True)]
    codes += [answer.source("en") for answer in answers]
    wanted = set().union(*(before(code, set()) for code in codes))
    chosen = []
    for other in reversed(lesson.cells[1 : lesson.cells.index(cell)]):
        if other.kind == "code" and "." not in other.id:
            code = other.source("en", solution=True)
            if any(binds & wanted for binds, needs in statements(code)):
                wanted = before(code, wanted)
                chosen.append(other)
    return chosen[::-1]


# What an exercise builds upon is run in one language, by turns.
@pytest.mark.parametrize(
    ("name", "lang"),
    [
        pytest.param(name, lang, id=f"{lang}-{name}")
        for name, lang in zip(texts.all_texts(), itertools.cycle(LANGUAGES), strict=False)
    ],
)
def test_an_exercise_untouched_wrong_and_right(
    name: str, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run what the exercise builds upon, as one program without Jupyter, and judge it in each language.

    The rest of the lesson is run as a notebook, by nbmake.
    """
    lesson_name, _slash, ident = name.partition("/")
    lesson = lesson_of(lesson_name)
    (exercise_cell,) = [cell for cell in lesson.cells if cell.id == ident]
    monkeypatch.chdir(ROOT / "notebooks" / lang)
    i18n.use(lang)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells_for(lesson, exercise_cell):
        raises = "raises-exception" in cell.tags
        with pytest.raises(Exception) if raises else contextlib.nullcontext():  # noqa: B017
            run(cell.source(lang, solution=True), names)
    judge_all(lesson, exercise_cell, names)


def pieces(text: str) -> list[str]:
    """Return the words of a text; for Chinese, its pairs of characters."""
    han = "".join(re.findall(r"[一-鿿]", text))
    return [a + b for a, b in zip(han, han[1:], strict=False)] or re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("name", lessons())
def test_texts_of_an_exercise_are_all_there_and_hints_add_something(name: str) -> None:
    lesson = lesson_of(name)
    names = [one.partition("/")[2] for one in exercises_of(name)]
    dotted = [cell.id.partition(".") for cell in lesson.cells if "." in cell.id]
    written = {exercise for exercise, _dot, key in dotted if key != "predict"}
    assert written == set(names), "every check has its texts, and every text its check"
    assert 2 <= len(names) <= 4
    for one in names:
        own = {
            cell.id.partition(".")[2]: cell
            for cell in parts(lesson, one)
            if cell.kind == "markdown"
        }
        assert {"correct", "hint-1", "hint-2"} <= set(own), one
        keys = {cell.id.split(".")[2] for cell in parts(lesson, one) if ".wrong." in cell.id}
        assert keys <= set(own) | set(SHARED), one
        (task,) = [cell for cell in lesson.cells if cell.id == f"{one}-task"]
        for lang in LANGUAGES:
            hints = [own[key].source(lang) for key in own if key.startswith("hint-")]
            assert len(set(hints)) == len(hints)
            for hint in hints:
                tokens = pieces(hint)
                told = pieces(task.source(lang).rpartition("**")[2])
                repeated = sum(token in told for token in tokens) / len(tokens)
                assert repeated < HINT_WORDS, f"{one}, {lang}: repeats the task: {hint}"


def test_no_solution_is_handed_out_in_what_a_learner_gets() -> None:
    notebooks = (ROOT / "notebooks").glob("??/*.ipynb")
    cells = [cell for path in notebooks for cell in nbformat.read(path, 4).cells]
    learners = "\n".join([texts.TEXTS_FILE.read_text("utf-8"), *(cell.source for cell in cells)])
    from helpers.authoring.source import SOLUTION

    for name in lessons():
        for cell in lesson_of(name).cells:
            for match in SOLUTION.finditer(cell.text.get("en", "")):
                code = re.sub(r" *# @\w\w$", "", match["solution"], flags=re.MULTILINE).strip()
                if not code.startswith("answer ="):  # a letter of a multiple-choice question
                    assert code not in learners, f"{name}, {cell.id}"
    assert "BEGIN SOLUTION" not in learners
    assert all("." not in cell.id for cell in cells)


def test_there_is_a_model_answer_to_each_exercise() -> None:
    solutions = json.loads(texts.SOLUTIONS_FILE.read_text("utf-8"))
    assert solutions == {
        f"{name}/{cell.id}": {lang: cell.source(lang, solution=True) for lang in LANGUAGES}
        for name in lessons()
        for cell in lesson_of(name).cells
        if f"{name}/{cell.id}" in exercises_of(name)
    }
