"""The replay of a run: what it shows of patches and of events, and how it stands bad data."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.tracers.log_stream import RunLogPatch

from helpers import i18n
from helpers.i18n import LANGUAGES
from helpers.views import Replay


def patch(*ops: tuple[str, str, Any]) -> RunLogPatch:
    return RunLogPatch(*({"op": op, "path": path, "value": value} for op, path, value in ops))


def chunk(text: str) -> RunLogPatch:
    message = AIMessageChunk(content=text)
    return patch(("add", "/streamed_output/-", message), ("replace", "/final_output", message))


def begun() -> RunLogPatch:
    """Return a first patch; its list is the document's, so that each test takes its own."""
    return patch(
        (
            "replace",
            "",
            {"streamed_output": [], "final_output": None, "logs": {"a": {"b": {"c": 1}}}},
        )
    )


def event(kind: str, name: str, line: str, **data: Any) -> dict[str, Any]:
    """Return an event of the last of the runs in `line`, one letter each, outermost first."""
    return {
        "event": f"on_{kind}",
        "name": name,
        "run_id": line[-1],
        "parent_ids": list(line[:-1]),
        "data": data,
    }


EVENTS = [
    event("chain_start", "quiz", "q", input={"question": "<b>?"}),
    event("chain_start", "answering", "qa"),
    event("chain_start", "checking", "qc"),
    event("chat_model_start", "writer", "qaw"),
    event("chat_model_stream", "writer", "qaw", chunk=AIMessageChunk(content="A ")),
    event("chat_model_stream", "writer", "qaw", chunk=AIMessageChunk(content="bird.")),
    event("chat_model_end", "writer", "qaw", output=AIMessageChunk(content="A bird.")),
    event("chain_end", "answering", "qa", output="A bird."),
]


def panes(replay: Replay) -> tuple[Any, Any, Any, list[Any]]:
    """Return the widget's slider, its buttons, and its two panes."""
    controls, below = replay._panel().children
    slider, previous, following = controls.children
    return slider, previous, following, list(below.children)


def lines(pane: Any) -> list[str]:
    """Return a pane's lines, as HTML."""
    return re.findall(r"<span[^>]*>(.*?)</span>", pane.value)


def marked(pane: Any) -> list[str]:
    """Return the lines that stand out, with the sign in their margin."""
    return re.findall(r"<b>(\S .*?)</b>", "".join(lines(pane)))


def test_a_step_marks_what_it_changed_in_the_document() -> None:
    patches = [begun(), chunk("The"), chunk(" end")]
    slider, _, _, (operations, document) = panes(Replay(patches))
    assert len(marked(document)) == len(lines(document)) > 1, "the first patch makes it all"
    slider.value = 3
    assert "What step 3 does" in operations.value
    assert "path: &#x27;/streamed_output/-&#x27;" in operations.value
    assert marked(document) == [
        "+     AIMessageChunk(&#x27; end&#x27;)",
        "~   &quot;final_output&quot;: AIMessageChunk(&#x27; end&#x27;)",
    ]
    assert "    &quot;a&quot;: {b}" in document.value, "what is deep and unchanged is folded"
    slider.value = 2
    assert "end" not in document.value.partition("<pre")[2], "back again"


def test_handing_patches_over_leaves_them_as_they_are() -> None:
    patches = [begun(), chunk("The")]
    panes(Replay(patches))[0].value = 2
    assert patches == [begun(), chunk("The")]


def test_a_long_list_in_the_document_is_shown_without_its_middle() -> None:
    patches = [begun(), *(chunk(f"<{number}>") for number in range(9))]
    slider, _, _, (_, document) = panes(Replay(patches))
    slider.value = 10
    shown = re.findall(r"AIMessageChunk\(&#x27;&lt;(\d)&gt;", document.value)
    assert shown == ["0", "6", "7", "8", "8"] and "… 5 more" in document.value


def test_the_runs_stand_below_those_that_they_lie_in() -> None:
    slider, _, _, (fields, runs) = panes(Replay(EVENTS))
    slider.value = 6
    assert "event: &#x27;on_chat_model_stream&#x27;" in fields.value
    assert lines(runs) == [
        "  quiz (running)",
        "      answering (running)",
        "<b>▶         writer (running)</b>",
        "<b>▶             &#x27;A bird.&#x27;</b>",
        "      checking (running)",
    ]
    assert "padding-left: 14ch; text-indent: -14ch" in runs.value, "where a line is broken"
    slider.value = 7
    assert "writer (ended)" in runs.value and "answering (running)" in runs.value


def test_a_run_that_failed_is_called_so_and_one_without_an_end_does_not_run_for_ever() -> None:
    failed = event("tool_error", "weather", "qt", error=ValueError("no"))
    recorded = [EVENTS[0], event("tool_start", "weather", "qt"), failed]
    slider, _, _, (_, runs) = panes(Replay(recorded))
    slider.value = 2
    assert "quiz (running)" in runs.value and "weather (running)" in runs.value
    slider.value = 3
    assert "quiz (no end recorded)" in runs.value and "weather (failed)" in runs.value


def test_events_of_a_filter_need_no_parents() -> None:
    slider, _, _, (_, runs) = panes(Replay(EVENTS[3:7]))
    slider.value = 4
    assert marked(runs) == ["▶ writer (ended)", "▶     &#x27;A bird.&#x27;"]


