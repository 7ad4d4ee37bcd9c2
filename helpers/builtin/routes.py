"""What the built-in model's server answers at each address: a completion, the models, or an error."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import math
import struct
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, NamedTuple, NoReturn, Protocol

from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from helpers.builtin import MODELS, answers, chat_reply, chat_request, faults, legacy, pace, wire
from helpers.builtin.chat_reply import Reply
from helpers.builtin.wire import RequestError

MAX_BODY = 2**20  # bytes of a request
MAX_HEAD = 2**16  # characters of its headers
WRITE_TIMEOUT = 10.0  # seconds that a client may let the server wait for it to read
RESET = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)  # linger for no time

ADDRESSES = (
    "This server speaks Chat Completions. It has POST /v1/chat/completions, POST /v1/completions, "
    "GET /v1/models and GET /v1/models/{model}; a base URL ends in /v1."
)

logger = logging.getLogger(__name__)


class State(Protocol):
    """What the answers need to know of the server that gives them.

    `pace` is in tokens per second, 0 for no waiting; `token` what clients must send as their key,
    if anything; `cors` the origin of the web pages that may read the answers, "*" for all;
    `calls` counts the calls, and may make them fail; `answering` is the number of requests that
    are being answered.
    """

    pace: float
    token: str | None
    cors: str | None
    calls: faults.Calls | None
    answering: int

    def is_full(self) -> bool:
        """Say whether there are more connections than are answered."""


class Interface(NamedTuple):
    """One of OpenAI's interfaces: how a request is read, answered, misanswered and put on the wire."""

    parse: Callable[[bytes], Any]
    replies: Callable[[Any], list[Reply]]
    misformatted: Callable[[Any], list[Reply]]
    completion: Callable[[Any, Sequence[Reply]], dict[str, Any]]
    chunks: Callable[[Any, Sequence[Reply]], Iterator[tuple[int, dict[str, Any]]]]


CHAT = Interface(
    chat_request.parse,
    answers.replies,
    answers.misformatted,
    chat_reply.completion,
    chat_reply.chunks,
)
TEXT = Interface(legacy.parse, legacy.replies, legacy.replies, legacy.completion, legacy.chunks)


