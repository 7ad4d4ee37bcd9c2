"""Tests of checks that take too long."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from helpers.exercises import running
from helpers.exercises.verdict import INCORRECT

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
