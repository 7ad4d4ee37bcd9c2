"""What the built-in model answers at each address, whoever carries it: a socket or this process.

`answer` reads a request and yields its answer step by step: waits in seconds, once the head, and the
pieces of the body.
"""

from __future__ import annotations

import hmac
import json
import math
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple
from urllib.parse import unquote

from helpers.builtin import (
    MODELS,
    answers,
    chat_reply,
    chat_request,
    conduct,
    faults,
    legacy,
    pace,
    responses,
    wire,
)
from helpers.builtin.chat_reply import Reply
from helpers.builtin.prompt import Cache
from helpers.builtin.wire import RequestError

MAX_BODY = 2**20  # bytes of a request
MAX_HEAD = 2**16  # characters of its headers
JSON = {"Content-Type": "application/json; charset=UTF-8"}
EVENTS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}

ADDRESSES = (
    "This server speaks Chat Completions and Responses. It has POST /v1/chat/completions, "
    "POST /v1/responses, POST /v1/completions, GET /v1/models and GET /v1/models/{model}; "
    "a base URL ends in /v1."
)


class State:
    """What the answers depend on, and what carries them has besides.

    `url` is the base URL; `pace` is in tokens per second, 0 for no waiting; `token` what clients
    must send as their key, if anything; `cors` the origin of the web pages that may read the
    answers, "*" for all; `calls` counts the calls, and may make them fail; `cache` knows the
    prompts that were read; `answering` is the number of requests that are being answered;
    `source` is who answers.
    """

    url: str
    token: str | None = None
    cors: str | None = None
    calls: faults.Calls | None = None
    answering = 0
    refusing = False

    def __init__(self, pace: float, source: Source | None = None) -> None:
        self.pace = pace
        self.source = source or BUILTIN
        self.cache = Cache()

    def is_full(self) -> bool:
        """Say whether there are more connections than are answered."""
        return False

    def refuse(self) -> None:
        """Refuse connections, from now until `listen`."""
        self.refusing = True

    def listen(self) -> None:
        """Take connections again."""
        self.refusing = False

    def provoke(self, fault: faults.Fault, times: int | None, model: str | None) -> faults.Calls:
        """Let `fault` happen from now on, end the one before, and return the calls from now on.

        It lasts for so many calls, where `times` is given, and is for this `model` alone.
        """
        if self.calls is not None:
            self.calls.end()
        self.calls = faults.Calls(fault, times, model, self._forgive)
        if fault.kind == "refused":
            self.refuse()
        return self.calls

    def _forgive(self, calls: faults.Calls) -> None:
        """End a fault and the counting, unless that was done."""
        if self.calls is calls:
            self.calls = None
            if calls.fault.kind == "refused":
                self.listen()


class Asked(NamedTuple):
    """A request as it came. Its body has `size` bytes; `body` holds them, as far as MAX_BODY."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    size: int


class Head(NamedTuple):
    """The head of an answer."""

    status: int
    headers: dict[str, str]


Step = Head | bytes | float


class Broken(Exception):
    """The connection is to be broken here; `outcome` is RESET, before the answer, or CUT, in it."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Interface(NamedTuple):
    """One of OpenAI's interfaces: how a request is read, answered, misanswered and put on the wire.

    Replies that are `live` are written while one iterates over their tokens, which takes its time.
    """

    parse: Callable[[bytes], Any]
    replies: Callable[[Any], list[Any]]
    misformatted: Callable[[Any], list[Any]]
    completion: Callable[[Any, Sequence[Any]], dict[str, Any]]
    chunks: Callable[[Any, Sequence[Any]], Iterator[tuple[int, dict[str, Any]]]]
    end: bytes = b"data: [DONE]\n\n"  # of a stream
    live: bool = False


class Source(NamedTuple):
    """Who answers: the names of the models, and the interfaces by their addresses."""

    models: Sequence[str]
    interfaces: Mapping[str, Interface]


CHAT_ADDRESS = "/v1/chat/completions"
BUILTIN = Source(
    MODELS,
    {
        CHAT_ADDRESS: Interface(
            chat_request.parse,
            answers.replies,
            answers.misformatted,
            chat_reply.completion,
            chat_reply.chunks,
        ),
        "/v1/responses": Interface(
            responses.parse,
            answers.replies,
            answers.misformatted,
            responses.completion,
            responses.chunks,
            b"",
        ),
        "/v1/completions": Interface(
            legacy.parse, legacy.replies, legacy.replies, legacy.completion, legacy.chunks
        ),
    },
)


