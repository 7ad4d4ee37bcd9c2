"""Tests of checks that take too long, print too much, or meet what was set globally."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core import globals as langchain_globals
from langchain_core.caches import InMemoryCache
from langchain_openai import ChatOpenAI

import helpers
from helpers.builtin import server
from helpers.exercises import exercise, running
from helpers.exercises.verdict import CORRECT, INCORRECT

if TYPE_CHECKING:
    from helpers.exercises.session import Exercise


def test_a_check_that_takes_too_long_is_stopped(
    stream_exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "TIME_LIMIT", 0.2)
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


def test_print_works_again_after_a_check_that_did_not_end(
    stream_exercise: Exercise,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(running, "TIME_LIMIT", 0.1)

    def first_token(stream: Any) -> str:
        threading.Event().wait(0.5)
        return "late"

    before = sys.stdout
    assert stream_exercise.judge(first_token).key == "slow"
    assert sys.stdout is before
    print("heard")
    assert "heard" in capsys.readouterr().out


@pytest.mark.parametrize(
    "hold",
    [
        lambda: re.match(r"(a|aa)+$", "a" * 33 + "b"),
        lambda: sum(range(2 * 10**7)),
        lambda: max(range(2 * 10**7)),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_code_that_cannot_be_stopped_is_told_from_quick_code(
    stream_exercise: Exercise,
    monkeypatch: pytest.MonkeyPatch,
    hold: Callable[[], object],
    fails: bool,
) -> None:
    monkeypatch.setattr(running, "TIME_LIMIT", 0.05)

    def first_token(stream: Any) -> str:
        hold()
        if fails:
            raise ValueError
        return str(next(chunk.text for chunk in stream if chunk.text))

    result = stream_exercise.judge(first_token)
    assert (result.outcome, result.key) == (INCORRECT, "slow")


def to_stdout() -> None:
    print("on and on")


def to_stderr() -> None:
    print("on and on", file=sys.stderr)


def in_lines() -> None:
    sys.stdout.writelines(["on\n", "and on\n"])


def in_another_thread() -> None:
    thread = threading.Thread(target=to_stderr)
    thread.start()
    thread.join()


def swallowing() -> None:
    with contextlib.suppress(BaseException):
        print("on and on")


@pytest.mark.parametrize(
    "speak",
    [to_stdout, to_stderr, in_lines, in_another_thread, swallowing],
    ids=lambda f: f.__name__,
)
# Where it is stopped is chance: it may be inside a destructor, or while it is being stopped.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", ["04-stream/first-token", "04-stream/collect"])
def test_what_an_endless_loop_prints_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    speak: Callable[[], None],
) -> None:
    """Neither before it is stopped nor after, where it cannot be stopped."""
    monkeypatch.setattr(running, "TIME_LIMIT", 0.2)
    monkeypatch.setattr(running, "GRACE", 0.2)
    end = threading.Event()

    def loop(stream: Any) -> None:
        while not end.is_set():
            speak()

    assert exercise(name).judge(loop).key == "slow"
    print("heard")
    time.sleep(0.1)
    end.set()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("heard\n", "")


def test_what_a_quick_answer_prints_is_shown_up_to_a_limit(
    stream_exercise: Exercise, capsys: pytest.CaptureFixture[str]
) -> None:
    def first_token(stream: Any) -> str:
        print("looking")
        print("!" * 10 * running.PRINTED, file=sys.stderr)
        return str(next(chunk.text for chunk in stream if chunk.text))

    assert stream_exercise.judge(first_token).outcome == CORRECT
    captured = capsys.readouterr()
    assert captured.out.startswith("looking\n")
    assert len(captured.err) == running.PRINTED


@pytest.fixture
def learners_own(monkeypatch: pytest.MonkeyPatch) -> InMemoryCache:
    """What a learner may set for all of LangChain, set; returns the cache."""
    cache = InMemoryCache()
    monkeypatch.setattr(langchain_globals, "_llm_cache", cache)
    monkeypatch.setattr(langchain_globals, "_debug", True)
    monkeypatch.setattr(langchain_globals, "_verbose", True)
    monkeypatch.setenv("LC_OUTPUT_VERSION", "v1")
    return cache


def switches() -> tuple[Any, ...]:
    return (
        langchain_globals.get_llm_cache(),
        langchain_globals.get_debug(),
        langchain_globals.get_verbose(),
        os.environ.get("LC_OUTPUT_VERSION"),
    )


def fail() -> None:
    raise ValueError


def wait() -> None:
    threading.Event().wait(0.3)


def set_others() -> None:
    langchain_globals.set_llm_cache(InMemoryCache())
    os.environ["LC_OUTPUT_VERSION"] = "v0"


@pytest.mark.parametrize("end", [lambda: None, fail, wait, set_others])
def test_what_is_set_for_all_of_langchain_is_as_good_as_not_set_and_there_again(
    learners_own: InMemoryCache, end: Callable[[], None]
) -> None:
    before = switches()
    assert before == (learners_own, True, True, "v1")
    seen: list[tuple[Any, ...]] = []

    def work() -> None:
        seen.append(switches())
        end()

    with contextlib.suppress(ValueError, running.TooSlow):
        running.run_limited(work, 0.2)
    assert seen == [(None, False, False, None)]
    assert switches() == before


@pytest.fixture
def slow_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server of the learner's own which takes longer than a check may; returns the model's name."""
    monkeypatch.setattr(running, "TIME_LIMIT", 0.4)  # a client is made in less
    slow = server.serve(pace=40)
    file = tmp_path / "learners.env"
    file.write_text(f"OPENAI_BASE_URL={slow.url}\nOPENAI_MODEL=big\n", encoding="utf-8")
    yield helpers.start("en", env_file=str(file))
    helpers.start("en", builtin=True)
    slow.close()


def test_a_slow_server_is_no_endless_loop(slow_server: str) -> None:
    def ask(question: str) -> tuple[str, str]:
        answer = ChatOpenAI(model=slow_server).invoke(question)
        return answer.response_metadata["model_name"], str(answer.text)

    begun = time.perf_counter()
    assert exercise("00-start/ask").judge(ask).outcome == CORRECT
    brief = ChatOpenAI(model=slow_server, max_completion_tokens=8)
    assert exercise("03-invoke/brief").judge(brief).outcome == CORRECT
    assert time.perf_counter() - begun > 2 * running.TIME_LIMIT


def test_whose_time_it_is_that_passes(
    slow_server: str, stream_exercise: Exercise, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call in a check that asks for none does not count, a loop does, and calls do not go on for ever."""
    model = ChatOpenAI(model=slow_server, max_completion_tokens=24)

    def first_token(stream: Any) -> str:
        pieces = [chunk.text for chunk in model.stream("What is a token?")]
        return str(next(chunk.text for chunk in stream if chunk.text)) if pieces else ""

    def endless(stream: Any) -> None:
        model.invoke("What is a token?")
        while True:
            pass

    def insatiable(stream: Any) -> None:
        while True:
            model.invoke("What is a token?")

    assert stream_exercise.judge(first_token).outcome == CORRECT
    result = stream_exercise.judge(endless)
    assert result.key == "slow" and "your chat model" not in result.text
    monkeypatch.setattr(running, "SERVER_LIMIT", 0.8)
    result = stream_exercise.judge(insatiable)
    assert result.key == "slow" and "your chat model, big" in result.text
    helpers.start("en", builtin=True)
    result = stream_exercise.judge(insatiable)
    assert result.key == "slow" and "your chat model" not in result.text
