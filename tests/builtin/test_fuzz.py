"""No request, however odd, makes the built-in model fail, hang or answer in another shape.

The parameters are those of the openai package's types, so that none is forgotten. COURSE_FUZZ=N
tries about N requests, other ones each time; without it they are always the same.
"""

from __future__ import annotations

import collections.abc
import copy
import functools
import http.client
import json
import logging
import os
import re
import socket
import time
import types
import typing
from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, Union

import pytest
import typing_extensions
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from helpers.builtin import MODEL, server
from tests.builtin import published

CHAT = "/v1/chat/completions"
LEGACY = "/v1/completions"
PATIENCE = 5  # seconds
QUESTION = "Count from 1 to 10."
MESSAGE = {"role": "user", "content": QUESTION}


@functools.cache
def params(path: str) -> Any:
    """Return the openai package's type for the requests of an interface."""
    from openai.types import completion_create_params as legacy_params
    from openai.types.chat import completion_create_params as chat_params

    params = chat_params if path == CHAT else legacy_params
    return params.CompletionCreateParamsNonStreaming


@functools.cache
def parameters(path: str) -> dict[str, Any]:
    """Return the types of an interface's parameters by name."""
    return typing_extensions.get_type_hints(params(path))


def fuzz(examples: int) -> Callable[[Any], Any]:
    """Set how many examples a test tries, of 3,000 in all."""
    asked = os.environ.get("COURSE_FUZZ")
    return settings(
        max_examples=examples * int(asked or 3000) // 3000,
        derandomize=not asked,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


# The requests

NAMES = st.sampled_from(["a", "city", "name", "type", "text", "items", "content", "x-y", "id"])
TEXTS = st.sampled_from(
    [QUESTION, "", MODEL, "user", "function", "你好", "\ud800", "\0", "1", "a" * 99]
)
NUMBERS = st.sampled_from([0, 1, 2, -1, 16, 17, 2**31, 2**63, 10**300, 0.5, 1e308, -0.0])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS | st.text(max_size=5)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


def object_schema(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Return schemas of objects as strict mode wants them: all is required, and nothing else."""
    return st.dictionaries(NAMES, inner, max_size=3).map(
        lambda properties: {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    )


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "string", "enum": ["a", "b"]},
            {"type": "string", "pattern": "^[a-z]{3}$", "format": "date"},
            {"type": "string", "minLength": 3, "maxLength": 5},
            {"type": "integer", "minimum": 3, "maximum": 4},
            {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.5},
            {"type": ["string", "null"]},
            {"type": "boolean"},
            {"type": "null"},
            {"const": 7},
            {"$ref": "#"},
            {"$ref": "#/$defs/missing"},
            {},
        ]
    ),
    lambda inner: (
        object_schema(inner)
        | inner.map(lambda items: {"type": "array", "items": items, "minItems": 1})
        | st.lists(inner, min_size=1, max_size=2).map(lambda several: {"anyOf": several})
        | st.lists(inner, max_size=2).map(lambda several: {"allOf": several})
        | inner.map(lambda one: {"$defs": {"a": one}, "$ref": "#/$defs/a"})
    ),
    max_leaves=5,
)


def function_name(tool: Any) -> str:
    return str(tool["function"]["name"])


TOOLS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {"name": NAMES},
                optional={"parameters": object_schema(SCHEMAS), "strict": st.booleans()},
            ),
        }
    ),
    min_size=1,
    max_size=3,
    unique_by=function_name,
)
FORMATS = st.sampled_from([{"type": "text"}, {"type": "json_object"}]) | st.builds(
    lambda schema, strict: {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    },
    object_schema(SCHEMAS),
    st.booleans(),
)
CALLED = [
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "city", "arguments": "{}"}}
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": "Sunny."},
]
CONVERSATIONS = st.sampled_from(
    [
        [MESSAGE],
        [{"role": "system", "content": "You are a pirate."}, MESSAGE],
        [MESSAGE, *CALLED],
        [MESSAGE, *CALLED, MESSAGE],
        [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}],
    ]
)
COMMON: dict[str, SearchStrategy[Any]] = {
    "n": st.integers(1, 3),
    "max_tokens": st.integers(1, 30),
    "stop": st.sampled_from(["5", ["5", "6"], [], None]),
    "temperature": st.floats(0, 2),
    "top_p": st.floats(0, 1),
    "seed": st.integers(0, 9),
    "logit_bias": st.just({"50256": -100}),
    "user": st.just("u"),
}


@st.composite
def valid(draw: st.DrawFn, path: str) -> dict[str, Any]:
    """Draw a request that OpenAI would answer, unless its JSON schema is too odd for that."""
    stream = draw(st.booleans())
    optional = dict(COMMON)
    if stream:
        optional["stream_options"] = st.just({"include_usage": True})
    if path == LEGACY:
        required: dict[str, Any] = {"prompt": st.sampled_from([QUESTION, [QUESTION, "x"], "", [1]])}
        optional |= {"echo": st.booleans(), "logprobs": st.integers(0, 5), "suffix": st.just("!")}
    else:
        required = {"messages": CONVERSATIONS}
        optional |= {"response_format": FORMATS, "metadata": st.just({"a": "b"})}
        if draw(st.booleans()):
            required["tools"] = TOOLS
            optional["tool_choice"] = st.sampled_from(["none", "auto", "required"])
            optional["parallel_tool_calls"] = st.booleans()
        if draw(st.booleans()):
            required["logprobs"] = st.just(True)
            optional["top_logprobs"] = st.integers(0, 20)
    body: dict[str, Any] = draw(st.fixed_dictionaries(required, optional=optional))
    tools = body.get("tools", [])
    if tools and draw(st.booleans()):
        name = function_name(draw(st.sampled_from(tools)))
        body["tool_choice"] = {"type": "function", "function": {"name": name}}
    return {"model": MODEL, "stream": stream, **body}


def of(hint: Any) -> SearchStrategy[Any]:
    """Return a strategy for the JSON values of one of the openai package's types."""
    origin: Any = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if typing_extensions.is_typeddict(hint):
        return typed_dict(hint)
    if origin in (typing_extensions.Required, typing_extensions.NotRequired, typing.Annotated):
        return of(arguments[0])
    if origin in (Union, types.UnionType):
        return st.one_of([of(argument) for argument in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is dict and arguments[1] is object:
        return object_schema(SCHEMAS) | SCHEMAS | st.dictionaries(NAMES, JSON, max_size=3)
    if origin is dict:
        return st.dictionaries(NAMES, of(arguments[1]), max_size=2)
    if origin in (list, collections.abc.Iterable, collections.abc.Sequence):
        return st.lists(of(arguments[0]), max_size=6 if arguments[0] is str else 2)
    simple = {
        str: TEXTS | st.text(max_size=5),
        int: st.integers(-1, 20) | st.integers(),
        float: st.floats(-2, 2) | st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        type(None): st.none(),
    }
    return simple[hint]


def typed_dict(hint: Any) -> SearchStrategy[Any]:
    hints: dict[str, Any] = typing_extensions.get_type_hints(hint, include_extras=True)
    required = {
        key: of(value)
        for key, value in hints.items()
        if typing.get_origin(value) is typing_extensions.Required
    }
    optional = {key: of(value) for key, value in hints.items() if key not in required}

    @st.composite
    def drawn(draw: st.DrawFn) -> dict[str, Any]:
        # Few at a time: of many, one is always refused, and the others are never looked at.
        some = draw(st.sets(st.sampled_from(sorted(optional)), max_size=3)) if optional else set()
        chosen = required | {key: optional[key] for key in sorted(some)}
        whole: dict[str, Any] = draw(st.fixed_dictionaries(chosen))
        return whole

    return drawn()


def as_published(path: str) -> SearchStrategy[Any]:
    """Return a strategy for the requests of an interface, made when the first one is drawn."""
    return st.deferred(lambda: of(params(path)))


@functools.cache
def values(path: str) -> dict[str, SearchStrategy[Any]]:
    """Return a strategy for each parameter of an interface."""
    return {name: of(hint) for name, hint in parameters(path).items()}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths to all values inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in inner:
        yield (*path, key)
        if isinstance(child, dict | list):
            yield from places(child, (*path, key))


@st.composite
def nearly_valid(draw: st.DrawFn, path: str) -> dict[str, Any]:
    """Draw a valid request and spoil it in one to three places."""
    body = copy.deepcopy(draw(valid(path)))
    for _ in range(draw(st.integers(1, 3))):
        if not (found := list(places(body))):
            break
        # As often a parameter as anything inside of one: most places are deep in a tool's schema.
        whole = [place for place in found if len(place) == 1]
        *way, key = draw(st.sampled_from(whole) | st.sampled_from(found))
        parent: Any = body
        for step in way:
            parent = parent[step]
        deed = draw(st.sampled_from(["replace", "retype", "delete", "add"]))
        if deed == "replace":
            parent[key] = draw(JSON if way else values(path).get(key, JSON) | JSON)
        elif deed == "retype":
            wrapped = [[parent[key]], {"value": parent[key]}, json.dumps(parent[key]), None]
            parent[key] = draw(st.sampled_from(wrapped))
        elif deed == "delete":
            del parent[key]
        elif isinstance(parent, dict):
            name = draw(NAMES | st.sampled_from(sorted(parameters(path))))
            parent[name] = draw(JSON)
        else:
            parent.append(draw(JSON))
    return body


# The answers


class Answer(NamedTuple):
    status: int
    type: str
    text: str


class Loud(logging.Handler):
    """Keeps what is logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] in ("helpers", "tornado", "asyncio"):
            self.said.append(self.format(record))


class Target:
    """A built-in model, and a client that looks at what every answer has in common."""

    def __init__(self) -> None:
        self.server = server.serve(pace=0)
        self.host, port = self.server.url.split("/")[2].split(":")
        self.port = int(port)
        self.log = Loud()
        logging.getLogger().addHandler(self.log)

    def send(self, request: bytes, method: str = "POST") -> Answer:
        start = time.monotonic()
        with socket.create_connection((self.host, self.port), timeout=PATIENCE) as connection:
            connection.sendall(request)
            response = http.client.HTTPResponse(connection, method=method)
            response.begin()
            text = response.read().decode()
        answer = Answer(response.status, response.headers.get("Content-Type", ""), text)
        assert time.monotonic() - start < PATIENCE
        assert answer.status < 500, answer
        assert "Traceback" not in answer.text
        assert self.log.said == []
        return answer

    def post(self, path: str, body: bytes) -> Answer:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        return self.send(head.encode() + body)

    def close(self) -> None:
        logging.getLogger().removeHandler(self.log)
        self.server.close()


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    opened = Target()
    yield opened
    body = {"model": MODEL, "messages": [MESSAGE]}
    last = opened.post(CHAT, json.dumps(body).encode())
    opened.close()
    assert json.loads(last.text)["choices"][0]["message"]["content"].startswith("1, 2, 3")
    assert opened.log.said == []


def error_of(answer: Answer) -> dict[str, Any]:
    """Return the error of a refusal, which has OpenAI's shape."""
    assert 400 <= answer.status < 500
    assert answer.type.split(";")[0] == "application/json"
    whole = json.loads(answer.text)
    assert set(whole) == {"error"}
    error: dict[str, Any] = whole["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert isinstance(error["message"], str) and 0 < len(error["message"]) < 1000
    assert error["type"] == "invalid_request_error"
    assert isinstance(error["param"], str | None)
    assert isinstance(error["code"], str | None)
    return error


def check_error(answer: Answer, path: str, body: dict[str, Any]) -> None:
    """A refused body is told which parameter is wrong or missing."""
    error = error_of(answer)
    if answer.status != 400:
        assert (answer.status, error["code"]) == (404, "model_not_found")
        return
    param = error["param"]
    if param is None:
        assert any(f"'{name}'" in error["message"] for name in {*parameters(path), *body}), error
        return
    *way, last = re.findall(r"[^.\[\]]+", param)
    parent: Any = body
    for step in way:
        parent = parent[int(step) if isinstance(parent, list) else step]
    missing = last in parameters(path) if parent is body else isinstance(parent, dict)
    assert missing or isinstance(parent, list) or last in parent, error


def check_stream(answer: Answer, path: str) -> None:
    assert answer.type.startswith("text/event-stream")
    *events, done, end = answer.text.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    assert all(event.startswith("data: {") for event in events)


def check(answer: Answer, path: str, body: dict[str, Any]) -> None:
    published.check(path, answer.status, answer.text)
    if answer.status != 200:
        check_error(answer, path, body)
    elif body.get("stream"):
        check_stream(answer, path)
    else:
        assert answer.type.split(";")[0] == "application/json"


@fuzz(1000)
@given(as_published(CHAT))
@example({"model": "\ud800", "messages": [MESSAGE]})  # came back as JSON that not all can read
def test_chat_as_published(target: Target, body: dict[str, Any]) -> None:
    check(target.post(CHAT, json.dumps(body).encode()), CHAT, body)


@fuzz(1200)
@given(nearly_valid(CHAT) | valid(CHAT))
def test_chat_nearly_valid(target: Target, body: dict[str, Any]) -> None:
    check(target.post(CHAT, json.dumps(body).encode()), CHAT, body)


@fuzz(400)
@given(nearly_valid(LEGACY) | valid(LEGACY) | as_published(LEGACY))
def test_legacy(target: Target, body: dict[str, Any]) -> None:
    check(target.post(LEGACY, json.dumps(body).encode()), LEGACY, body)


@st.composite
def spoilt_bytes(draw: st.DrawFn) -> bytes:
    """Draw a body of bytes: JSON with some bytes changed, other JSON, or no JSON at all."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
    body = bytearray(json.dumps(draw(valid(CHAT))).encode())
    start = draw(st.integers(0, len(body) - 1))
    odd = [b"", b"\xff", b"NaN", b"Infinity", b"[" * 9999, b'"', b"1e999", b"\\ud800", b"9" * 5000]
    body[start : start + draw(st.integers(0, 9))] = draw(st.sampled_from(odd))
    return bytes(body)


@fuzz(200)
@given(spoilt_bytes(), st.sampled_from([CHAT, LEGACY]))
def test_bytes(target: Target, body: bytes, path: str) -> None:
    answer = target.post(path, body)
    if answer.status != 200:
        error_of(answer)


@fuzz(200)
@given(
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", "post"]),
    st.sampled_from([CHAT, LEGACY, "/v1/models", "/v1/models/built-in", "/v1/models/", "/", "*"])
    | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=9).map("/v1/".__add__),
    st.sampled_from(["", "?a=b", "?%ff=%", "#x", "/..", "//", "%2e%2e/%00", "%ff", "é"]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.0"]),
    st.lists(
        st.sampled_from(
            [
                "Content-Type: text/plain",
                "Content-Type: multipart/form-data; boundary=x",
                "Content-Type: application/json; charset=utf-16",
                "Content-Encoding: gzip",
                "Accept: image/png",
                "Accept-Encoding: gzip",
                "Connection: keep-alive",
                "Connection: upgrade\r\nUpgrade: websocket",
                "Expect: 100-continue",
                "If-None-Match: *",
                "Range: bytes=0-1",
                "Authorization: Basic é",
                "Cookie: =;;=",
                "X-Http-Method-Override: DELETE",
                "X-Long: " + "a" * 9999,
            ]
        ),
        max_size=3,
        unique=True,
    ),
    st.sampled_from([b"", b"{}", json.dumps({"model": MODEL, "messages": [MESSAGE]}).encode()]),
)
def test_calls(
    target: Target, method: str, path: str, tail: str, version: str, headers: list[str], body: bytes
) -> None:
    lines = [f"{method} {path}{tail} {version}", "Host: x", f"Content-Length: {len(body)}"]
    head = "\r\n".join([*lines, *headers, "", ""]).encode("latin-1")
    answer = target.send(head + body, method)
    if method == "HEAD":
        assert answer.text == ""
    elif answer.status not in (200, 204, 304):
        error_of(answer)


@pytest.mark.parametrize(
    "head",
    [
        "GET",
        "GET /v1/models",
        "GET /v1/models HTTP/9.9",
        "GET /v1/models HTTP/1.1\r\nno colon",
        "GET /v1/models HTTP/1.1\r\n: no name",
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nHost: y",
        "GET /v1/models HTTP/1.1\r\nHost: x\r\nX: \0",
        "GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n\r\n",
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: -1",
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3",
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2",
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: {10**30}",
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip",
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz",
        f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked",
        "GET /v1/models HTTP/1.1\r\nX: " + "a" * 100_000,
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the start of TLS
    ],
)
def test_no_http(target: Target, head: str) -> None:
    """What is not HTTP gets a plain 400 from tornado, or nothing; the server goes on."""
    try:
        answer = target.send(head.encode() + b"\r\n\r\n")
    except (http.client.BadStatusLine, ConnectionResetError):
        return
    assert answer.status in (200, 431) or (answer.status, answer.text) == (400, "")


def test_every_published_parameter_is_tried() -> None:
    """The strategies are made from the types; this sees that the types could be read."""
    assert {"messages", "tools", "tool_choice", "response_format", "stop"} < set(parameters(CHAT))
    assert {"prompt", "echo", "best_of", "suffix"} < set(parameters(LEGACY))
    assert set(COMMON) < set(parameters(CHAT)) & set(parameters(LEGACY))
