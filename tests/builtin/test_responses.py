"""The Responses interface, by the openai package and LangChain; conftest checks every event's type."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

from helpers.builtin import MODEL, THINKING, routes, server, tokens
from tests.builtin.asking import COUNT, answered, asked, request

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


@pytest.fixture(scope="module")
def running() -> Iterator[server.Server]:
    started = server.serve(pace=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", started.url)
        patch.setenv("OPENAI_API_KEY", "none")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("LANGSMITH_TRACING_V2", "false")
        yield started
    started.close()


def post(running: server.Server, **body: Any) -> tuple[int, dict[str, Any]]:
    status, _, text = request(running, "POST", "/v1/responses", {"model": MODEL, **body})
    return status, json.loads(text)


def whole(model: Any, question: Any) -> AIMessageChunk:
    """Return the sum of a stream."""
    total, *chunks = model.stream(question)
    for chunk in chunks:
        total += chunk
    return total  # type: ignore[no-any-return]


def test_one_call_one_stream_and_a_round_of_tools(running: server.Server) -> None:
    chat = ChatOpenAI(model=MODEL, use_responses_api=True)
    message, streamed = chat.invoke(COUNT), whole(chat, COUNT)
    assert message.text == streamed.text == answered("count")
    assert message.usage_metadata == streamed.usage_metadata
    assert message.response_metadata["status"] == "completed"
    tools = chat.bind_tools([WEATHER])
    question = asked("weather")
    for called in (tools.invoke(question), whole(tools, question)):
        [call] = called.tool_calls
        assert (call["name"], call["args"]) == ("get_weather", {"city": "Paris"})
        result = {"role": "tool", "tool_call_id": call["id"], "content": "22 degrees"}
        assert "22 degrees" in tools.invoke([("user", question), called, result]).text
    schema = {**WEATHER["parameters"], "title": "Place"}  # type: ignore[dict-item]
    assert chat.with_structured_output(schema).invoke("It rains in “Paris”.") == {"city": "Paris"}


@pytest.mark.parametrize("effort", ["none", "low"])
def test_reasoning_items(running: server.Server, effort: str) -> None:
    chat = ChatOpenAI(model=THINKING, reasoning={"effort": effort, "summary": "auto"})
    for message in (chat.invoke(COUNT), whole(chat, COUNT)):
        kinds = [block["type"] for block in message.content_blocks]
        assert kinds == ["reasoning", "text"][effort == "none" :]
        assert effort == "none" or COUNT in str(message.content_blocks[0])
        assert chat.invoke([("user", "x"), message, ("user", COUNT)]).text == answered("count")


def test_what_is_sent_and_said_of_it(running: server.Server) -> None:
    content = [
        {"type": "input_text", "text": COUNT},
        {"type": "input_image", "image_url": "https://example.org/x.png", "detail": "low"},
    ]
    items = [
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "message", "role": "user", "content": content},
    ]
    status, answer = post(running, input=items, instructions="Be brief.", store=False)
    assert (status, answer["instructions"]) == (200, "Be brief.")
    expected = tokens.count_messages(["Be brief.", "No.", COUNT]) + tokens.PICTURE_LOW
    assert answer["usage"]["input_tokens"] == expected
    status, answer = post(running, input=COUNT, max_output_tokens=3)
    assert answer["incomplete_details"] == {"reason": "max_output_tokens"}
    assert answer["output"][0]["content"][0]["text"] == "1, 2"
    include = ["reasoning.encrypted_content"]
    status, answer = post(
        running, model=THINKING, input=COUNT, max_output_tokens=3, include=include
    )
    assert [item["type"] for item in answer["output"]] == ["reasoning"]
    assert answer["output"][0]["encrypted_content"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"type": "web_search_call"}]}, "input[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "text"}]}]}, "input[0].content[0].type"),
        ({"input": [{"type": "function_call_output", "call_id": "1", "output": ""}]}, "input[0].role"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice.function.name"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"text": {"format": {"type": "json_schema", "name": "!"}}}, "text.format.name"),
        ({"reasoning": {"effort": "x"}, "model": THINKING}, "reasoning.effort"),
        ({"stop": ["x"]}, "stop"),
    ],
)  # fmt: skip
def test_a_refused_request(running: server.Server, change: dict[str, Any], param: str) -> None:
    status, answer = post(running, **{"input": COUNT, **change})
    assert (status, answer["error"]["param"]) == (400, param)


def test_no_input_is_a_defect() -> None:
    generator = random.Random(5)
    atoms: list[Any] = [
        None,
        True,
        0,
        -1,
        10**30,
        "",
        "user",
        "message",
        "\ud800",
        "function",
        [],
        {},
        [{}],
    ]
    atoms += ["reasoning", "function_call", "function_call_output", "input_image", "json_schema"]
    keys = ["role", "content", "type", "text", "call_id", "name", "format", "effort", "output"]
    keys += ["arguments", "image_url", "detail", "summary", "tools", "mode", "schema", "strict"]
    names = ["input", "tools", "tool_choice", "text", "reasoning", "include", "instructions"]
    names += ["max_output_tokens", "stream", "metadata", "model", "parallel_tool_calls"]

    def value(depth: int) -> Any:
        kind = generator.randrange(3) if depth else 2
        if kind == 0:
            return [value(depth - 1) for _ in range(generator.randrange(3))]
        if kind == 1:
            return {key: value(depth - 1) for key in generator.sample(keys, 4)}
        return generator.choice(atoms)

    statuses = set()
    for _ in range(2000):
        change = {name: value(4) for name in generator.sample(names, 2)}
        sent = {"model": THINKING, "input": COUNT, "tools": [WEATHER], **change}
        body = json.dumps(sent).encode()
        asked_for = routes.Asked("POST", "/v1/responses", {}, body, len(body))
        steps = list(routes.answer(routes.State(0), asked_for))
        statuses |= {step.status for step in steps if isinstance(step, routes.Head)}
    assert statuses == {200, 400, 404}
