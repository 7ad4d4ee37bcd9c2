"""The built-in model under load; python -m tests.load prints the figures, and a rival's."""

from __future__ import annotations

import json
from itertools import islice

from tests.builtin import load


def test_the_built_in_model_under_load() -> None:
    """One test, so that one process of pytest's puts the load on. What it says of speed is loose,
    because the machine has other things to do meanwhile."""
    with load.built_in() as where:
        [figures] = load.measure([where], plain=False, rounds=1)
    assert figures.wrong == []
    assert figures.growth < load.MOST_GROWTH
    assert 0 < figures.first <= figures.first_p95 < 5
    assert figures.tokens > 1000
    assert figures.calls > 50


def answer(case: load.Case, text: str, head: str = "HTTP/1.1 200 OK") -> load.Answer:
    return load.Answer(case, f"{head}\r\n\r\n{text}".encode(), 0, 0)


def test_what_is_wrong_is_seen() -> None:
    """Lost, broken off, refused or another's: the load test's own check finds it."""
    [case] = islice(load.cases("x", plain=False), 1)
    event = 'data: {"id": "ID", "choices": [{"index": 0, "delta": %s, "finish_reason": %s}]}\n\n'
    event = event.replace("ID", case.id)
    text = json.dumps({"content": case.text})
    whole = event % (text, "null") + event % ("{}", '"stop"')
    done = "data: [DONE]\n\n"
    assert load.problems(answer(case, whole + done)) == []
    for wrong in (
        "",
        done,
        whole,
        whole * 2 + done,
        whole.replace(case.id, "other") + done,
        whole.replace(case.text, "Hi") + done,
        whole.replace('"stop"', '"length"') + done,
        whole.replace('"index": 0', '"index": 1') + done,
        whole + whole.replace('"index": 0', '"index": 1') + done,
    ):
        assert load.problems(answer(case, wrong)), wrong
    assert load.problems(answer(case, whole + done, "HTTP/1.1 500 No"))
    assert load.problems(load.Answer(case, b"", 0, 0))
