"""Every exercise of every lesson, in each language: untouched, wrong, right; and the machinery."""

from __future__ import annotations

import ast
import asyncio
import itertools
import linecache
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell

import helpers
from helpers import backend, exercises, i18n
from helpers.authoring import builder
from helpers.authoring.source import SOLUTION, Cell, Lesson
from helpers.exercises import CHECKS, CORRECT, INCORRECT, UNTOUCHED, WrongAnswer, exercise, progress
from helpers.i18n import LANGUAGES
from tests import needs
from tests.lessons.test_notebooks import run

import helpers.exercises.checks  # noqa: I001  isort: skip  (fills CHECKS)

LESSONS, _ = builder.read_course()
# A sheet, to look things up, has no exercises. The lesson round them runs in one language, by turns.
EACH = [
    pytest.param(lesson, lang, id=f"{lang}-{lesson.name}")
    for lesson, lang in zip(LESSONS, itertools.cycle(LANGUAGES), strict=False)
    if lesson.minutes is not None
]
HINT_WORDS = 0.6  # a hint with this share of its words in the task is taken for a repetition


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A progress folder of the test's own, and no memory of hints; returns the folder."""
    monkeypatch.setenv(progress.FOLDER_VARIABLE, str(tmp_path / "progress"))
    monkeypatch.setattr(exercises, "_states", {})
    before = i18n.language()
    yield tmp_path / "progress"
    i18n.use(before)


def parts(lesson: Lesson, exercise_id: str) -> list[Cell]:
    return [cell for cell in lesson.cells if cell.id.startswith(f"{exercise_id}.")]


def judge_all(lesson: Lesson, cell: Cell, lang: str, names: dict[str, Any]) -> None:
    """Judge an exercise in one language: its stub, its wrong and right answers and its solution.

    `names` are what the lesson has defined before it.
    """
    name = f"{lesson.name}/{cell.id}"
    stub = cell.source(lang)

    def judged(code: str) -> exercises.Result:
        own = dict(names)
        run(stub, own)
        run(code, own)
        return exercise(name).judge(*(own[answer] for answer in CHECKS[name].names))

    assert judged(stub).outcome == UNTOUCHED, name
    wrongs = rights = 0
    for other in parts(lesson, cell.id):
        if other.kind == "code":
            kind, key = other.id.split(".")[1:3]
            result = judged(other.source(lang))
            if kind == "wrong":
                assert (result.outcome, result.key) == (INCORRECT, key), (other.id, result)
                assert result.text.startswith(exercises.TEXTS[lang]["incorrect"][:6])
                wrongs += 1
            else:
                assert result.outcome == CORRECT, (other.id, result)
                rights += 1
    assert wrongs >= 2 and rights >= 1, f"{name}: two mistakes and another right answer"
    assert judged(cell.source(lang, solution=True)).outcome == CORRECT, name


