"""Faults on demand, as ChatOpenAI meets them: what it raises, and how many calls the server saw."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from helpers import backend, i18n
from helpers.backend import choice, faults, settings, variables
from helpers.builtin import MODEL, routes, server, thinking, tokens
from helpers.i18n import LANGUAGES
from tests.builtin.asking import COUNT, answered, eventually_idle, request

if TYPE_CHECKING:
    from langchain_openai import ChatOpenAI

    Way = Callable[[ChatOpenAI, list[str]], None]

KEY = "sk-canary-9d27e1b4"
ANSWER = answered("count")
SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}


@pytest.fixture(scope="module")
def started() -> Iterator[server.Server]:
    running = server.serve(pace=0)
    yield running
    running.close()


@pytest.fixture(autouse=True)
def running(
    started: server.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[server.Server]:
    """The server as the notebook's own; afterwards it is idle, and nothing was logged of the key."""
    caplog.set_level(logging.DEBUG)
    before = dict(os.environ)
    monkeypatch.setattr(choice, "_server", started)
    i18n.use("en")
    monkeypatch.setenv("OPENAI_BASE_URL", started.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("LANGSMITH_TRACING_V2", "false")
    yield started
    faults.none().end()
    os.environ.clear()
    os.environ.update(before)
    assert eventually_idle(started)
    assert KEY not in caplog.text
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING and r.name != "traitlets"]


def chat(retries: int = 0, model: str = MODEL, timeout: float | None = None) -> ChatOpenAI:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(model=model, api_key=SecretStr(KEY), max_retries=retries, timeout=timeout)


def invoke(model: ChatOpenAI, texts: list[str]) -> None:
    texts.append(model.invoke(COUNT).text)


def stream(model: ChatOpenAI, texts: list[str]) -> None:
    texts.extend(chunk.text for chunk in model.stream(COUNT))


def astream(model: ChatOpenAI, texts: list[str]) -> None:
    async def collect() -> None:
        async for chunk in model.astream(COUNT):
            texts.append(chunk.text)

    asyncio.run(collect())


WAYS = (invoke, stream, astream)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fault", "error", "code", "outcome"),
    [
        (faults.wrong_key, "AuthenticationError", "invalid_api_key", "401"),
        (faults.unknown_model, "NotFoundError", "model_not_found", "404"),
        (faults.rate_limit, "RateLimitError", "rate_limit_exceeded", "429"),
        (faults.insufficient_quota, "RateLimitError", "insufficient_quota", "429"),
        (faults.server_error, "InternalServerError", None, "500"),
        (faults.overloaded, "InternalServerError", None, "503"),
    ],
)
def test_an_error_with_a_status(
    fault: Callable[[], faults.Calls], error: str, code: str | None, outcome: str, way: Way
) -> None:
    import openai

    with fault() as calls, pytest.raises(getattr(openai, error)) as raised:
        way(chat(), [])
    assert str(calls) == f"1 call: {outcome}"
    assert raised.value.code == code
    assert KEY not in str(raised.value) and KEY not in str(raised.value.body)
    texts: list[str] = []
    way(chat(), texts)
    assert "".join(texts) == ANSWER, "the block is over"
    assert len(calls) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("fault", "error", "outcome"),
    [
        (faults.refused, "APIConnectionError", "0 calls"),
        (faults.reset, "APIConnectionError", "1 call: reset"),
        (lambda: faults.slow(30), "APITimeoutError", "1 call: gone"),
        (faults.malformed, "JSONDecodeError", "1 call: 200"),
    ],
)
def test_an_answer_that_does_not_come(
    fault: Callable[[], faults.Calls], error: str, outcome: str, way: Way
) -> None:
    import openai

    texts: list[str] = []
    expected = getattr(openai, error, json.JSONDecodeError)
    with fault() as calls, pytest.raises(expected):
        way(chat(timeout=0.2), texts)
    assert str(calls) == outcome
    assert "".join(texts) == ""
    way(chat(), texts)
    assert "".join(texts) == ANSWER


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", [0, 5, 1000])
def test_an_answer_that_is_cut(way: Way, after: int) -> None:
    import openai

    texts: list[str] = []
    with faults.cut(after) as calls, pytest.raises(openai.APIConnectionError):
        way(chat(), texts)
    assert str(calls) == "1 call: cut"
    expected = {0: "", 5: "1, 2, 3", 1000: ANSWER}[after]
    assert "".join(texts) == ("" if way is invoke else expected)


