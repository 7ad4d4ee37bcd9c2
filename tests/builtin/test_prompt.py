"""What a prompt counts, which of it was read before, and what a model thinks before it speaks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from helpers.builtin import MODEL, THINKING, chat_request, routes, thinking, tokens
from helpers.builtin.prompt import CACHED_FROM, CACHED_STEP, Cache
from tests.builtin.asking import COUNT, answered

USER = {"role": "user", "content": COUNT}
PLAIN = tokens.count_messages([COUNT])
TOOL = {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}}
SCHEMA = {"name": "s", "schema": {"type": "object"}}
FORMAT = {"type": "json_schema", "json_schema": SCHEMA}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"x":"a b"}'}}
ROUND = [
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "1", "content": "c"},
]


def picture(**detail: str) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": "https://example.org/x.png", **detail}}
    return {"role": "user", "content": [part, {"type": "text", "text": COUNT}]}


def ask(state: routes.State, **more: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the answer to a request."""
    body = json.dumps({"model": MODEL, "messages": [USER], **more}).encode()
    post = routes.Asked("POST", "/v1/chat/completions", {}, body, len(body))
    head, text = (step for step in routes.answer(state, post) if not isinstance(step, float))
    assert isinstance(head, routes.Head) and isinstance(text, bytes)
    return head.status, json.loads(text)


def of(part: Any) -> int:
    return tokens.count(json.dumps(part, separators=(",", ":")))


@pytest.mark.parametrize(
    ("body", "more"),
    [
        ({}, 0),
        ({"tools": [{"type": "function", "function": TOOL}] * 2}, 2 * of(TOOL)),
        ({"response_format": FORMAT}, of(SCHEMA)),
        ({"response_format": {"type": "text"}}, 0),
        ({"messages": [USER, *ROUND]}, 2 * 3 + tokens.count('f{"x":"a b"}') + 1),
        ({"messages": [picture()]}, 765),
        ({"messages": [picture(detail="high")]}, 765),
        ({"messages": [picture(detail="low")]}, 85),
    ],
)
def test_a_prompt_is_all_that_a_request_holds(body: dict[str, Any], more: int) -> None:
    usage = ask(routes.State(0), **body)[1]["usage"]
    assert usage["prompt_tokens"] == PLAIN + more
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_beginning_of_a_prompt_is_cached() -> None:
    cache = Cache()
    prompt = [str(number) for number in range(CACHED_FROM + 2 * CACHED_STEP - 1)]
    assert cache.read(MODEL, prompt[: CACHED_FROM - 1]) == 0
    assert cache.read(MODEL, prompt) == 0
    assert cache.read(MODEL, prompt) == CACHED_FROM + CACHED_STEP
    assert cache.read(MODEL, prompt[: CACHED_FROM + 1]) == CACHED_FROM
    assert cache.read(MODEL, prompt[: CACHED_FROM - 1]) == 0, "too short"
    assert cache.read("big", prompt) == 0, "another model"
    assert cache.read(MODEL, ["x", *prompt[1:]]) == 0, "another beginning"
    assert cache.read(MODEL, [*prompt[:-CACHED_STEP], *"x" * CACHED_STEP]) == CACHED_FROM

    state = routes.State(0)
    messages = [{"role": "system", "content": "word " * 130}, USER]
    cached = [
        ask(state, messages=messages)[1]["usage"]["prompt_tokens_details"]["cached_tokens"]
        for _ in range(2)
    ]
    assert cached == [0, 144]


@pytest.mark.parametrize(("effort", "count"), [*thinking.EFFORTS.items(), (None, 64)])
def test_a_thought_comes_first_and_counts(effort: str | None, count: int) -> None:
    state = routes.State(0)
    whole = ask(state, model=THINKING, reasoning_effort=effort)[1]
    assert whole["choices"][0]["message"]["content"] == answered("count")
    usage = whole["usage"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == count
    assert usage["completion_tokens"] == count + tokens.count(answered("count"))
    for limit, text in ((count, ""), (count + 3, "1, 2")):
        if limit:
            body = {"reasoning_effort": effort, "max_completion_tokens": limit}
            short = ask(state, model=THINKING, **body)[1]
            [choice] = short["choices"]
            assert (choice["message"]["content"], choice["finish_reason"]) == (text, "length")
            assert short["usage"]["completion_tokens"] == limit


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"temperature": 0.2}, "'temperature' does not support 0.2 with this model. Only the default (1)"),
        ({"top_p": 0.5}, "'top_p' does not support"),
        ({"stop": ["x"]}, "Unsupported parameter: 'stop' is not supported with this model."),
        ({"max_tokens": 9}, "Use 'max_completion_tokens' instead"),
        ({"reasoning_effort": "minimal"}, "Supported values are: 'none', 'low', 'medium', 'high'."),
        ({"temperature": 1, "stop": None, "presence_penalty": 0}, ""),
        ({"reasoning_effort": "none", "temperature": 0.2, "stop": ["x"]}, ""),
        ({"model": "big", "temperature": 0.2, "reasoning_effort": "minimal"}, ""),
    ],
)  # fmt: skip
def test_who_thinks_takes_no_temperature(body: dict[str, Any], message: str) -> None:
    status, answer = ask(routes.State(0), **{"model": THINKING, **body})
    assert status == (400 if message else 200)
    assert message in answer.get("error", {"message": ""})["message"]


def test_a_long_prompt_is_read_quickly() -> None:
    content = [{"type": "image_url", "image_url": {"url": "https://x/" + "y" * 1000}}] * 500
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": content}]})
    assert len(chat_request.parse(body.encode()).prompt) == 500 * tokens.PICTURE + 6
