"""The built-in model as its clients see it: LangChain, the openai package and plain HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from helpers.builtin import MODEL, MODELS, book, chat_request, handler, pace, routes, server, tokens
from helpers.i18n import LANGUAGES
from tests.builtin.asking import (
    COUNT,
    ENTRIES,
    KEY,
    STORY,
    answered,
    asked,
    eventually_idle,
    request,
    unfinished,
)

if TYPE_CHECKING:
    import openai
    from langchain_core.messages import AIMessageChunk
    from langchain_openai import ChatOpenAI

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: "


@pytest.fixture(scope="module", autouse=True)
def no_proxy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("LANGSMITH_TRACING_V2", "false")
        yield


@pytest.fixture(scope="module")
def running() -> Iterator[server.Server]:
    started = server.serve(pace=0)
    yield started
    started.close()


@pytest.fixture
def paced(running: server.Server) -> Iterator[server.Server]:
    running.pace = 200
    yield running
    running.pace = 0


@pytest.fixture
def chat(running: server.Server) -> ChatOpenAI:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=MODEL,
        base_url=running.url,
        api_key=SecretStr(KEY),
        stream_usage=True,
        max_retries=0,
    )


@pytest.fixture
def client(running: server.Server) -> Iterator[openai.OpenAI]:
    import openai

    with openai.OpenAI(base_url=running.url, api_key=KEY, max_retries=0) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_logged_or_printed(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """No test may leave a line where a learner would see it, nor the key anywhere."""
    caplog.set_level(logging.DEBUG)
    yield
    records = caplog.get_records("call")
    # traitlets: what the kernels of notebooks that ran before in this process have to say
    loud = [r for r in records if r.levelno >= logging.WARNING and r.name != "traitlets"]
    assert not loud
    ours = [r for r in records if r.name.split(".")[0] in ("helpers", "tornado", "asyncio")]
    assert not any(KEY in record.getMessage() for record in ours)
    assert capfd.readouterr() == ("", "")


def post(running: server.Server, **body: Any) -> dict[str, Any]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": COUNT}], **body}
    status, _, text = request(running, "POST", "/v1/chat/completions", body)
    return {"status": status, **json.loads(text)}


def events(running: server.Server, **body: Any) -> list[dict[str, Any]]:
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": COUNT}],
        "stream": True,
        **body,
    }
    status, headers, text = request(running, "POST", "/v1/chat/completions", body)
    assert status == 200
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    *data, done, end = text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in data]


# Through LangChain


def total(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


@pytest.mark.parametrize("lang", LANGUAGES)
def test_invoke_and_stream_through_langchain(chat: ChatOpenAI, lang: str) -> None:
    from langchain_core.messages import AIMessage, AIMessageChunk

    question = asked("regularization", lang)
    message = chat.invoke(question)
    chunks = [chunk for chunk in chat.stream(question) if isinstance(chunk, AIMessageChunk)]
    assert message.text == answered("regularization", lang)
    assert [chunk.text for chunk in chunks if chunk.text] == tokens.split(message.text)
    assert total(chunks).text == message.text
    assert isinstance(message, AIMessage)
    assert message.usage_metadata == total(chunks).usage_metadata
    assert message.usage_metadata
    assert message.usage_metadata["input_tokens"] == 6 + tokens.count(question)
    assert message.usage_metadata["output_tokens"] == tokens.count(message.text)
    assert message.response_metadata["finish_reason"] == "stop"
    assert message.response_metadata["model_name"] == MODEL
    assert total(chunks).response_metadata["finish_reason"] == "stop"
    assert total(chunks).response_metadata["model_name"] == MODEL


@pytest.mark.parametrize("lang", LANGUAGES)
def test_async_through_langchain_in_an_event_loop_of_its_own(chat: ChatOpenAI, lang: str) -> None:
    async def both() -> tuple[str, str]:
        question = asked("why-stream", lang)
        streamed = [chunk.text async for chunk in chat.astream(question)]
        return (await chat.ainvoke(question)).text, "".join(streamed)

    for _ in range(3):  # a kept-alive connection of a closed loop would fail here
        assert asyncio.run(both()) == (answered("why-stream", lang),) * 2


@pytest.mark.parametrize("lang", LANGUAGES)
def test_conversations_through_langchain(chat: ChatOpenAI, lang: str) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    capital = asked("capital", lang)
    pirate = SystemMessage(ENTRIES["capital-pirate"]["system"][lang])
    history = [
        HumanMessage(capital, name="ada"),
        AIMessage("…"),
        HumanMessage(asked("italy-alone", lang)),
    ]
    assert chat.invoke([pirate, HumanMessage(capital)]).text == answered("capital-pirate", lang)
    assert chat.invoke(history).text == answered("italy-after-france", lang)
    assert chat.invoke(history[-1:]).text == answered("italy-alone", lang)


def test_generate_adds_usage_up_without_a_warning(chat: ChatOpenAI) -> None:
    from langchain_core.messages import HumanMessage

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = chat.generate([[HumanMessage(asked("hello"))], [HumanMessage(COUNT)]])
    assert result.llm_output is not None
    expected = tokens.count(answered("hello")) + tokens.count(answered("count"))
    assert result.llm_output["token_usage"]["completion_tokens"] == expected


def test_stop_and_max_tokens_through_langchain(chat: ChatOpenAI) -> None:
    from langchain_core.messages import AIMessageChunk

    short = chat.bind(max_tokens=4)
    assert short.invoke(COUNT).text == "1, 2,"
    assert short.invoke(COUNT).response_metadata["finish_reason"] == "length"
    chunks = [chunk for chunk in short.stream(COUNT) if isinstance(chunk, AIMessageChunk)]
    assert total(chunks).text == "1, 2,"
    assert total(chunks).response_metadata["finish_reason"] == "length"
    stopped = chat.invoke(COUNT, stop=[", 5, 6"])
    assert (stopped.text, stopped.response_metadata["finish_reason"]) == ("1, 2, 3, 4", "stop")


def test_fifty_streams_at_once_each_get_their_own_answer(
    chat: ChatOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [name for name, entry in ENTRIES.items() if not {"system", "earlier"} & set(entry)]
    cases = [(name, lang) for name in names for lang in LANGUAGES][:50]
    assert len(cases) == 50
    answer = routes.answer
    begun: list[int] = []  # with how many of the others unfinished
    ended = 0
    deadline = time.monotonic() + 60  # where one has to end before another begins

    def all_at_once(state: routes.State, asked: routes.Asked) -> Iterator[routes.Step]:
        nonlocal ended
        begun.append(len(begun) - ended)
        while len(begun) < 50 and time.monotonic() < deadline:
            yield 0.01
        yield from answer(state, asked)
        ended += 1

    monkeypatch.setattr(routes, "answer", all_at_once)

    async def one(name: str, lang: str) -> str:
        return "".join([chunk.text async for chunk in chat.astream(asked(name, lang))])

    async def every() -> list[str]:
        return await asyncio.gather(*(one(*case) for case in cases))

    assert asyncio.run(every()) == [answered(*case) for case in cases]
    assert begun == [*range(50)]
    assert time.monotonic() < deadline, "all were under way at once"


# Through the openai package


def test_the_openai_client(client: openai.OpenAI) -> None:
    messages: Any = [{"role": "user", "content": asked("story")}]
    whole = client.chat.completions.create(model="big", messages=messages)
    chunks = list(
        client.chat.completions.create(
            model="big", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    assert whole.choices[0].message.content == answered("story")
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == answered(
        "story"
    )
    assert whole.model == chunks[0].model == "big"
    assert chunks[-1].usage == whole.usage
    again = client.chat.completions.create(model="big", messages=messages)
    assert again.model_dump() == whole.model_dump(), "the same request gives the same bytes"
    assert whole._request_id and whole._request_id != again._request_id


def test_the_async_openai_client(running: server.Server) -> None:
    import openai

    messages: Any = [{"role": "user", "content": COUNT}]

    async def both() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(base_url=running.url, api_key=KEY) as client:
            create = client.chat.completions.create
            whole = await create(model=MODEL, messages=messages)
            stream = await create(model=MODEL, messages=messages, stream=True)
            streamed = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return whole.choices[0].message.content, "".join(streamed)

    assert asyncio.run(both()) == (answered("count"),) * 2


def test_usage_has_every_field_that_the_client_knows(client: openai.OpenAI) -> None:
    from openai.types import CompletionUsage

    whole = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": COUNT}]
    )
    assert isinstance(whole.usage, CompletionUsage)
    assert None not in whole.usage.prompt_tokens_details.model_dump().values()  # type: ignore[union-attr]
    assert None not in whole.usage.completion_tokens_details.model_dump().values()  # type: ignore[union-attr]


def test_models(client: openai.OpenAI, running: server.Server) -> None:
    import openai

    assert [model.id for model in client.models.list()] == [*MODELS]
    assert client.models.retrieve(MODEL).owned_by == "course"
    with pytest.raises(
        openai.NotFoundError,
        match="`gpt-9` does not exist or you do not.*`built-in`, `big` and `built-in-thinking`",
    ):
        client.models.retrieve("gpt-9")
    status, headers, text = request(running, "HEAD", "/v1/models")
    assert (status, text) == (200, "")
    assert int(headers["Content-Length"]) > 0


def test_the_clients_raise_their_own_errors(client: openai.OpenAI, chat: ChatOpenAI) -> None:
    import openai

    with pytest.raises(openai.BadRequestError, match="expected number from 0 to 2") as raised:
        chat.bind(temperature=3).invoke("Hello!")
    assert raised.value.param == "temperature"
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(model=MODEL, messages=[])
    assert raised.value.code == "empty_array"


# The wire format


def test_a_stream_event_by_event(running: server.Server) -> None:
    data = events(running, max_tokens=2, stream_options={"include_usage": True})
    deltas = [chunk["choices"][0]["delta"] for chunk in data[:-1]]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "1"}, {"content": ","}, {}]
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in data[:-1]]
    assert reasons == [None, None, None, "length"]
    assert [chunk["usage"] for chunk in data[:-1]] == [None] * 4
    assert data[-1]["choices"] == []
    assert data[-1]["usage"] == post(running, max_tokens=2)["usage"]
    for chunk in data:
        assert chunk["object"] == "chat.completion.chunk"
        assert chunk["id"] == data[0]["id"]
        assert chunk["id"].startswith("chatcmpl-")


def test_no_usage_in_a_stream_unless_asked_for(running: server.Server) -> None:
    for options in (None, {}, {"include_usage": False}, {"include_usage": None}):
        data = events(running, stream_options=options)
        assert all(chunk["choices"] and "usage" not in chunk for chunk in data)


def test_several_choices(running: server.Server) -> None:
    whole = post(running, n=3)
    assert [c["index"] for c in whole["choices"]] == [0, 1, 2]
    assert {c["message"]["content"] for c in whole["choices"]} == {answered("count")}
    assert whole["usage"]["completion_tokens"] == 3 * tokens.count(answered("count"))
    choices = [chunk["choices"][0] for chunk in events(running, n=2)]
    assert [choice["index"] for choice in choices] == [0, 1] * (len(choices) // 2)
    for index in (0, 1):
        own = [c["delta"].get("content", "") for c in choices if c["index"] == index]
        assert "".join(own) == answered("count")


@pytest.mark.parametrize(
    ("body", "text", "reason"),
    [
        ({}, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10", "stop"),
        ({"stop": "3"}, "1, 2, ", "stop"),
        ({"stop": ["9", "4"]}, "1, 2, 3, ", "stop"),
        ({"stop": [", 3, 4", "3"]}, "1, 2, ", "stop"),  # the match that is complete first
        ({"stop": ["3", ", 3"]}, "1, 2", "stop"),  # of two complete at once, the longer
        ({"stop": ["x", "y", "z", "w"]}, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10", "stop"),
        ({"stop": "1"}, "", "stop"),
        ({"stop": []}, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10", "stop"),
        ({"max_tokens": 3}, "1, 2", "length"),
        ({"max_completion_tokens": 1}, "1", "length"),
        ({"max_tokens": 19}, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10", "stop"),
        ({"max_tokens": 18}, "1, 2, 3, 4, 5, 6, 7, 8, 9,", "length"),
        ({"max_tokens": 3, "stop": "2"}, "1, ", "stop"),
        ({"max_tokens": 3, "stop": ", 2, 3"}, "1, 2", "length"),  # never written in full
    ],
)
def test_where_an_answer_ends(
    running: server.Server, body: dict[str, Any], text: str, reason: str
) -> None:
    whole = post(running, **body)
    choice = whole["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (text, reason)
    assert whole["usage"]["completion_tokens"] == tokens.count(text)
    data = [chunk["choices"][0] for chunk in events(running, **body)]
    assert "".join(choice["delta"].get("content", "") for choice in data) == text
    assert data[-1]["finish_reason"] == reason


F = {"name": "f", "arguments": "{}"}
CALLS = [{"id": name, "type": "function", "function": F} for name in "12"]
CALL = {"role": "assistant", "content": None, "tool_calls": CALLS}
RESULT = {"role": "tool", "content": "", "tool_call_id": "1"}


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": "Count from "}, {"type": "text", "text": "1 to 10."}]}],
        [{"role": role, "content": "Be brief.", "name": "n"} for role in chat_request.ROLES if role != "tool"]
        + [{"role": "user", "content": COUNT}],
        [{"role": "user", "content": "x"}, CALL, {**RESULT, "tool_call_id": "2"}, RESULT,
         {"role": "assistant", "content": None, "refusal": "no"}, {"role": "user", "content": COUNT}],
        [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            {"type": "image_url", "image_url": {"url": "http://example.org/x.png"}},
            {"type": "file", "file": {"file_data": "AA==", "filename": "a.pdf"}},
            {"type": "file", "file": {"file_id": "file-1"}},
            {"type": "text", "text": COUNT}]}],
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
         {"role": "assistant", "function_call": F}, {"role": "user", "content": COUNT}],
        [{"role": "user", "content": COUNT}] * 2048,
    ],
)  # fmt: skip
def test_messages_that_are_accepted(running: server.Server, messages: list[Any]) -> None:
    answer = post(running, messages=messages, seed=1, user="u", logit_bias={}, n=None, top_p=1)
    assert answer["choices"][0]["message"]["content"] == answered("count")


@pytest.mark.parametrize(
    "body",
    [
        {"frequency_penalty": 2, "presence_penalty": -2, "temperature": 2, "top_p": 0},
        {"frequency_penalty": -2, "presence_penalty": 2, "temperature": 0, "top_p": 1.0},
        {"seed": -(2**63)},
        {"seed": 2**63 - 1},
        {"store": True, "metadata": {}, "service_tier": "auto", "reasoning_effort": "low"},
        {"logprobs": True, "top_logprobs": 20},
        {"functions": None, "audio": None},
        {"n": 16, "stop": ["w", "x", "y", "z"]},
    ],
)
def test_values_at_their_limits_are_accepted(running: server.Server, body: dict[str, Any]) -> None:
    assert post(running, **body)["choices"][-1]["message"]["content"] == answered("count")


def test_usage_counts_the_whole_conversation(running: server.Server) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]},
        {"role": "assistant", "tool_calls": CALLS[:1]},
        {**RESULT, "content": "one two three"},
        {"role": "user", "content": COUNT},
    ]
    usage = post(running, messages=messages, n=2)["usage"]
    texts = ["Be brief.", "I will not.", "", "one two three", COUNT]
    assert usage["prompt_tokens"] == tokens.count_messages(texts) + tokens.count("f{}")
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_the_parts_of_a_content_are_one_text(running: server.Server) -> None:
    parts = [{"type": "text", "text": text} for text in ("Count fr", "om 1 to 10.")]
    usage = post(running, messages=[{"role": "user", "content": parts}])["usage"]
    assert usage["prompt_tokens"] == tokens.count_messages([COUNT])


def test_every_answer_closes_its_connection(running: server.Server) -> None:
    for method, path in [("GET", "/v1/models"), ("GET", "/x"), ("POST", "/v1/chat/completions")]:
        assert request(running, method, path, b"{}")[1]["Connection"] == "close"


# Errors


def text_message(**change: Any) -> list[Any]:
    return [{"role": "user", "content": "x"}, {"role": "user", "content": "x", **change}]


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        ({"model": None}, "model", "missing_required_parameter", "'model'"),
        ({"model": 1}, "model", "invalid_type", "expected string, but got integer"),
        ({"messages": None}, "messages", "missing_required_parameter", "'messages'"),
        ({"messages": []}, "messages", "empty_array", "but got 0"),
        ({"messages": "x"}, "messages", "invalid_type", "expected array, but got string"),
        ({"messages": text_message() * 1024 + text_message()[:1]}, "messages", "array_above_max_length", "2049"),
        ({"messages": ["x"]}, "messages[0]", "invalid_type", "expected object"),
        ({"messages": [None]}, "messages[0]", "missing_required_parameter", "messages[0]"),
        ({"messages": text_message(role="x" * 99)}, "messages[1].role", "invalid_value",
         "'system', 'developer', 'user', 'assistant', 'tool', 'function'"),
        ({"messages": text_message(role=1)}, "messages[1].role", "invalid_type", "string"),
        ({"messages": [RESULT]}, "messages[0].role", None, "must be a response"),
        ({"messages": [CALL, {"role": "user", "content": "x"}]}, "messages[0].tool_calls", None, "No response to: ['1', '2']"),
        ({"messages": [CALL, RESULT]}, "messages[0].tool_calls", None, "No response to: ['2']"),
        ({"messages": [CALL, RESULT, RESULT]}, "messages[0].tool_calls", None, "No response to: ['2']"),
        ({"messages": [{**CALL, "tool_calls": [CALLS[0]] * 2}]}, "messages[0].tool_calls[1].id", "invalid_value", "same id"),
        ({"messages": [CALL, {**RESULT, "tool_call_id": "3"}]}, "messages[1].role", None, "must be a response"),
        ({"messages": [{**CALL, "tool_calls": []}]}, "messages[0].tool_calls", "empty_array", "at least 1"),
        ({"messages": [{**CALL, "tool_calls": [{**CALLS[0], "type": "x"}]}]}, "messages[0].tool_calls[0].type", "invalid_value", "'function'"),
        ({"messages": [{**CALL, "tool_calls": [{**CALLS[0], "function": {"name": "f"}}]}]},
         "messages[0].tool_calls[0].function.arguments", "missing_required_parameter", ""),
        ({"messages": [{"role": "tool", "content": ""}]}, "messages[0].tool_call_id", "missing_required_parameter", ""),
        ({"messages": [{**CALL, "tool_calls": [{}]}]}, "messages[0].tool_calls[0].id", "missing_required_parameter", ""),
        ({"messages": [{"content": "x"}]}, "messages[0].role", "missing_required_parameter", ""),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter", ""),
        ({"messages": [{"role": "user", "tool_calls": [{}]}]}, "messages[0].content",
         "missing_required_parameter", ""),
        ({"messages": text_message(content=1)}, "messages[1].content", "invalid_type", ""),
        ({"messages": text_message(content=["x"])}, "messages[1].content[0]", "invalid_type", ""),
        ({"messages": text_message(role="system", content=[{"type": "image_url"}])}, "messages[1].content[0].type",
         "invalid_value", "Supported values are: 'text'."),
        ({"messages": text_message(content=[{"type": "video"}])}, "messages[1].content[0].type", "invalid_value", "'file'"),
        ({"messages": text_message(content=[{"type": "image_url"}])}, "messages[1].content[0].image_url",
         "missing_required_parameter", ""),
        ({"messages": text_message(content=[{"type": "image_url", "image_url": {"url": "file:///x"}}])},
         "messages[1].content[0].image_url.url", "invalid_image_url", "data: URL"),
        ({"messages": text_message(content=[{"type": "input_audio", "input_audio": {"data": "", "format": "ogg"}}])},
         "messages[1].content[0].input_audio.format", "invalid_value", "'wav', 'mp3'"),
        ({"messages": text_message(content=[{"type": "file", "file": {}}])},
         "messages[1].content[0].file.file_data", "missing_required_parameter", ""),
        ({"messages": text_message(content=[{"type": "text"}])}, "messages[1].content[0].text",
         "missing_required_parameter", ""),
        ({"messages": text_message(content=[{"type": "image_url", "image_url": {"url": "http://x", "detail": "x"}}])},
         "messages[1].content[0].image_url.detail", "invalid_value", "'auto', 'low', 'high'"),
        ({"messages": text_message(content=[{"type": "input_audio", "input_audio": {"format": "wav"}}])},
         "messages[1].content[0].input_audio.data", "missing_required_parameter", ""),
        ({"messages": text_message(content=[{"type": "file", "file": {"file_id": "x", "filename": 1}}])},
         "messages[1].content[0].file.filename", "invalid_type", ""),
        ({"messages": text_message(content=None, refusal="x")}, "messages[1].content", "missing_required_parameter", ""),
        ({"messages": [CALL, RESULT, {**RESULT, "tool_call_id": "2"}, CALL]}, "messages[3].tool_calls", None,
         "No response to: ['1', '2']"),
        ({"messages": text_message(name=1)}, "messages[1].name", "invalid_type", ""),
        ({"temperature": -0.1}, "temperature", "number_below_min_value", "from 0 to 2"),
        ({"temperature": True}, "temperature", "invalid_type", "expected number, but got boolean"),
        ({"top_p": 1.1}, "top_p", "number_above_max_value", "from 0 to 1"),
        ({"seed": 1.5}, "seed", "invalid_type", "expected integer"),
        ({"presence_penalty": 3}, "presence_penalty", "number_above_max_value", "from -2 to 2"),
        ({"seed": 10**300}, "seed", "integer_above_max_value", "but got 1000"),
        ({"store": "x"}, "store", "invalid_type", "expected boolean"),
        ({"top_logprobs": 2}, "top_logprobs", None, "only allowed with 'logprobs'"),
        ({"top_logprobs": 0}, "top_logprobs", None, "only allowed with 'logprobs'"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "integer_above_max_value", "from 0 to 20"),
        ({"modalities": ["text", "audio"]}, "modalities", None, "['text']"),
        ({"functions": []}, "functions", "unsupported_parameter", "older spelling of 'tools'"),
        ({"web_search_options": {}}, "web_search_options", "unsupported_parameter", "no access"),
        ({"temprature": 1}, "temprature", "unknown_parameter", "'temprature'"),
        ({"x" * 99: 1}, "x" * 80, "unknown_parameter", "'xxx"),
        ({"\ud800" + "x" * 300: 1}, "?" + "x" * 79, "invalid_value", "half of a surrogate pair"),
        ({"n": 0}, "n", "integer_below_min_value", "from 1 to 16"),
        ({"n": 17}, "n", "integer_above_max_value", "17"),
        ({"n": 1.0}, "n", "invalid_type", "expected integer, but got number"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value", "at least 1"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens", "invalid_type", "integer"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", None, "not both"),
        ({"stop": 1}, "stop", "invalid_type", "expected array"),
        ({"stop": ["a"] * 5}, "stop", None, "up to 4"),
        ({"stop": [""]}, "stop", None, "non-empty"),
        ({"stop": ["a", 1]}, "stop[1]", "invalid_type", "expected string"),
        ({"stop": ["a", None]}, "stop[1]", "missing_required_parameter", ""),
        ({"stream": "yes"}, "stream", "invalid_type", "expected boolean"),
        ({"stream_options": {}}, "stream_options", None, "only allowed with 'stream'"),
        ({"stream": True, "stream_options": 1}, "stream_options", "invalid_type", "object"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage",
         "invalid_type", "expected boolean"),
        ({"stream": True, "stream_options": {"include_obfuscation": 1}}, "stream_options.include_obfuscation",
         "invalid_type", "expected boolean"),
    ],
)  # fmt: skip
def test_a_refused_request(
    running: server.Server, body: dict[str, Any], param: str, code: str | None, message: str
) -> None:
    answer = post(running, **body)
    assert answer["status"] == 400
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == "invalid_request_error"
    assert (answer["error"]["param"], answer["error"]["code"]) == (param, code)
    assert message in answer["error"]["message"]
    assert len(answer["error"]["message"]) < 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/v1/chat/completions", b"", 400, "not valid JSON"),
        ("POST", "/v1/chat/completions", b"{", 400, "not valid JSON"),
        ("POST", "/v1/chat/completions", b"\xff\xfe{", 400, "not valid JSON"),
        ("POST", "/v1/chat/completions", b'{"temperature": NaN}', 400, "NaN is not JSON"),
        ("POST", "/v1/chat/completions", b"[" * 100_000, 400, "not valid JSON"),
        ("POST", "/v1/chat/completions", b'{"n": ' + b"9" * 5000 + b"}", 400, ""),
        ("POST", "/v1/chat/completions", b"[]", 400, "must be a JSON object, but it is array"),
        ("POST", "/v1/chat/completions", b"null", 400, "must be a JSON object, but it is null"),
        ("GET", "/v1/chat/completions", None, 405, "cannot GET /v1/chat/completions"),
        ("PUT", "/v1/chat/completions", b"{}", 405, "cannot PUT"),
        ("POST", "/v1/models", b"{}", 405, "cannot POST"),
        ("GET", "/v1/models/%ff", None, 404, "does not exist"),
        ("GET", "/", None, 404, "GET /"),
        ("GET", "/models", None, 404, "GET /models"),
        ("POST", "/v1/embeddings", b"{}", 404, "POST /v1/embeddings"),
        ("POST", "/v1/chat/completions", b'{"temperature": 1e999}', 400, "too large a number"),
        ("POST", "/v1/chat/completions", b'{"user": "\\uD800"}', 400, "half of a surrogate pair"),
    ],
)
def test_a_refused_call(
    running: server.Server, method: str, path: str, body: Any, status: int, message: str
) -> None:
    answered_status, headers, text = request(running, method, path, body)
    assert answered_status == status
    assert headers["Content-Type"].startswith("application/json")
    error = json.loads(text)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert message in error["message"]
    assert KEY not in text


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/chat/completions", "POST, OPTIONS"),
        ("/v1/models", "GET, HEAD, OPTIONS"),
        ("/v1/models/built-in", "GET, HEAD, OPTIONS"),
    ],
)
def test_the_methods_of_an_address(running: server.Server, path: str, methods: str) -> None:
    for method in ("DELETE", "PATCH", "PUT", "TRACE"):
        status, headers, _ = request(running, method, path)
        assert (status, headers["Allow"]) == (405, methods)
    status, headers, text = request(running, "OPTIONS", path)
    assert (status, headers["Allow"], text) == (204, methods, "")
    assert request(running, "OPTIONS", "/v1/nowhere")[0] == 404
    status, _, text = request(running, "HEAD", path)
    assert (status, text) == (200 if "HEAD" in methods else 405, "")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/nowhere"])
def test_too_large_a_body_is_told_so(running: server.Server, path: str) -> None:
    status, _, text = request(running, "POST", path, b" " * (30 * 2**20))
    if path == "/v1/nowhere":
        assert status == 404
        return
    assert status == 413
    assert "31,457,280 bytes" in json.loads(text)["error"]["message"]
    assert "1,048,576" in json.loads(text)["error"]["message"]


def test_the_largest_body_is_read(running: server.Server) -> None:
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": COUNT}]}).encode()
    for size, status in [(routes.MAX_BODY, 200), (routes.MAX_BODY + 1, 413)]:
        padded = body + b" " * (size - len(body))
        assert request(running, "POST", "/v1/chat/completions", padded)[0] == status


def test_no_input_is_a_server_error(running: server.Server) -> None:
    generator = random.Random(5)
    atoms: list[Any] = [
        None,
        True,
        0,
        -1,
        1e308,
        10**300,
        "",
        "user",
        "text",
        "\ud800",
        [],
        {},
        [[]],
        [{}],
    ]
    keys = ["model", "messages", "n", "stop", "stream", "stream_options", "max_tokens", "top_p"]
    inner = ["role", "content", "name", "type", "text", "tool_calls", "include_usage"]

    def value(depth: int) -> Any:
        kind = generator.randrange(3) if depth else 2
        if kind == 0:
            return [value(depth - 1) for _ in range(generator.randrange(3))]
        if kind == 1:
            return {key: value(depth - 1) for key in generator.sample(inner, 3)}
        return generator.choice(atoms)

    for _ in range(400):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}
        body |= {key: value(3) for key in generator.sample(keys, 2)}
        status, _, _ = request(running, "POST", "/v1/chat/completions", body)
        unknown = isinstance(body["model"], str) and body["model"] not in MODELS
        assert status in (200, 400) or (unknown and status == 404), body


def test_an_unexpected_error_is_a_500_and_is_logged_without_the_key(
    running: server.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(messages: object) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(book, "find", fail)
    answer = post(running)
    assert answer["status"] == 500
    assert answer["error"]["type"] == "server_error"
    assert "broken on purpose" not in answer["error"]["message"]
    [record] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert record.name == "helpers.builtin.handler"
    assert "broken on purpose" in caplog.text
    assert KEY not in caplog.text
    caplog.clear()


ADDRESSES = [
    ("POST", "/v1/chat/completions", b"{}", 400),
    ("POST", "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "x"}]}, 200),
    ("POST", "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": "x"}], "stream": True}, 200),
    ("POST", "/v1/completions", {"model": MODEL, "prompt": "x"}, 200),
    ("GET", "/v1/models", None, 200),
    ("GET", "/v1/models/big", None, 200),
    ("GET", "/v1/models/gpt-9", None, 404),
    ("HEAD", "/v1/models", None, 200),
    ("PUT", "/v1/models", None, 405),
    ("POST", "/v1/responses", b"{}", 400),
    ("POST", "/v1/embeddings", b"{}", 404),
    ("OPTIONS", "/v1/models", None, 204),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "status"), ADDRESSES)
def test_every_answer_has_an_id_of_its_own(
    running: server.Server, method: str, path: str, body: Any, status: int
) -> None:
    found = [request(running, method, path, body)[:2] for _ in range(2)]
    assert [one for one, _ in found] == [status] * 2
    ids = [headers["x-request-id"] for _, headers in found]
    assert len(set(ids)) == 2 and all(one.startswith("req_") for one in ids)
    assert not any("access-control" in name.lower() for _, headers in found for name in headers)


def test_openai_has_the_id_of_an_answer_and_of_an_error(client: openai.OpenAI) -> None:
    import openai

    messages: Any = [{"role": "user", "content": COUNT}]
    whole = client.chat.completions.create(model=MODEL, messages=messages)
    assert str(whole._request_id).startswith("req_")
    for model in (MODEL, "gpt-9"):
        with pytest.raises(openai.APIStatusError) as raised:
            client.chat.completions.create(model=model, messages=messages, temperature=3)
        assert str(raised.value.request_id).startswith("req_")


@pytest.fixture(scope="module", params=["*", "http://localhost:5173"])
def for_pages(request: pytest.FixtureRequest) -> Iterator[server.Server]:
    """A server that web pages may use, with a token."""
    started = server.serve(pace=0, token=KEY, cors=request.param)
    yield started
    started.close()


@pytest.mark.parametrize(("method", "path", "body", "status"), ADDRESSES)
def test_web_pages_may_read_every_answer(
    for_pages: server.Server, method: str, path: str, body: Any, status: int
) -> None:
    origin = {"Origin": "http://localhost:5173"}
    for given, expected in (({}, status), ({"Authorization": "Bearer wrong"}, 401)):
        found, headers, _ = request(for_pages, method, path, body, **origin, **given)
        assert found == (status if method == "OPTIONS" else expected)
        assert headers["Access-Control-Allow-Origin"] == for_pages.cors
        assert "x-request-id" in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/responses"])
@pytest.mark.parametrize("asked_for", ["authorization,content-type,x-stainless-lang", "x-stainless-retry-count", None])  # fmt: skip
def test_a_browser_asks_first_and_without_a_key(
    for_pages: server.Server, path: str, asked_for: str | None
) -> None:
    asking = {"Origin": "http://localhost:5173", "Access-Control-Request-Method": "POST"}
    if asked_for:
        asking["Access-Control-Request-Headers"] = asked_for
    status, headers, text = request(for_pages, "OPTIONS", path, Authorization="", **asking)
    assert (status, text) == (204, "")
    assert headers["Access-Control-Allow-Origin"] == for_pages.cors
    allowed = headers["Access-Control-Allow-Headers"].replace(" ", "").split(",")
    assert {*(asked_for or "authorization,content-type").split(",")} <= set(allowed)
    assert "OPTIONS" in headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/embeddings"),
        ("POST", "/chat/completions"),
        ("POST", "/v1/chat/completions/"),
        ("GET", "/"),
        ("GET", "/" + "x" * 5000),
    ],
)
def test_an_unknown_address_is_told_those_that_there_are(
    running: server.Server, method: str, path: str
) -> None:
    status, _, text = request(running, method, path, None if method == "GET" else b"{}")
    message = json.loads(text)["error"]["message"]
    assert (status, json.loads(text)["error"]["code"]) == (404, "unknown_url")
    for word in (
        "Chat Completions",
        "POST /v1/chat/completions",
        "/v1/models",
        "/v1/responses",
        "in /v1",
    ):
        assert word in message
    assert len(message) < 700


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
@pytest.mark.parametrize("model", ["gpt-4o", "", "Built-in", "big ", "x" * 300, "built-in\n"])
def test_a_model_that_there_is_not(running: server.Server, path: str, model: str) -> None:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": COUNT}]}
    if path == "/v1/completions":
        body = {"model": model, "prompt": COUNT}
    status, _, text = request(running, "POST", path, body)
    error = json.loads(text)["error"]
    assert (status, error["code"], error["param"]) == (404, "model_not_found", None)
    assert f"The model `{model[:64]}` does not exist or you do not have access" in error["message"]
    assert "`built-in`, `big` and `built-in-thinking`" in error["message"]


def test_each_model_of_the_list_answers(client: openai.OpenAI) -> None:
    for model in client.models.list():
        messages: Any = [{"role": "user", "content": COUNT}]
        whole = client.chat.completions.create(model=model.id, messages=messages)
        assert (whole.model, whole.choices[0].message.content) == (model.id, answered("count"))


@pytest.mark.parametrize(("size", "status"), [(60_000, 200), (70_000, 431), (200_000, 431)])
def test_headers_that_are_too_long(running: server.Server, size: int, status: int) -> None:
    found, _, text = request(running, "GET", "/v1/models", Cookie="x" * size)
    assert found == status
    assert status == 200 or "65,536" in json.loads(text)["error"]["message"]


# Time


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[list[float]]:
    """The times that `pace` gives to each answer."""
    noted: list[list[float]] = []
    times = pace.times

    def note(*arguments: Any) -> list[float]:
        noted.append(times(*arguments))
        return noted[-1]

    monkeypatch.setattr(pace, "times", note)
    return noted


def test_pace(given: list[list[float]], monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on only while the answer waits."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    count = tokens.count(answered("token"))

    def times(speed: float, **more: Any) -> list[float]:
        """Return when each piece of an answer comes, in seconds."""
        nonlocal now
        start = now
        messages = [{"role": "user", "content": asked("token")}]
        body = json.dumps({"model": MODEL, "messages": messages, **more}).encode()
        came = []
        post = routes.Asked("POST", "/v1/chat/completions", {}, body, len(body))
        for step in routes.answer(routes.State(speed), post):
            if isinstance(step, float):
                now += step
            elif isinstance(step, bytes):
                came.append(now - start)
        return came

    assert times(200) == pytest.approx(given[-1][-1:])
    streamed = times(200, stream=True)  # the role, the tokens, the reason and [DONE]
    assert len(given[-1]) == count + 1 and given[-1][-1] > 0
    assert streamed == pytest.approx([*given[-1], given[-1][-1], given[-1][-1]])
    assert times(0) == [0] and set(times(0, stream=True)) == {0}


def test_the_pace_is_kept_on_the_wire(
    given: list[list[float]], paced: server.Server, client: openai.OpenAI
) -> None:
    messages: Any = [{"role": "user", "content": COUNT}]
    start = time.perf_counter()
    for stream in (True, False):
        answer: Any = client.chat.completions.create(model=MODEL, messages=messages, stream=stream)
        list(answer)
    assert time.perf_counter() - start >= sum(times[-1] for times in given) > 0


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("pace", [0.1, 0])
def test_a_client_that_goes_away_leaves_nothing_running(
    running: server.Server, stream: bool, pace: float
) -> None:
    assert eventually_idle(running)
    running.pace = pace
    address = running.url.split("/")[2].split(":")
    messages = [{"role": "user", "content": STORY}]
    body = json.dumps({"model": MODEL, "messages": messages, "stream": stream, "n": 16}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((address[0], int(address[1]))) as connection:
        connection.sendall(head.encode() + body)
        if stream:
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        else:
            time.sleep(0.05)
        assert not pace or unfinished(running)
    running.pace = 0
    assert eventually_idle(running)


def test_a_client_that_goes_away_while_sending(running: server.Server) -> None:
    address = running.url.split("/")[2].split(":")
    for text in (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
        b"G",
    ):
        with socket.create_connection((address[0], int(address[1]))) as connection:
            connection.sendall(text)
            time.sleep(0.02)
    assert eventually_idle(running)


def test_a_stream_stopped_early_through_langchain(
    chat: ChatOpenAI, running: server.Server, paced: server.Server
) -> None:
    for number, chunk in enumerate(chat.stream(STORY)):
        if number == 5:
            assert chunk.text
            break
    assert eventually_idle(running)

    async def first() -> str:
        async for part in chat.astream(STORY):
            if part.text:
                return part.text
        return ""

    assert asyncio.run(first()) == tokens.split(answered("story"))[0]
    assert eventually_idle(running)


def test_close_ends_what_is_under_way_and_frees_the_port() -> None:
    started = server.serve(pace=0.1)
    address = ("127.0.0.1", int(started.url.split(":")[2].split("/")[0]))
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": STORY}]}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(address) as connection:
        connection.sendall(head.encode() + body)
        time.sleep(0.05)
        start = time.perf_counter()
        started.close()
        started.close()
        assert time.perf_counter() - start < 1
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    assert not started._thread.is_alive()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[server.Server]:
    """A server that waits 0.3 s for a client."""
    for name in ("HEADER_TIMEOUT", "BODY_TIMEOUT"):
        monkeypatch.setattr(server, name, 0.3)
    monkeypatch.setattr(handler, "WRITE_TIMEOUT", 0.3)
    started = server.serve(pace=0)
    yield started
    started.close()


@pytest.mark.parametrize("text", [b"", b"POST ", HEAD + b"9\r\n\r\n{", HEAD + b"99999999\r\n\r\n{"])
def test_a_client_that_does_not_go_on_sending_is_cut_off(
    impatient: server.Server, text: bytes
) -> None:
    host, port = impatient.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(text)
        start = time.perf_counter()
        assert connection.recv(1) == b""
        assert 0.1 < time.perf_counter() - start < 1
    assert eventually_idle(impatient)


def test_a_body_sent_byte_by_byte_is_cut_off(impatient: server.Server) -> None:
    host, port = impatient.url.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(HEAD + b"99999999\r\n\r\n")
        start = time.perf_counter()
        with pytest.raises(ConnectionError):
            while time.perf_counter() - start < 5:
                connection.sendall(bytes(2))
                time.sleep(0.02)
    assert eventually_idle(impatient)


@pytest.mark.parametrize(("patience", "whole"), [(5, True), (0.2, False)])
def test_close_with_patience_lets_answers_finish(patience: float, whole: bool) -> None:
    import openai

    started = server.serve(pace=40)
    with openai.OpenAI(base_url=started.url, api_key=KEY, max_retries=0) as client:
        messages: Any = [{"role": "user", "content": COUNT}]
        stream = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
        texts = [next(stream).choices[0].delta.content or ""]
        closing = threading.Thread(target=started.close, args=(patience,))
        start = time.perf_counter()
        closing.start()
        with contextlib.suppress(openai.APIConnectionError):
            texts += [chunk.choices[0].delta.content or "" for chunk in stream]
        closing.join()
    assert ("".join(texts) == answered("count")) == whole
    assert time.perf_counter() - start < 2