def test_what_goes_over_the_wire(running: server.Server) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": COUNT}]}

    def post(**more: Any) -> str:
        return request(running, "POST", "/v1/chat/completions", body | more)[2]

    whole, streamed = post(), post(stream=True)
    with faults.reset(), pytest.raises(ConnectionResetError) as reset:
        post()
    assert not isinstance(reset.value, http.client.RemoteDisconnected), "more than closed"
    with faults.cut():
        for more, half in [({}, whole), ({"stream": True}, streamed)]:
            with pytest.raises(http.client.IncompleteRead) as raised:
                post(**more)
            assert half.startswith(raised.value.partial.decode())
            assert (raised.value.expected is None) == bool(more), "a stream has no length"
    with faults.malformed():
        assert whole.startswith(post()) and streamed.startswith(post(stream=True).strip())


@pytest.mark.parametrize("way", [stream, astream])
def test_a_stream_that_stalls(way: Way) -> None:
    import openai

    texts: list[str] = []
    with faults.stall(30) as calls, pytest.raises(openai.APITimeoutError):
        way(chat(timeout=0.2), texts)
    assert str(calls) == "1 call: gone"
    assert "".join(texts) == "1, 2, 3"
    start = time.perf_counter()
    with faults.stall(0.3) as calls:
        way(chat(), texts)
    assert time.perf_counter() - start >= 0.3
    assert "".join(texts) == "1, 2, 3" + ANSWER
    assert str(calls) == "1 call: 200"


def test_a_slow_answer_is_the_whole_answer() -> None:
    start = time.perf_counter()
    with faults.slow(0.3) as calls:
        text = chat().invoke(COUNT).text
    assert time.perf_counter() - start >= 0.3
    assert text == ANSWER
    assert str(calls) == "1 call: 200"


def test_a_call_under_way_is_shown_so() -> None:
    with faults.slow(0.6) as calls:
        thread = threading.Thread(target=invoke, args=(chat(), []))
        thread.start()
        while not calls:
            time.sleep(0.01)
        assert str(calls) == "1 call: …"
        thread.join()
        assert str(calls) == "1 call: 200"


def test_retries_wait_as_long_as_they_are_told() -> None:
    calls = faults.rate_limit(retry_after=0.3, times=2)
    text = chat(retries=2).invoke(COUNT).text
    assert text == ANSWER
    assert str(calls) == "3 calls: 429, 429, 200"
    assert len(calls) == 3
    first, second, third = calls.arrived
    assert first == 0 and 0.3 <= second < 0.5 and 0.6 <= third < 1
    chat().invoke(COUNT)
    assert len(calls) == 4, "the fault is over, the counting is not"


def test_retries_back_off_unless_they_are_told() -> None:
    import openai
    from langchain_openai import ChatOpenAI

    calls = faults.server_error()
    with pytest.raises(openai.InternalServerError):
        ChatOpenAI(model=MODEL, api_key=SecretStr(KEY)).invoke(COUNT)
    assert str(calls) == "3 calls: 500, 500, 500"
    assert calls.arrived[2] - calls.arrived[1] > calls.arrived[1] > 0.3


@pytest.mark.parametrize("fault", [faults.reset, faults.cut])
def test_a_lost_connection_is_tried_again(fault: Callable[..., faults.Calls]) -> None:
    with fault(times=1) as calls:
        text = chat(retries=1).invoke(COUNT).text
    assert text == ANSWER
    assert str(calls).endswith(", 200")


def test_what_retrying_cannot_mend_is_not_tried_again() -> None:
    import openai

    with faults.wrong_key() as calls, pytest.raises(openai.AuthenticationError):
        chat(retries=2).invoke(COUNT)
    assert len(calls) == 1