@stream_request_body
class _Handler(RequestHandler):
    """What all addresses share: the body's limit, errors as JSON and a client that goes away."""

    methods: tuple[str, ...] = ()  # of this address, besides OPTIONS

    def initialize(self, server: State, interface: Interface = CHAT) -> None:
        self.server = server
        self.interface = interface
        self.body = bytearray()
        self.received = 0
        self.retry_after: float | None = None  # seconds, for an error's header
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def set_default_headers(self) -> None:
        # Also of errors: tornado clears what was set before. This runs before `initialize`.
        self.set_header("x-request-id", f"req_{uuid.uuid4().hex}")
        if cors := self.settings["server"].cors:
            self.set_header("Access-Control-Allow-Origin", cors)
            self.set_header("Access-Control-Expose-Headers", "x-request-id, retry-after")

    async def dispatch(self, *arguments: str) -> None:
        """Answer the request, which was read to its end: a client that still sends does not listen."""
        self.server.answering += 1
        # A browser asks what a page may send, without a key and also at unknown addresses.
        preflight = self.request.method == "OPTIONS" and self.server.cors
        try:
            self.admit(free=bool(preflight))
            if self.request.method in self.methods:
                await self.answer(*arguments)
            elif preflight or (self.request.method == "OPTIONS" and self.methods):
                self.allow()
                self.set_status(204)
            else:
                raise HTTPError(405)
        finally:
            self.server.answering -= 1

    get = head = post = put = patch = delete = options = dispatch

    async def answer(self, *arguments: str) -> None:
        raise NotImplementedError

    def admit(self, free: bool) -> None:
        """Raise RequestError unless the token is right, or it is free, and the server has room."""
        given = self.request.headers.get("Authorization", "")
        expected = f"Bearer {self.server.token}"
        if (
            self.server.token
            and not free
            and not hmac.compare_digest(given.encode(), expected.encode())
        ):
            message = "Incorrect API key provided."
            raise RequestError(message, code="invalid_api_key", status=401)
        if self.server.is_full():
            self.retry_after = 1
            raise RequestError("The server has too many connections. Try again later.", status=503)
        size = sum(len(name + value) for name, value in self.request.headers.get_all())
        if size > MAX_HEAD:
            message = f"The headers have {size:,} characters; the server takes {MAX_HEAD:,}."
            raise RequestError(message, status=431)

    def allow(self) -> None:
        """Say which methods there are here, and in CORS's words if pages may send requests."""
        methods = ", ".join((*self.methods, "OPTIONS"))
        self.set_header("Allow", methods)
        if self.server.cors:
            asked = self.request.headers.get("Access-Control-Request-Headers")
            self.set_header("Access-Control-Allow-Methods", methods)
            self.set_header("Access-Control-Allow-Headers", asked or "authorization, content-type")

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if self.received <= MAX_BODY:
            self.body += chunk

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if not self.gone.done():
            self.gone.set_result(None)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if not isinstance(error, RequestError):
            error = self.describe(status_code)
        self.set_status(error.status)
        if error.status == 405:
            self.allow()
        if self.retry_after is not None:
            self.set_header("Retry-After", f"{self.retry_after:g}")
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
        if error.status == 429:
            kind = "requests"
        shape = {"message": error.message, "type": kind, "param": error.param, "code": error.code}
        self.finish({"error": shape})

    def describe(self, status: int) -> RequestError:
        """Return the error to send where tornado gives no more than a status."""
        if status < 500:
            message = f"The server cannot {self.request.method} {self.request.path}."
        else:
            message = "The built-in model failed on this request; that is a defect of the course."
        return RequestError(message, status=status)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        # Neither the request nor its headers: they hold the key.
        if not isinstance(value, (HTTPError, RequestError)):
            logger.error("The built-in model failed on a request", exc_info=value)