@pytest.mark.parametrize(("lesson", "lang"), EACH)
def test_every_exercise_untouched_wrong_and_right(
    lesson: Lesson, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run the lesson with its solutions as one program, without Jupyter.

    On the way each exercise is judged, in each language.
    """
    needs.needed_by(lesson)
    monkeypatch.chdir(builder.NOTEBOOKS / lang)
    names: dict[str, Any] = {"__name__": "__main__"}
    found = []
    for cell in lesson.cells[1:]:
        if cell.kind != "code" or "." in cell.id:
            continue
        if "raises-exception" in cell.tags:
            with pytest.raises(Exception):  # noqa: B017  (which one is on the page)
                run(cell.source(lang), names)
            continue
        name = f"{lesson.name}/{cell.id}"
        if name in CHECKS:
            found.append(name)
            for other in LANGUAGES:
                i18n.use(other)
                judge_all(lesson, cell, other, names)
            i18n.use(lang)
        run(cell.source(lang, solution=True), names)
    assert 2 <= len(found) <= 4
    assert set(found) == {name for name in CHECKS if name.startswith(lesson.name)}


def pieces(text: str) -> list[str]:
    """Return the words of a text; for Chinese, its pairs of characters."""
    han = "".join(re.findall(r"[一-鿿]", text))
    return [a + b for a, b in zip(han, han[1:], strict=False)] or re.findall(r"\w+", text.lower())


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_texts_of_an_exercise_are_all_there_and_hints_add_something(lesson: Lesson) -> None:
    names = [name.partition("/")[2] for name in CHECKS if name.startswith(lesson.name)]
    written = {cell.id.partition(".")[0] for cell in lesson.cells if "." in cell.id}
    assert written == set(names), "every check has its texts, and every text its check"
    for name in names:
        texts = {
            cell.id.partition(".")[2]: cell
            for cell in parts(lesson, name)
            if cell.kind == "markdown"
        }
        assert {"correct", "hint-1", "hint-2"} <= set(texts), name
        keys = {cell.id.split(".")[2] for cell in parts(lesson, name) if ".wrong." in cell.id}
        assert keys - {"choices"} <= set(texts), name
        (task,) = [cell for cell in lesson.cells if cell.id == f"{name}-task"]
        for lang in LANGUAGES:
            hints = [texts[key].source(lang) for key in texts if key.startswith("hint-")]
            assert len(set(hints)) == len(hints)
            for hint in hints:
                tokens = pieces(hint)
                told = pieces(task.source(lang).rpartition("**")[2])
                repeated = sum(token in told for token in tokens) / len(tokens)
                assert repeated < HINT_WORDS, f"{name}, {lang}: repeats the task: {hint}"


@pytest.fixture
def stream_exercise(capsys: pytest.CaptureFixture[str]) -> exercises.Exercise:
    i18n.use("en")
    return exercise("04-stream/first-token")


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, GeneratorExit, SystemExit, BaseException]
)
def test_whatever_an_answer_raises_is_shown(error: type[BaseException]) -> None:
    i18n.use("en")

    def answer(stream: Any) -> None:
        raise error

    verdict = exercise("04-stream/first-token").judge(answer)
    assert verdict.outcome == INCORRECT and error.__name__ in verdict.text


def test_an_interrupt_stops_a_check() -> None:
    def answer(stream: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exercise("04-stream/first-token").judge(answer)


def test_pytests_own_failures_are_failures() -> None:
    i18n.use("en")

    def check_headline(headline: Any) -> None:
        pytest.fail("on principle")

    verdict = exercise("10-providers/title-test").judge(check_headline)
    assert verdict.outcome == INCORRECT and "on principle" in verdict.text


def test_a_learners_exception_is_shown_with_their_own_line(
    stream_exercise: exercises.Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    code = "def first_token(stream):\n    for chunk in stream:\n        return chunk.txt\n"
    exec(compile(code, "<ipython-input-7>", "exec"), names)
    linecache.cache["<ipython-input-7>"] = (len(code), None, code.splitlines(True), "x")
    stream_exercise.check(names["first_token"])
    text = said(capsys)
    assert text.startswith("**Not yet.** Your code raised `AttributeError:")
    assert "in line 3: `return chunk.txt`" in text
    assert progress.read()["04-stream/first-token"]["attempts"] == 1


def test_a_check_that_takes_too_long_is_stopped(
    stream_exercise: exercises.Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.2)
    stopped = []

    def first_token(stream: Any) -> str:
        try:
            while True:
                pass
        finally:
            stopped.append(True)

    result = stream_exercise.judge(first_token)
    assert (result.outcome, result.key) == (INCORRECT, "slow")
    assert "never ends" in result.text
    for _ in range(100):
        if stopped:
            break
        threading.Event().wait(0.02)
    assert stopped, "the endless loop does not go on in the background"


def test_hints_come_one_by_one_and_then_there_are_no_more(
    stream_exercise: exercises.Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for _ in range(3):
        exercise("04-stream/first-token").hint()
        told.append(said(capsys))
    assert told[0].startswith("**Hint 1 of 2.**") and told[1].startswith("**Hint 2 of 2.**")
    assert "no more hints" in told[2] and "solution()" in told[2]


def test_the_solution_comes_after_a_try_or_when_asked_twice(
    stream_exercise: exercises.Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    stream_exercise.check(...)
    assert said(capsys).startswith("**Not attempted.**")
    stream_exercise.solution()
    assert "Try first" in said(capsys)
    exercise("04-stream/first-token").solution()
    assert "if chunk.text:" in said(capsys)
    other = exercise("04-stream/collect")
    other.check(lambda stream: 1)
    capsys.readouterr()
    other.solution()
    assert "whole = chunk" in said(capsys)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_the_sources_there_is_no_solution_and_everything_else_works(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from helpers.authoring import source

    monkeypatch.setattr(source, "SOURCE", tmp_path / "nothing")
    i18n.use(lang)
    one = exercise("04-stream/first-token")
    one.check(lambda stream: next(chunk.text for chunk in stream if chunk.text))
    one.hint()
    one.solution()
    text = said(capsys)
    texts = exercises.TEXTS[lang]
    assert texts["correct"].partition(" ")[0] in text and texts["no_solution"] in text


def test_no_solution_is_handed_out_in_what_a_learner_gets() -> None:
    cells = [
        c for path in builder.NOTEBOOKS.glob("??/*.ipynb") for c in nbformat.read(path, 4).cells
    ]
    learners = "\n".join(
        [exercises.TEXTS_FILE.read_text("utf-8"), *(cell.source for cell in cells)]
    )
    for lesson in LESSONS:
        for cell in lesson.cells:
            for match in SOLUTION.finditer(cell.text.get("en", "")):
                code = re.sub(r" *# @\w\w$", "", match["solution"], flags=re.MULTILINE).strip()
                if not code.startswith("answer ="):  # a letter of a multiple-choice question
                    assert code not in learners, f"{lesson.name}, {cell.id}"
    assert "BEGIN SOLUTION" not in learners
    assert all("." not in cell.id for cell in cells)


def test_an_unknown_exercise_names_those_there_are() -> None:
    with pytest.raises(LookupError, match="'04-stream/nothing'.*04-stream/first-token"):
        exercise("04-stream/nothing")


def test_stubs_are_recognised_and_answers_are_not_mistaken_for_stubs() -> None:
    def empty() -> None: ...

    def documented() -> None:
        """Say something."""

    async def empty_async() -> None:
        """Say something."""

    async def working_async() -> None:
        await working_async()

    def constant() -> int:
        return 1

    def working() -> None:
        print()

    assert all(map(exercises.is_stub, [..., empty, documented, empty_async]))
    assert not any(map(exercises.is_stub, [None, 0, "", constant, working, working_async, len]))


def test_of_a_class_that_is_half_done_the_methods_are_named_that_are_not() -> None:
    class Untouched:
        def __init__(self) -> None:
            self.heard = 0

        def first(self) -> None: ...

        def second(self) -> None:
            """Do something."""

    class HalfDone(Untouched):
        def first(self) -> None:
            self.heard = 1

        def second(self) -> None: ...

    class Working(HalfDone):
        def second(self) -> None:
            self.heard = 2

    parts = exercises.stubs_in
    assert [parts("A", kind) for kind in (Untouched, Working, ...)] == [["A"], [], ["A"]]
    assert parts("A", HalfDone) == ["A.second"]
    i18n.use("en")
    tally = exercise("08-usage-and-tracing/tally")
    half, untouched = tally.judge(HalfDone), tally.judge(Untouched)
    assert half.outcome == untouched.outcome == UNTOUCHED
    assert half.text == "**Not finished.** Still as it was handed out: `Tally.second`."
    assert untouched.text.startswith("**Not attempted.**")


def test_the_buttons_check_the_names_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressed again after the cell was changed, Check judges what the name holds then."""
    i18n.use("en")
    held: dict[str, Any] = {}
    shell = type("Shell", (), {"user_ns": held})
    monkeypatch.setattr(InteractiveShell, "instance", lambda: shell)
    panel = exercise("04-stream/first-token")._panel("")
    buttons, message = panel.children
    check, hint, solution = buttons.children
    assert [button.description for button in buttons.children] == ["Check", "Hint", "Solution"]
    check.click()
    assert "Not attempted" in message.value and 'role="status"' in message.value
    held["first_token"] = lambda stream: next(stream).text
    check.click()
    assert "<strong>Not yet.</strong>" in message.value
    held["first_token"] = lambda stream: next(c.text for c in stream if c.text)
    check.click()
    assert "<strong>Correct.</strong>" in message.value
    hint.click()
    assert "Hint 1 of 2" in message.value
    solution.click()
    assert "<code" in message.value and "chunk.text" in message.value


def test_what_a_learner_answers_cannot_become_markup() -> None:
    shown = exercises.render(exercises.shorten("<script>`x`</script>"))
    assert "<script>" not in shown
    assert exercises.shorten("a" * 300).endswith("…") and len(exercises.shorten("a" * 300)) == 200


@pytest.mark.parametrize("content", ["{", '{"version": 0, "exercises": {}}', "[]", '{"version": 1, "exercises": {"a": 1}}', '{"version": 1, "exercises": {"a": {"attempts": "1", "solved": null}}}'])  # fmt: skip
def test_a_damaged_or_older_progress_file_is_set_aside(own_progress: Path, content: str) -> None:
    own_progress.mkdir()
    (own_progress / "progress.json").write_text(content, encoding="utf-8")
    progress.record("04-stream/first-token", solved=True)
    (aside,) = own_progress.glob("progress-*.json")
    assert aside.read_text("utf-8") == content
    assert list(progress.read()) == ["04-stream/first-token"]


def test_progress_counts_attempts_keeps_success_and_starts_over(
    own_progress: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    i18n.use("en")
    for name, solved in [
        ("04-stream/first-token", True),
        ("04-stream/first-token", False),
        ("00-start/ask", True),
    ]:
        progress.record(name, solved)
    entry = progress.read()["04-stream/first-token"]
    assert entry["attempts"] == 2 and re.fullmatch(r"\d{4}-\d\d-\d\d", entry["solved"])
    helpers.show_progress()
    shown = said(capsys)
    assert re.search(r"04-stream +1 of 4", shown) and re.search(r"00-start +1 of 3", shown)
    assert exercises.main("progress", ["--reset", "04"]) == 0
    assert list(progress.read()) == ["00-start/ask"]
    assert exercises.main("progress", ["--reset"]) == 0
    assert progress.read() == {}
    with pytest.raises(SystemExit):
        exercises.main("progress", ["--reset", "99"])
    capsys.readouterr()
    assert exercises.main("progress", ["--lang", "fr"]) == 0
    assert " sur " in capsys.readouterr().out


@pytest.mark.parametrize("failing", ["read_text", "replace"])
def test_what_cannot_be_read_is_not_written_over(
    failing: str,
    own_progress: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither a file that the system will not open, nor a damaged one that cannot be moved."""
    i18n.use("en")
    own_progress.mkdir()
    file = own_progress / "progress.json"
    content = '{"version": 1, "exercises": {}}' if failing == "read_text" else "{"
    file.write_text(content, encoding="utf-8")

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError("the file is in use")

    with monkeypatch.context() as patched:
        patched.setattr(Path, failing, refused)
        exercise("04-stream/first-token").check(lambda stream: 7)
        assert "could not be saved: the file is in use" in said(capsys)
        helpers.show_progress()
        assert "could not be read: the file is in use" in capsys.readouterr().out
        monkeypatch.setattr(exercises, "_states", {})
        exercise("04-stream/first-token").solution()  # as one who has not tried yet
        assert exercises.TEXTS["en"]["try_first"] in said(capsys)
        assert exercises.main("progress", ["--reset"]) == 1
    assert file.read_text(encoding="utf-8") == content


def test_two_notebooks_at_once_lose_nothing(own_progress: Path) -> None:
    import subprocess

    code = (
        "from helpers import progress\nimport sys\n"
        "for i in range(25): progress.record(f'{sys.argv[1]}/{i}', True)\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("a", "b")]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0]
    assert len(progress.read()) == 50
    assert not list(own_progress.glob("progress-*.json"))


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_fail(
    own_progress: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    i18n.use("en")
    own_progress.write_text("a file where the folder should be", encoding="utf-8")
    exercise("04-stream/first-token").check(lambda stream: next(c.text for c in stream if c.text))
    text = said(capsys)
    assert text.startswith("**Correct.**") and "could not be saved" in text


def test_nothing_is_kept_while_building(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend.without_real_model()[progress.FOLDER_VARIABLE] == os.devnull
    monkeypatch.setenv(progress.FOLDER_VARIABLE, os.devnull)
    progress.record("04-stream/first-token", solved=True)
    assert progress.read() == {}


def keys_in(tree: ast.AST) -> set[str]:
    """Return the keys of messages that the code raises."""
    places = {"wrong_unless": 1, "WrongAnswer": 0}
    return {
        constant.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        for argument in call.args[places.get(call.func.id, 9) :][:1]
        for constant in ast.walk(argument)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }


@pytest.mark.parametrize(
    "path", sorted(Path(helpers.exercises.checks.__file__).parent.glob("lesson_*.py"))
)
def test_a_check_may_only_use_messages_that_exist(path: Path) -> None:
    """Each key that a check can raise stands in the lesson's texts."""
    tree = ast.parse(path.read_text("utf-8"))
    number = path.stem[-2:]
    texts = {name: own for name, own in exercises.all_texts().items() if name.startswith(number)}
    judged = 0
    for function in tree.body:
        for decorator in getattr(function, "decorator_list", []):
            if isinstance(decorator, ast.Call) and isinstance(decorator.args[0], ast.Constant):
                name = str(decorator.args[0].value)
                judged += 1
                assert keys_in(function) <= set(texts[name]), name
    assert judged or "choice(" in path.read_text("utf-8")
    assert keys_in(tree) <= set().union(*texts.values())


def test_a_wrong_answer_is_an_exception_with_its_fields() -> None:
    error = WrongAnswer("whole", got="x")
    assert (error.key, error.fields) == ("whole", {"got": "x"})


def test_print_works_again_after_a_check_that_did_not_end(
    stream_exercise: exercises.Exercise,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(exercises, "TIME_LIMIT", 0.1)

    def first_token(stream: Any) -> str:
        threading.Event().wait(0.5)
        return "late"

    before = sys.stdout
    assert stream_exercise.judge(first_token).key == "slow"
    assert sys.stdout is before
    print("heard")
    assert "heard" in capsys.readouterr().out


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_handed_over_wrongly_is_said_and_not_raised(lang: str) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    def leave(stream: Any) -> None:
        sys.exit(1)

    i18n.use(lang)
    texts = exercises.TEXTS[lang]
    first_token = exercise("04-stream/first-token")
    save_load = exercise("02-messages/save-load")
    assert first_token.judge().outcome == UNTOUCHED
    assert (
        "`first_token`" in first_token.judge().text and "`save`, `load`" in save_load.judge(1).text
    )
    assert texts["not_callable"] in first_token.judge("text").text
    assert "Odd" in first_token.judge(lambda stream: Odd()).text
    assert "SystemExit" in first_token.judge(leave).text
    half = save_load.judge(lambda messages, path: 1, ...)
    assert half.outcome == UNTOUCHED and "`load`" in half.text and "`save`" not in half.text
    assert "``" not in exercise("04-stream/collect").judge(lambda stream: next(stream) and "").text
    assert "\\ud800" in exercises.shorten("a\ud800")


@pytest.mark.parametrize(("answer", "outcome"), [("b", CORRECT), ("B)", CORRECT), ("(b)", CORRECT), ("b) the server", CORRECT), ("", INCORRECT), ("ab", INCORRECT), ("ac", INCORRECT), (None, INCORRECT)])  # fmt: skip
def test_a_choice_is_a_letter_however_it_is_written(answer: object, outcome: str) -> None:
    i18n.use("en")
    assert exercise("00-start/both").judge(answer).outcome == outcome


def test_after_a_restart_the_solution_knows_of_earlier_attempts(
    stream_exercise: exercises.Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.record("04-stream/first-token", solved=False)
    stream_exercise.solution()
    assert "if chunk.text:" in said(capsys)