def answer(state: State, asked: Asked) -> Generator[Step, None, None]:
    """Yield the answer's steps; raise Broken where a fault breaks the connection.

    Closed before its end, it notes that the client has gone.
    """
    try:
        yield from _respond(state, asked)
    except RequestError as error:
        yield from refusal(state, error)


def refusal(state: State, error: RequestError) -> Iterator[Step]:
    """Yield the steps of an answer that is an error, in OpenAI's shape."""
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    if error.status == 429:
        kind = "requests" if error.code != "insufficient_quota" else error.code
    shape = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
    yield from _json(state, {"error": shape}, error.status, error.headers)


def shared_headers(state: State) -> dict[str, str]:
    """Return the headers that every answer has."""
    headers = {"x-request-id": f"req_{uuid.uuid4().hex}"}
    if state.cors:
        headers["Access-Control-Allow-Origin"] = state.cors
        headers["Access-Control-Expose-Headers"] = "x-request-id, retry-after"
    return headers


def _json(
    state: State, value: Any, status: int = 200, more: Mapping[str, str] | None = None
) -> Iterator[Step]:
    text = json.dumps(value).encode()
    length = {"Content-Length": str(len(text))}
    yield Head(status, {**shared_headers(state), **JSON, **length, **(more or {})})
    yield text


def _respond(state: State, asked: Asked) -> Iterator[Step]:
    methods: tuple[str, ...] = ()  # of this address, besides OPTIONS
    interface = state.source.interfaces.get(asked.path)
    if interface:
        methods = ("POST",)
    elif asked.path == "/v1/models" or (asked.path.startswith("/v1/models/") and asked.path[11:]):
        methods = ("GET", "HEAD")
    # A browser asks what a page may send, without a key and also at unknown addresses.
    asks = asked.method == "OPTIONS" and bool(methods or state.cors)
    _admit(state, asked, free=bool(asks and state.cors))
    if asks:
        yield Head(204, {**shared_headers(state), **_allow(state, asked, methods)})
    elif not methods:
        raise _unknown(asked)
    elif asked.method not in methods:
        message = f"The server cannot {asked.method} {asked.path}."
        raise RequestError(message, status=405, headers=_allow(state, asked, methods))
    elif interface:
        yield from _complete(interface, state, asked)
    else:
        yield from _models(state, asked)


def _admit(state: State, asked: Asked, free: bool) -> None:
    """Raise RequestError unless the token is right, or it is free, and the server has room."""
    given = asked.headers.get("Authorization", "")
    expected = f"Bearer {state.token}"
    if state.token and not free and not hmac.compare_digest(given.encode(), expected.encode()):
        raise RequestError("Incorrect API key provided.", code="invalid_api_key", status=401)
    if state.is_full():
        message = "The server has too many connections. Try again later."
        raise RequestError(message, status=503, headers={"Retry-After": "1"})
    size = sum(len(name) + len(value) for name, value in asked.headers.items())
    if size > MAX_HEAD:
        message = f"The headers have {size:,} characters; the server takes {MAX_HEAD:,}."
        raise RequestError(message, status=431)


def _allow(state: State, asked: Asked, methods: Sequence[str]) -> dict[str, str]:
    """Say which methods there are here, and in CORS's words if pages may send requests."""
    headers = {"Allow": ", ".join((*methods, "OPTIONS"))}
    if state.cors:
        wanted = asked.headers.get("Access-Control-Request-Headers")
        headers["Access-Control-Allow-Methods"] = headers["Allow"]
        headers["Access-Control-Allow-Headers"] = wanted or "authorization, content-type"
    return headers


def _unknown(asked: Asked) -> RequestError:
    message = f"Unknown address: {asked.method} {asked.path[:200]}. {ADDRESSES}"
    return RequestError(message, code="unknown_url", status=404)


def _models(state: State, asked: Asked) -> Iterator[Step]:
    if state.calls is not None and "no_models" in state.calls.ways:
        raise _unknown(asked)
    names = state.source.models
    models = [
        {"id": name, "object": "model", "created": chat_reply.CREATED, "owned_by": "course"}
        for name in names
    ]
    if named := unquote(asked.path.removeprefix("/v1/models").removeprefix("/")):
        yield from _json(state, models[names.index(wire.model(named, names))])
    else:
        yield from _json(state, {"object": "list", "data": models})