def test_the_header_is_there_only_if_it_is_given(running: server.Server) -> None:
    for given, header in [(None, None), (0, "0"), (2, "2"), (1.5, "1.5")]:
        with faults.rate_limit(given):
            status, headers, text = request(running, "POST", "/v1/chat/completions", {})
        assert (status, headers["Retry-After"]) == (429, header)
        assert json.loads(text)["error"]["type"] == "requests"


def test_one_model_of_two() -> None:
    with faults.overloaded(model="big") as calls:
        fallback = chat(model="big").with_fallbacks([chat()])
        assert fallback.invoke(COUNT).text == ANSWER
    assert str(calls) == "1 call: 503"


def test_only_calls_of_the_model_count_and_refused_requests_do(running: server.Server) -> None:
    calls = faults.none()
    for body in (b"", b"[]", b"{}", b"[" * 9999, b" " * (routes.MAX_BODY + 1)):
        assert request(running, "POST", "/v1/chat/completions", body)[0] in (400, 413)
    for method, path in [("GET", "/v1/models"), ("GET", "/v1/chat/completions"), ("POST", "/x")]:
        request(running, method, path)
    assert str(calls) == "5 calls: 400, 400, 400, 400, 413"


def test_a_defect_is_counted_too(
    running: server.Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tokens, "split", None)
    with faults.none() as calls:
        assert post(running)["error"]["type"] == "server_error"
    assert str(calls) == "1 call: 500"
    caplog.clear()


def test_errors_come_before_the_request_is_checked(running: server.Server) -> None:
    with faults.unknown_model():
        status, _, text = request(running, "POST", "/v1/chat/completions", {"model": "a{b}" * 99})
    assert status == 404
    assert "`a{b}a{b}" in text and len(text) < 300


def test_a_new_fault_ends_the_one_before() -> None:
    import openai

    first = faults.refused()
    with faults.wrong_key() as second:
        first.end()
        with pytest.raises(openai.AuthenticationError):
            chat().invoke(COUNT)
    assert (len(first), len(second)) == (0, 1)


def test_the_first_cell_ends_a_fault(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.ENV_FILE_VARIABLE, str(tmp_path / ".env"))
    monkeypatch.setattr(variables, "_changed", {})
    faults.refused()
    backend.start("en", builtin=True)
    text = chat().invoke(COUNT).text
    assert text == ANSWER


def post(running: server.Server, **more: Any) -> dict[str, Any]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": COUNT}], **more}
    whole: dict[str, Any] = json.loads(request(running, "POST", "/v1/chat/completions", body)[2])
    return whole


