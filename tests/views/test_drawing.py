"""The pictures: what they say, what they draw, and how they stand bad data."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from helpers import i18n, views
from helpers.views import drawing, timeline


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


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("en", ["loop: 0 calls in 0.00 s", "loop: 1 call in 0.00 s", "loop: 2 calls in 0.00 s"]),
        ("zh", [f"loop：{count} 次调用，共 0.00 秒" for count in range(3)]),
        (
            "fr",  # where none is singular too, and a number has a decimal comma
            [
                "loop\u00a0: 0 appel en 0,00 s",
                "loop\u00a0: 1 appel en 0,00 s",
                "loop\u00a0: 2 appels en 0,00 s",
            ],
        ),
    ],
)
def test_calls_are_counted_by_each_languages_rule(
    lang: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    i18n.use(lang)
    monkeypatch.setattr(timeline, "perf_counter", lambda: 1.0)  # no time passes
    clock = views.Timeline().lane("loop")
    for line in said:
        assert repr(clock) == line
        clock.on_chat_model_start({}, [[HumanMessage("x")]], run_id=uuid4())


def test_tokens_are_counted_by_each_languages_rule(capsys: pytest.CaptureFixture[str]) -> None:
    i18n.use("fr")
    for texts in ([], ["A"], ["A", "B"]):
        list(views.watch(AIMessageChunk(content=text) for text in texts))
    none, one, two = capsys.readouterr().out.splitlines()
    assert none == "aucun token n’est arrivé"
    assert one.startswith("1 token\u00a0; ") and two.startswith("2 tokens\u00a0; ")


def test_an_empty_timeline_and_one_without_a_lane() -> None:
    clock = views.Timeline()
    assert repr(clock) == "" and clock.svg().endswith("</svg>")
    clock.on_chat_model_start({}, [[HumanMessage("x")]], run_id=uuid4())
    clock.on_llm_end(None, run_id=uuid4())  # of a call that began before
    assert repr(clock).startswith(": 1 call in")
