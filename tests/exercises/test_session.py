"""Tests of what a learner is told: verdicts, hints, model answers."""

from __future__ import annotations

import asyncio
import linecache
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from helpers import i18n
from helpers.exercises import exercise, progress, texts
from helpers.exercises.verdict import INCORRECT, UNTOUCHED, shorten
from helpers.i18n import LANGUAGES, _

if TYPE_CHECKING:
    from helpers.exercises.session import Exercise


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, GeneratorExit, SystemExit, BaseException]
)
def test_whatever_an_answer_raises_is_shown(error: type[BaseException]) -> None:

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

    def check_headline(headline: Any) -> None:
        pytest.fail("on principle")

    verdict = exercise("10-providers/title-test").judge(check_headline)
    assert verdict.outcome == INCORRECT and "on principle" in verdict.text


def test_a_learners_exception_is_shown_with_their_own_line(
    stream_exercise: Exercise, capsys: pytest.CaptureFixture[str]
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


def test_hints_come_one_by_one_and_then_there_are_no_more(
    stream_exercise: Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    told = []
    for _number in range(3):
        exercise("04-stream/first-token").hint()
        told.append(said(capsys))
    assert told[0].startswith("**Hint 1 of 2.**") and told[1].startswith("**Hint 2 of 2.**")
    assert "no more hints" in told[2] and "solution()" in told[2]


def test_the_solution_comes_after_a_try_or_when_asked_twice(
    stream_exercise: Exercise, capsys: pytest.CaptureFixture[str]
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
    monkeypatch.setattr(texts, "SOLUTIONS_FILE", tmp_path / "nothing.json")
    i18n.use(lang)
    one = exercise("04-stream/first-token")
    one.check(lambda stream: next(chunk.text for chunk in stream if chunk.text))
    one.hint()
    one.solution()
    text = said(capsys)
    assert _("**Correct.** {message}").partition(" ")[0] in text
    assert _("This copy of the course comes without solutions. Ask whoever gave it to you.") in text


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_handed_over_wrongly_is_said_and_not_raised(lang: str) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    def leave(stream: Any) -> None:
        sys.exit(1)

    i18n.use(lang)
    first_token = exercise("04-stream/first-token")
    save_load = exercise("02-messages/save-load")
    assert first_token.judge().outcome == UNTOUCHED
    assert "`first_token`" in first_token.judge().text
    assert i18n.listed(["`save`", "`load`"]) in save_load.judge(1).text
    not_callable = _("Hand over the function or class itself: its name, without brackets.")
    assert not_callable in first_token.judge("text").text
    assert "Odd" in first_token.judge(lambda stream: Odd()).text
    assert "SystemExit" in first_token.judge(leave).text
    half = save_load.judge(lambda messages, path: 1, ...)
    assert half.outcome == UNTOUCHED and "`load`" in half.text and "`save`" not in half.text
    assert "``" not in exercise("04-stream/collect").judge(lambda stream: next(stream) and "").text
    assert "\\ud800" in shorten("a\ud800")


def test_after_a_restart_the_solution_knows_of_earlier_attempts(
    stream_exercise: Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.record("04-stream/first-token", solved=False)
    stream_exercise.solution()
    assert "if chunk.text:" in said(capsys)


def test_a_folder_that_cannot_be_written_to_is_no_reason_to_fail(
    own_progress: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_progress.write_text("a file where the folder should be", encoding="utf-8")
    exercise("04-stream/first-token").check(lambda stream: next(c.text for c in stream if c.text))
    text = said(capsys)
    assert text.startswith("**Correct.**") and "could not be saved" in text