class _Completions(_Handler):
    methods = ("POST",)
    call: faults.Call | None = None  # where calls are counted
    fault = faults.NONE

    async def answer(self, *arguments: str) -> None:
        body = bytes(self.body)
        if (calls := self.server.calls) is not None:
            self.call = calls.arrive(body)
            self.fault = self.call.fault
        # A client that goes away is nothing to report.
        with contextlib.suppress(StreamClosedError):
            await self.fail(body)
            if self.received > MAX_BODY:
                raise RequestError(
                    f"The request has {self.received:,} bytes; the built-in model takes {MAX_BODY:,}.",
                    status=413,
                )
            talk = self.interface
            request = talk.parse(body)
            make = talk.misformatted if self.fault.kind == "wrong_format" else talk.replies
            replies = make(request)
            await (self.stream if request.stream else self.whole)(request, replies)

    async def fail(self, body: bytes) -> None:
        """Let the fault happen, if it is one that comes before the answer."""
        if error := self.fault.error(body):
            self.retry_after = self.fault.retry_after
            raise error
        if self.fault.kind == "reset":
            self.abort(faults.RESET, reset=True)
        if self.fault.kind == "slow":
            await self.pause(self.fault.seconds)

    async def whole(self, request: Any, replies: Sequence[Reply]) -> None:
        await self.wait(self.clock(request, replies)[-1])
        completion = self.interface.completion(request, replies)
        if self.fault.kind not in ("cut", "malformed"):
            await self.taken(self.finish(completion))
            return
        text = json.dumps(completion)
        self.set_header("Content-Type", "application/json; charset=UTF-8")
        self.write(text[: len(text) // 2])
        if self.fault.kind == "cut":
            self.set_header("Content-Length", len(text))
            await self.taken(self.flush())
            self.abort(faults.CUT)
        await self.taken(self.finish())

    async def stream(self, request: Any, replies: Sequence[Reply]) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        clock = self.clock(request, replies)
        after = self.fault.after
        for written, chunk in self.interface.chunks(request, replies):
            await self.wait(clock[written])
            data = json.dumps(chunk, separators=(",", ":"))
            if written > after:
                after = math.inf
                if self.fault.kind == "cut":
                    break
                if self.fault.kind == "malformed":
                    await self.taken(self.finish(f"data: {data[: len(data) // 2]}\n\n"))
                    return
                await self.pause(self.fault.seconds)
            self.write(f"data: {data}\n\n")
            await self.taken(self.flush())
        if self.fault.kind == "cut":
            self.abort(faults.CUT)
        await self.taken(self.finish("data: [DONE]\n\n"))

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> asyncio.Future[None]:
        # Before the client has the answer, and counts.
        self.note(faults.GONE if self.gone.done() else str(self.get_status()))
        return super().finish(chunk)

    def note(self, outcome: str) -> None:
        if self.call is not None:
            self.call.end(outcome)

    def clock(self, request: Any, replies: Sequence[Reply]) -> list[float]:
        """Return the times at which 0, 1, 2, … tokens are written, in the loop's seconds."""
        now = asyncio.get_running_loop().time()
        longest = max(reply.length() for reply in replies)
        after = pace.times(request.id, self.received, longest, self.server.pace)
        return [now + seconds for seconds in after]

    async def wait(self, deadline: float) -> None:
        """Wait until `deadline`, in the loop's seconds; raise StreamClosedError if the client goes."""
        now = asyncio.get_running_loop().time()
        if deadline > now:
            await self.pause(deadline - now)
        else:
            await asyncio.sleep(0)  # lets the other requests write a token too
        if self.gone.done():
            raise StreamClosedError

    async def pause(self, seconds: float) -> None:
        """Wait; raise StreamClosedError if the client goes."""
        await asyncio.wait([self.gone], timeout=seconds)
        if self.gone.done():
            raise StreamClosedError

    async def taken(self, written: asyncio.Future[None]) -> None:
        """Wait until the system has what was written; a client that does not read is cut off."""
        if not written.done():
            await asyncio.wait([written], timeout=WRITE_TIMEOUT)
            if not written.done():
                self.abort(faults.GONE, reset=True)

    def abort(self, outcome: str, reset: bool = False) -> NoReturn:
        """Close the connection without ending the answer, and raise StreamClosedError."""
        self.note(outcome)
        stream = self.detach()
        if reset and not stream.closed():
            with contextlib.suppress(OSError):  # macOS, where the client has gone just now
                stream.socket.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        stream.close()
        raise StreamClosedError


class _Models(_Handler):
    methods = ("GET", "HEAD")

    async def answer(self, *arguments: str) -> None:
        models = [
            {"id": name, "object": "model", "created": chat_reply.CREATED, "owned_by": "course"}
            for name in MODELS
        ]
        if arguments:
            self.finish(models[MODELS.index(wire.model(*arguments))])
        else:
            self.finish({"object": "list", "data": models})


class _Unknown(_Handler):
    def describe(self, status: int) -> RequestError:
        # No method is implemented here, which tornado takes for a wrong method.
        message = (
            f"Unknown address: {self.request.method} {self.request.path[:200]}. {ADDRESSES} "
            "In the AI SDK, take openai.chat(…) instead of openai(…); in LangChain, leave out "
            "use_responses_api."
        )
        return RequestError(message, code="unknown_url", status=404)


def application(server: State) -> Application:
    """Return all addresses of `server`."""
    shared = {"server": server}
    return Application(
        [
            (r"/v1/chat/completions", _Completions, {**shared, "interface": CHAT}),
            (r"/v1/completions", _Completions, {**shared, "interface": TEXT}),
            (r"/v1/models", _Models, shared),
            (r"/v1/models/(.+)", _Models, shared),
        ],
        default_handler_class=_Unknown,
        default_handler_args=shared,
        server=server,
        log_function=lambda handler: None,  # no access log between a notebook's outputs
    )
