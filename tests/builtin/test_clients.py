"""OpenAI's own clients, Python's (sync and async) and Node's, against the built-in model.

Each goes through the same scenarios, and the same is asserted of what each gets.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel

from helpers.builtin import MODEL, book, server, tokens
from tests.builtin.asking import COUNT, STORY, answered

if TYPE_CHECKING:
    import openai

NODE = Path(__file__).with_name("node")
WEATHER = "What is the weather like in Paris?"
BEGINNING = "The capital of France is"
IN_JSON = "Describe the weather in JSON."


def tool(name: str, parameter: str) -> Any:
    parameters = {
        "type": "object",
        "properties": {parameter: {"type": "string"}},
        "required": [parameter],
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [tool("get_weather", "city"), tool("get_time", "zone")]


class Guest(BaseModel):
    name: str
    comes: bool


class Event(BaseModel):
    """The same as in node/client.mjs."""

    name: str
    year: int
    kind: Literal["talk", "party"]
    guests: list[Guest]
    note: str | None


def user(content: str) -> list[Any]:
    return [{"role": "user", "content": content}]


class Python:
    """The scenarios of node/client.mjs, for the sync and the async client alike."""

    def __init__(self, client: openai.OpenAI | openai.AsyncOpenAI) -> None:
        self.client: Any = client

    async def done(self, result: Any) -> Any:
        return await result if inspect.isawaitable(result) else result

    async def create(self, **body: Any) -> Any:
        return await self.done(self.client.chat.completions.create(model=MODEL, **body))

    async def pieces(self, stream: Any) -> list[Any]:
        import openai

        opened = await self.done(stream)
        if isinstance(opened, openai.Stream):
            return list(opened)
        return [chunk async for chunk in opened]

    def call(self, completion: Any) -> dict[str, Any]:
        [choice] = completion.choices
        calls = choice.message.tool_calls
        return {
            "id": calls[0].id,
            "type": calls[0].type,
            "name": calls[0].function.name,
            "text": calls[0].function.arguments,
            "calls": len(calls),
            "reason": choice.finish_reason,
        }

    async def whole(self) -> Any:
        whole = await self.create(messages=user(COUNT), n=2)
        texts = [choice.message.content for choice in whole.choices]
        return {"texts": texts, "usage": whole.usage.model_dump()}

    async def stream(self) -> Any:
        options = {"include_usage": True}
        chunks = await self.pieces(
            self.create(messages=user(STORY), stream=True, stream_options=options)
        )
        choices = [choice for chunk in chunks for choice in chunk.choices]
        return {
            "texts": [choice.delta.content or "" for choice in choices],
            "reasons": [choice.finish_reason for choice in choices if choice.finish_reason],
            "usage": chunks[-1].usage.model_dump(),
        }

    async def tool_required(self) -> Any:
        body = {"messages": user(WEATHER), "tools": TOOLS, "tool_choice": "required"}
        return self.call(await self.create(**body))

    async def tool_named(self) -> Any:
        named = {"type": "function", "function": {"name": "get_time"}}
        body = {"messages": user(WEATHER), "tools": TOOLS, "tool_choice": named}
        return self.call(await self.create(**body))

    async def tool_streamed(self) -> Any:
        body = {"messages": user(WEATHER), "tools": TOOLS, "tool_choice": "required"}
        chunks = await self.pieces(self.create(**body, stream=True))
        choices = [choice for chunk in chunks for choice in chunk.choices]
        calls = list(chain.from_iterable(choice.delta.tool_calls or [] for choice in choices))
        return {
            "id": calls[0].id,
            "type": calls[0].type,
            "name": calls[0].function.name,
            "text": "".join(call.function.arguments or "" for call in calls),
            "calls": len({call.index for call in calls}),
            "reason": choices[-1].finish_reason,
        }

    async def tool_result(self) -> Any:
        messages = user(WEATHER)
        first = await self.create(messages=messages, tools=TOOLS, tool_choice="required")
        message = first.choices[0].message
        ident = message.tool_calls[0].id
        result = {"role": "tool", "tool_call_id": ident, "content": "Sunny, 21 °C"}
        second = await self.create(messages=[*messages, message, result], tools=TOOLS)
        [choice] = second.choices
        return {"text": choice.message.content, "reason": choice.finish_reason}

    async def structured(self) -> Any:
        parse = self.client.chat.completions.parse
        body = {"model": MODEL, "messages": user(WEATHER), "response_format": Event}
        message = (await self.done(parse(**body))).choices[0].message
        return {"parsed": message.parsed.model_dump(), "text": message.content}

    async def json_object(self) -> Any:
        form = {"type": "json_object"}
        completion = await self.create(messages=user(IN_JSON), response_format=form)
        return {"text": completion.choices[0].message.content}

    async def legacy(self) -> Any:
        create = self.client.completions.create
        body = {"model": MODEL, "prompt": BEGINNING, "max_tokens": 100}
        whole = await self.done(create(**body))
        chunks = await self.pieces(create(**body, stream=True))
        return {
            "text": whole.choices[0].text,
            "reason": whole.choices[0].finish_reason,
            "usage": whole.usage.model_dump(),
            "texts": [choice.text for chunk in chunks for choice in chunk.choices],
        }

    async def refused(self) -> Any:
        import openai

        with pytest.raises(openai.APIStatusError) as raised:
            await self.create(messages=user(COUNT), temperature=3)
        error = raised.value
        return {
            "kind": type(error).__name__,
            "status": error.status_code,
            "param": error.param,
        }


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        running = server.serve(pace=0)
        yield running.url
        running.close()


@pytest.fixture(scope="module")
def node(url: str) -> dict[str, Any]:
    """Run all scenarios in one process of Node's, and return its lines by name."""
    if not shutil.which("node") or not (NODE / "node_modules").is_dir():
        reason = f"needs Node.js 20 or newer and, in {NODE}: npm ci"
        # Where everything is to be tested, a test that is skipped would go unnoticed.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    asked = {"count": COUNT, "story": STORY, "weather": WEATHER, "tools": TOOLS, "inJson": IN_JSON}
    command = ["node", "client.mjs", url, json.dumps(asked)]
    ran = subprocess.run(
        command, cwd=NODE, capture_output=True, text=True, encoding="utf-8", timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    return {line["name"]: line for line in map(json.loads, ran.stdout.splitlines())}


class Clients:
    """What a scenario gives through one of the clients."""

    def __init__(self, kind: str, url: str, request: pytest.FixtureRequest) -> None:
        self.kind = kind
        self.url = url
        self.request = request

    def run(self, scenario: str) -> Any:
        if self.kind == "node":
            line = self.request.getfixturevalue("node")[scenario]
            assert "error" not in line, line["error"]
            return line["result"]
        return asyncio.run(self.python(scenario))

    async def python(self, scenario: str) -> Any:
        import openai

        if self.kind == "sync":
            with openai.OpenAI(base_url=self.url, api_key="sk-none", max_retries=0) as sync:
                return await getattr(Python(sync), scenario)()
        async with openai.AsyncOpenAI(base_url=self.url, api_key="sk-none", max_retries=0) as own:
            return await getattr(Python(own), scenario)()


@pytest.fixture(params=["sync", "async", "node"])
def client(url: str, request: pytest.FixtureRequest) -> Clients:
    return Clients(request.param, url, request)


def test_two_choices_and_their_usage(client: Clients) -> None:
    got = client.run("whole")
    assert got["texts"] == [answered("count")] * 2
    written, prompt = 2 * tokens.count(answered("count")), 6 + tokens.count(COUNT)
    usage = got["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, written)
    assert usage["total_tokens"] == prompt + written


def test_a_stream(client: Clients) -> None:
    got = client.run("stream")
    assert [text for text in got["texts"] if text] == tokens.split(answered("story"))
    assert got["reasons"] == ["stop"]
    assert got["usage"]["completion_tokens"] == tokens.count(answered("story"))


@pytest.mark.parametrize(
    ("scenario", "name", "parameter", "reasons"),
    [
        ("tool_required", "get_weather", "city", ["tool_calls"]),
        # OpenAI ends the call of a tool that was named with "stop", other servers do not.
        ("tool_named", "get_time", "zone", ["stop", "tool_calls"]),
    ],
)
def test_a_tool_is_called(
    client: Clients, scenario: str, name: str, parameter: str, reasons: list[str]
) -> None:
    got = client.run(scenario)
    arguments = json.loads(got["text"])
    assert (got["name"], list(arguments)) == (name, [parameter])
    assert arguments[parameter] and isinstance(arguments[parameter], str)
    assert (got["type"], got["calls"]) == ("function", 1)
    assert got["id"] and got["reason"] in reasons


def test_a_streamed_call_is_the_same(client: Clients) -> None:
    whole, streamed = client.run("tool_required"), client.run("tool_streamed")
    whole["id"] = streamed["id"] = bool(whole["id"] and streamed["id"])
    assert streamed == whole


def test_a_tools_result_is_answered_in_words(client: Clients) -> None:
    got = client.run("tool_result")
    assert got["text"]
    assert got["reason"] == "stop"


def test_structured_output(client: Clients) -> None:
    got = client.run("structured")
    assert json.loads(got["text"]) == got["parsed"]
    Event.model_validate(got["parsed"], strict=True)


def test_json_mode(client: Clients) -> None:
    assert isinstance(json.loads(client.run("json_object")["text"]), dict)


def test_legacy_completions(client: Clients) -> None:
    got = client.run("legacy")
    assert got["text"] == "".join(got["texts"]) == book.go_on(BEGINNING)
    assert got["reason"] == "stop"
    assert got["usage"]["completion_tokens"] == tokens.count(book.go_on(BEGINNING))


def test_a_refusal_is_the_clients_own_error(client: Clients) -> None:
    expected = {"kind": "BadRequestError", "status": 400, "param": "temperature"}
    assert client.run("refused") == expected