def test_the_buttons_move_the_slider_and_stop_at_the_ends() -> None:
    slider, previous, following, _ = panes(Replay(EVENTS[:3]))
    assert previous.disabled and not following.disabled
    following.click()
    assert slider.value == 2 and not previous.disabled
    following.click()
    assert slider.value == 3 and following.disabled
    previous.click()
    assert slider.value == 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_saved_page_shows_a_table(lang: str) -> None:
    i18n.use(lang)
    bundle = Replay(EVENTS)._repr_mimebundle_()
    table = bundle["text/markdown"].splitlines()
    head = i18n._("step|event|name|data").split("|")
    assert table[0] == f"| {' | '.join(head)} |" and len(table) == 2 + len(EVENTS)
    assert table[2] == r"| 1 | on\_chain\_start | quiz | input: {question} |"
    assert table[6] == r"| 5 | · · on\_chat\_model\_stream | writer | chunk: AIMessageChunk('A ') |"
    title = i18n.ngettext("{count} event", "{count} events", 8).format(count=8)
    assert bundle["text/plain"].splitlines()[0] == title
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_of_a_long_run_the_table_leaves_out_the_middle_and_says_so() -> None:
    lines = repr(Replay([begun(), *(chunk(str(number)) for number in range(99))])).splitlines()
    assert lines[0] == "100 patches"
    assert sum("80 more steps" in line for line in lines) == 1
    steps = [line.split()[0] for line in lines[1:] if line[0].isdigit()]
    assert steps == [*map(str, range(1, 13)), *map(str, range(93, 101))]


@pytest.mark.parametrize(
    ("lang", "titles", "left_out"),
    [
        ("en", ["1 event", "1 patch", "21 patches"], "… 1 more step …"),
        ("fr", ["1 événement", "1 correctif", "21 correctifs"], "… 1 autre …"),
    ],
)
def test_one_is_singular(lang: str, titles: list[str], left_out: str) -> None:
    i18n.use(lang)
    long = [begun(), *(chunk(str(number)) for number in range(20))]
    shown = [repr(Replay(recorded)).splitlines() for recorded in (EVENTS[:1], [begun()], long)]
    assert [lines[0] for lines in shown] == titles
    assert [line.strip() for line in shown[2] if "…" in line] == [left_out]


def test_a_text_cannot_become_markup_or_break_the_table() -> None:
    odd = event("chat_model_stream", "a|b", "x", chunk=AIMessageChunk(content="<i>|*"))
    replay = Replay([odd])
    row = replay._repr_mimebundle_()["text/markdown"].splitlines()[-1]
    assert r"| a\|b | chunk: AIMessageChunk('&lt;i&gt;\|\*') |" in row
    assert "<i>" not in panes(replay)[3][1].value


def test_an_event_of_ones_own_carries_anything() -> None:
    own = [{**event("custom_event", "mine", "x"), "data": data} for data in ("news", 3, {"a": 1})]
    rows = repr(Replay(own)).splitlines()[1:]
    assert [row.rpartition("  ")[2] for row in rows] == ["'news'", "3", "{a}"]


async def nothing() -> AsyncIterator[Any]:
    yield None


REFUSED = {
    "generator": "This is an async generator, which has not run yet. Collect what it yields, then hand "
    "over the list: Replay([step async for step in chain.astream_events(question)])",
    "list": "Replay takes a list: all patches of one astream_log, or all events of one astream_events. "
    "This is of type {type}.",
    "empty": "The list is empty: there is nothing to replay.",
    "mixed": "All steps must be RunLogPatch, or all events of astream_events (v2, each with event, "
    "name, run_id, parent_ids and data). Step {step} is of type {type} and does not fit.",
    "v3": 'These are events of version "v3", which tell of one message and not of runs. Replay takes '
    "those of astream_events without version.",
    "log": "Step {step} is a RunLog, the sum of several patches. Hand over the patches themselves "
    "(astream_log without diff=False).",
    "gap": "Patch {step} does not fit the document. Hand over all patches of one run, in order.",
}
BAD: list[tuple[Any, type[Exception], str, dict[str, object]]] = [
    (nothing(), TypeError, "generator", {}),
    ({"event": "x"}, TypeError, "list", {"type": "dict"}),
    (begun(), TypeError, "list", {"type": "RunLogPatch"}),
    ("text", TypeError, "list", {"type": "str"}),
    (None, TypeError, "list", {"type": "NoneType"}),
    ([], ValueError, "empty", {}),
    ([1], TypeError, "mixed", {"step": 1, "type": "int"}),
    ([{"event": "message-start"}], TypeError, "v3", {}),
    ([{"event": "on_chain_start"}], TypeError, "mixed", {"step": 1, "type": "dict"}),
    ([{"name": "quiz"}], TypeError, "mixed", {"step": 1, "type": "dict"}),
    ([begun() + chunk("The")], TypeError, "log", {"step": 1}),
    ([begun(), EVENTS[0]], TypeError, "mixed", {"step": 2, "type": "dict"}),
    ([EVENTS[0], begun()], TypeError, "mixed", {"step": 2, "type": "RunLogPatch"}),
    ([chunk("The")], ValueError, "gap", {"step": 1}),
    ([begun(), patch(("add", "/logs/x/y", 1))], ValueError, "gap", {"step": 2}),
]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("recorded", "kind", "key", "named"), BAD)
def test_bad_data_is_named_in_the_readers_language(
    recorded: Any, kind: type[Exception], key: str, named: dict[str, object], lang: str
) -> None:
    i18n.use(lang)
    with pytest.raises(kind) as caught:
        Replay(recorded)
    assert str(caught.value) == i18n._(REFUSED[key]).format(**named)
    assert caught.value.__cause__ is None
