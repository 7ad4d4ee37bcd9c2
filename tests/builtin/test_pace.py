"""The pace of the built-in model: a wait that grows with the request, then bursts, always the same."""

from __future__ import annotations

import pytest

from helpers.builtin import pace


def test_the_same_request_is_answered_at_the_same_times() -> None:
    assert pace.times("a", 500, 50, 40) == pace.times("a", 500, 50, 40)
    assert pace.times("a", 500, 50, 40) != pace.times("b", 500, 50, 40)


def test_a_wait_and_then_bursts() -> None:
    times = pace.times("a", 500, 200, 40)
    assert len(times) == 201 and times[0] == 0 and times == sorted(times)
    assert 0.2 < times[1] < 0.5
    gaps = [later - sooner for sooner, later in zip(times[1:], times[2:], strict=False)]
    assert 20 < gaps.count(0) < 180 and max(gaps) < 0.2
    assert abs((times[-1] - times[1]) / 200 * 40 - 1) < 0.2


def test_the_first_token_waits_for_what_is_read() -> None:
    first = [pace.times("a", size, 1, 40)[1] for size in (500, 5_000, 50_000, 500_000, 900_000)]
    assert first[0] < first[1] < first[2] == first[3] == first[4] < 2
    assert [100 * seconds for seconds in pace.times("a", 500, 9, 4_000)] == [
        pytest.approx(seconds) for seconds in pace.times("a", 500, 9, 40)
    ]


def test_no_pace_is_no_waiting() -> None:
    assert pace.times("a", 500, 3, 0) == [0, 0, 0, 0]