def _complete(talk: Interface, state: State, asked: Asked) -> Iterator[Step]:
    """Yield a completion; note how the call ended, where calls are counted."""
    calls = state.calls
    call = faults.Call(faults.NONE) if calls is None else calls.arrive(asked.body)
    try:
        yield from _completed(talk, state, asked, call)
    except RequestError as error:
        call.end(str(error.status))
        raise
    except Broken as broken:
        call.end(broken.outcome)
        raise
    except GeneratorExit:
        call.end(faults.GONE)
        raise
    finally:
        call.end("500")  # unless it has ended otherwise


def _completed(talk: Interface, state: State, asked: Asked, call: faults.Call) -> Iterator[Step]:
    fault = call.fault
    if error := fault.error(asked.body):
        raise error
    if fault.kind == "reset":
        raise Broken(faults.RESET)
    if fault.kind == "slow":
        yield float(fault.seconds)
    if asked.size > MAX_BODY:
        raise RequestError(
            f"The request has {asked.size:,} bytes; the built-in model takes {MAX_BODY:,}.",
            status=413,
        )
    request = talk.parse(asked.body)
    if talk.live:
        yield from _live(talk, request, shared_headers(state), call)
        return
    if isinstance(request, chat_request.Request):
        cached = state.cache.read(request.model, request.prompt)
        aloud = "reasoning_content" in fault.ways
        request = replace(request, cached=cached, aloud=aloud)
    make = talk.misformatted if fault.kind == "wrong_format" else talk.replies
    replies = conduct.replies(request, make, fault)
    clock = _clock(asked, request, replies, state.pace)
    headers = shared_headers(state)
    if request.stream:
        yield from _stream(talk.chunks(request, replies), talk.end, headers, call, clock)
    else:
        yield _wait(clock[-1])
        yield from _whole(talk.completion(request, replies), headers, call)


def _live(
    talk: Interface, request: Any, headers: dict[str, str], call: faults.Call
) -> Iterator[Step]:
    """Yield an answer that is written meanwhile, a step a token: a client that goes away stops it."""
    replies = talk.replies(request)
    if request.stream:
        chunks = ((0, chunk) for _written, chunk in talk.chunks(request, replies))
        yield from _stream(chunks, talk.end, headers, call, [0.0])
        return
    for _token in chain.from_iterable(reply.tokens for reply in replies):
        yield 0.0
    yield from _whole(talk.completion(request, replies), headers, call)


def _clock(asked: Asked, request: Any, replies: Sequence[Reply], speed: float) -> list[float]:
    """Return when 0, 1, 2, … tokens are written, by `time.monotonic`; `speed` is in tokens per second."""
    now, longest = time.monotonic(), max(reply.length() for reply in replies)
    return [now + after for after in pace.times(request.id, asked.size, longest, speed)]


def _wait(due: float) -> float:
    """Return how many seconds there are until then."""
    return max(0.0, due - time.monotonic())


def _whole(
    completion: dict[str, Any], headers: dict[str, str], call: faults.Call
) -> Iterator[Step]:
    faults.other_ways(call.fault.ways, completion)
    text = json.dumps(completion).encode()
    half = text[: len(text) // 2]
    sent = half if call.fault.kind == "malformed" else text
    yield Head(200, {**headers, **JSON, "Content-Length": str(len(sent))})
    if call.fault.kind == "cut":
        yield half
        raise Broken(faults.CUT)
    call.end("200")  # before the client has the answer, and counts
    yield sent


def _stream(
    chunks: Iterator[tuple[int, dict[str, Any]]],
    end: bytes,
    headers: dict[str, str],
    call: faults.Call,
    clock: Sequence[float],
) -> Iterator[Step]:
    fault = call.fault
    yield Head(200, {**headers, **EVENTS})
    after = fault.after if fault.kind in faults.IN_STREAMS else math.inf
    for written, chunk in chunks:
        yield _wait(clock[written])
        if fault.ways and not faults.other_ways(fault.ways, chunk):
            continue
        data = json.dumps(chunk, separators=(",", ":")).encode()
        if written > after:
            after = math.inf
            if fault.kind == "cut":
                break
            if fault.kind == "malformed":
                call.end("200")
                yield b"data: %b\n\n" % data[: len(data) // 2]
                return
            yield float(fault.seconds)
        if "comments" in fault.ways:
            yield b": keep-alive\n\n"
        event = f"event: {chunk['type']}\n".encode() if "type" in chunk else b""
        yield b"%bdata: %b\n\n" % (event, data)
    if fault.kind == "cut":
        raise Broken(faults.CUT)
    call.end("200")
    yield end