def deltas(running: server.Server, **more: Any) -> list[dict[str, Any]]:
    """Return the deltas of a stream, which has a delta in each chunk, without those that are empty."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": COUNT}], "stream": True}
    text = request(running, "POST", "/v1/chat/completions", body | more)[2]
    chunks = [json.loads(line[6:]) for line in text.split("\n\n") if line.startswith("data: {")]
    found = [chunk["choices"][0]["delta"] for chunk in chunks]
    return [delta for delta in found if delta]


def test_a_refusal(running: server.Server) -> None:
    from langchain_openai.chat_models.base import OpenAIRefusalError

    text = "I'm sorry, but I can't help with that."
    with faults.refusal() as calls:
        message = chat().invoke(COUNT)
        assert (message.content, message.additional_kwargs["refusal"]) == ("", text)
        with pytest.raises(OpenAIRefusalError, match=text):
            chat().with_structured_output({"title": "X", **SCHEMA}).invoke(COUNT)
        first, *rest = deltas(running)
    assert first == {"role": "assistant", "content": None}
    assert "".join(delta["refusal"] for delta in rest) == text
    assert str(calls) == "3 calls: 200, 200, 200"


def test_answers_that_break_off(running: server.Server) -> None:
    import openai

    with faults.content_filter(3):
        [choice] = post(running)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("1, 2", "content_filter")
    function = {"name": "f", "parameters": SCHEMA}
    with faults.length(4):
        with pytest.raises(openai.LengthFinishReasonError):
            chat().with_structured_output({"title": "X", **SCHEMA}).invoke(COUNT)
        called = chat().bind_tools([function], tool_choice="any").invoke(COUNT)
    assert called.response_metadata["finish_reason"] == "length"
    assert [call["args"] for call in called.invalid_tool_calls] == ['{"x"']


def test_other_ways(running: server.Server) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    with faults.ways("reasoning_content", "null_content", "no_usage"):
        whole = post(running)
        assert COUNT in whole["choices"][0]["message"]["reasoning_content"]
        assert "usage" not in whole
        pieces = deltas(running, stream_options={"include_usage": True})
        assert len(pieces) == 1 + thinking.EFFORTS["low"] + tokens.count(ANSWER), "and no usage"
        assert pieces[1]["content"] is None and pieces[1]["reasoning_content"] == "The"
        assert "".join(delta["content"] or "" for delta in pieces) == ANSWER
        assert chat().invoke(COUNT).text == "".join(c.text for c in chat().stream(COUNT)) == ANSWER
    with faults.ways("no_models", "no_schema", times=1):
        assert request(running, "GET", "/v1/models")[0] == 404
        assert "unavailable" in post(running, response_format=schema)["error"]["message"]
        assert request(running, "GET", "/v1/models")[0] == 200, "the call is over"
    with faults.ways("comments"):
        body = {"model": MODEL, "messages": [{"role": "user", "content": COUNT}], "stream": True}
        text = request(running, "POST", "/v1/chat/completions", body)[2]
        assert text.startswith(": keep-alive\n\ndata: {")
        assert "".join(chunk.text for chunk in chat().stream(COUNT)) == ANSWER
    for names in ((), ("no_tools",)):
        with pytest.raises(ValueError, match="reasoning_content"):
            faults.ways(*names)


def test_connections_are_refused_exactly_as_long_as_the_block() -> None:
    import openai

    for _ in range(20):
        with faults.refused() as calls, pytest.raises(openai.APIConnectionError):
            chat().invoke(COUNT)
        text = chat().invoke(COUNT).text
        assert (text, str(calls)) == (ANSWER, "0 calls")


@pytest.mark.parametrize(
    ("lang", "expected"),
    [
        ("en", "2 calls: reset, 200"),
        ("zh", "2 次调用：连接重置、200"),
        ("fr", "2 appels\u00a0: rompu, 200"),
    ],
)
def test_what_is_shown_in_each_language(
    lang: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    i18n.use(lang)
    with faults.reset(times=1) as calls:
        chat(retries=1).invoke(COUNT)
    assert str(calls) == repr(calls) == expected


@pytest.mark.parametrize("lang", LANGUAGES)
def test_another_model_cannot_be_made_to_fail(lang: str, running: server.Server) -> None:
    for url, builtin in [("https://example.org/v1", running), (running.url, None)]:
        with pytest.MonkeyPatch.context() as patch:
            i18n.use(lang)
            patch.setattr(choice, "_server", builtin)
            patch.setenv("OPENAI_BASE_URL", url)
            with pytest.raises(backend.BackendError, match=f'start."{lang}", builtin=True'):
                faults.rate_limit()
    assert running.calls is None


@pytest.mark.parametrize(
    ("provoke", "message"),
    [
        (lambda: faults.reset(times=0), "times must be"),
        (lambda: faults.reset(times=1.5), "times must be"),  # type: ignore[arg-type]
        (lambda: faults.slow(-1), "seconds must be"),
        (lambda: faults.slow(float("nan")), "seconds must be"),
        (lambda: faults.stall(float("inf")), "seconds must be"),
        (lambda: faults.rate_limit(-1), "seconds must be"),
        (lambda: faults.cut(-1), "after must be"),
        (lambda: faults.stall(1, -1), "after must be"),
        (lambda: faults.length(0), "after must be"),
    ],
)
def test_numbers_that_make_no_sense(
    provoke: Callable[[], faults.Calls], message: str, running: server.Server
) -> None:
    with pytest.raises(ValueError, match=message):
        provoke()
    assert running.calls is None
