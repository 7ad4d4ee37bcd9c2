"""The pictures: what they say, what they draw, and how they stand bad data."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from helpers import i18n, views
from helpers.views import drawing, timeline


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    i18n.use("en")


def test_watch_passes_every_chunk_on_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    chunks = [AIMessageChunk(content=text) for text in ("", "A", " parrot", "")]
    assert list(views.watch(iter(chunks))) == chunks
    assert "2 tokens; first after" in capsys.readouterr().out
    list(views.watch(iter(chunks[:2])))
    assert "1 token; first after" in capsys.readouterr().out


def test_a_timeline_draws_each_call_to_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(timeline, "perf_counter", lambda: now[0])
    clock = views.Timeline()
    for title, together in (("a loop", False), ("batch", True)):
        clock.lane(title)
        runs = [uuid4(), uuid4()]
        for run in runs:
            clock.on_chat_model_start({}, [[HumanMessage("<ask>")]], run_id=run)
            if not together:
                now[0] += 1
                clock.on_llm_end(None, run_id=run)
        if together:
            now[0] += 1
            clock.on_llm_end(None, run_id=runs[0])
            clock.on_llm_error(ValueError(), run_id=runs[1])
    assert repr(clock) == "a loop: 2 calls in 2.00 s\nbatch: 2 calls in 1.00 s"
    alone = views.Timeline()
    alone.lane("one")
    run = uuid4()
    alone.on_chat_model_start({}, [[HumanMessage("one")]], run_id=run)
    alone.on_llm_end(None, run_id=run)
    assert repr(alone) == "one: 1 call in 0.00 s"
    svg = clock.svg()
    bars = [
        tuple(map(float, bar))
        for bar in re.findall(r'x="([\d.]+)" y="\d+" width="([\d.]+)" height="14"', svg)
    ]
    half = (drawing.WIDTH - 50) / 2
    assert bars == [(40, half), (40 + half, half), (40, half), (40, half)]
    assert svg.count("<title>&lt;ask&gt;</title>") == 4


def test_french_has_a_decimal_comma(monkeypatch: pytest.MonkeyPatch) -> None:
    i18n.use("fr")
    clock = views.Timeline().lane("une boucle")
    assert repr(clock) == "une boucle\u00a0: 0 appels en 0,00 s"


def test_an_empty_timeline_and_one_without_a_lane() -> None:
    clock = views.Timeline()
    assert repr(clock) == "" and clock.svg().endswith("</svg>")
    clock.on_chat_model_start({}, [[HumanMessage("x")]], run_id=uuid4())
    clock.on_llm_end(None, run_id=uuid4())  # of a call that began before
    assert repr(clock).startswith(": 1 call in")
