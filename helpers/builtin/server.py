"""The built-in model: an OpenAI-compatible chat server on loopback, inside this process."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import math
import os
import reprlib
import struct
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from socket import SO_LINGER, SO_REUSEADDR, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any, NamedTuple, NoReturn

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import add_accept_handler, bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from helpers.builtin import answers, faults, legacy, protocol
from helpers.builtin.protocol import Reply
from helpers.builtin.wire import RequestError

MODEL = "built-in"
MAX_BODY = 2**20  # bytes of a request
MAX_DRAIN = 2**30  # bytes that are read and dropped, so that a client is done sending and listens
SEND_BUFFER = 2**16  # bytes that the system keeps for a client that does not read
HEADER_TIMEOUT = 30.0  # seconds until the head of a request is there
BODY_TIMEOUT = 30.0  # seconds until its body is there, also one that is dropped
WRITE_TIMEOUT = 10.0  # seconds that a client may let the server wait for it to read
MAX_CONNECTIONS = 500
BACKLOG = 1024
RESET = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)  # linger for no time

logger = logging.getLogger(__name__)


class Interface(NamedTuple):
    """One of OpenAI's interfaces: how a request is read, answered, misanswered and put on the wire."""

    parse: Callable[[bytes], Any]
    replies: Callable[[Any], list[Reply]]
    misformatted: Callable[[Any], list[Reply]]
    completion: Callable[[Any, Sequence[Reply]], dict[str, Any]]
    chunks: Callable[[Any, Sequence[Reply]], Iterator[tuple[int, dict[str, Any]]]]


CHAT = Interface(
    protocol.parse,
    answers.replies,
    answers.misformatted,
    protocol.completion,
    protocol.chunks,
)
TEXT = Interface(legacy.parse, legacy.replies, legacy.replies, legacy.completion, legacy.chunks)


@stream_request_body
class _Handler(RequestHandler):
    """What all addresses share: the body's limit, errors as JSON and a client that goes away."""

    methods: tuple[str, ...] = ()  # of this address, besides OPTIONS

    def initialize(self, server: Server, interface: Interface = CHAT) -> None:
        self.server = server
        self.interface = interface
        self.body = bytearray()
        self.received = 0
        self.retry_after: float | None = None  # seconds, for an error's header
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def dispatch(self, *arguments: str) -> None:
        """Answer the request, which was read to its end: a client that still sends does not listen."""
        self.server.answering += 1
        try:
            self.admit()
            if self.request.method in self.methods:
                await self.answer(*arguments)
            elif self.request.method == "OPTIONS" and self.methods:
                self.allow()
                self.set_status(204)
            else:
                raise HTTPError(405)
        finally:
            self.server.answering -= 1

    get = head = post = put = patch = delete = options = dispatch

    async def answer(self, *arguments: str) -> None:
        raise NotImplementedError

    def admit(self) -> None:
        """Raise RequestError unless the token is right and the server has room."""
        given = self.request.headers.get("Authorization", "")
        expected = f"Bearer {self.server.token}"
        if self.server.token and not hmac.compare_digest(given.encode(), expected.encode()):
            message = "Incorrect API key provided."
            raise RequestError(message, code="invalid_api_key", status=401)
        if self.server.is_full():
            self.retry_after = 1
            raise RequestError("The server has too many connections. Try again later.", status=503)

    def allow(self) -> None:
        self.set_header("Allow", ", ".join((*self.methods, "OPTIONS")))

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
            self.abort("reset", reset=True)
        if self.fault.kind == "slow":
            await self.pause(self.fault.seconds)

    async def whole(self, request: Any, replies: Sequence[Reply]) -> None:
        await self.wait(*self.clock(), max(reply.length() for reply in replies))
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
            self.abort("cut")
        await self.taken(self.finish())

    async def stream(self, request: Any, replies: Sequence[Reply]) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        start, pace = self.clock()
        after = self.fault.after
        for written, chunk in self.interface.chunks(request, replies):
            await self.wait(start, pace, written)
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
            self.abort("cut")
        await self.taken(self.finish("data: [DONE]\n\n"))

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> asyncio.Future[None]:
        # Before the client has the answer, and counts.
        self.note("gone" if self.gone.done() else str(self.get_status()))
        return super().finish(chunk)

    def note(self, outcome: str) -> None:
        if self.call is not None:
            self.call.end(outcome)

    def clock(self) -> tuple[float, float]:
        """Return the time at which the answer begins, and the pace that it keeps to its end."""
        return asyncio.get_running_loop().time(), self.server.pace

    async def wait(self, start: float, pace: float, written: int) -> None:
        """Wait until that many tokens are written; raise StreamClosedError if the client goes."""
        now = asyncio.get_running_loop().time()
        deadline = start + written / pace if pace else now
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
                self.abort("gone", reset=True)

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
        model = {"id": MODEL, "object": "model", "created": protocol.CREATED, "owned_by": "course"}
        if arguments not in ((), (MODEL,)):
            message = f"The model {reprlib.repr(arguments[0])} does not exist; '{MODEL}' does."
            raise RequestError(message, "model", "model_not_found", status=404)
        self.finish(model if arguments else {"object": "list", "data": [model]})


class _Unknown(_Handler):
    def describe(self, status: int) -> RequestError:
        # No method is implemented here, which tornado takes for a wrong method.
        message = f"Unknown address: {self.request.method} {self.request.path}."
        return RequestError(message, code="unknown_url", status=404)


class _HTTPServer(HTTPServer):
    """Counts its connections."""

    connections = 0

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self.connections += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        self.connections -= 1


class Server:
    """The running server: `url` is its base URL, `pace` its tokens per second (0: no waiting).

    `calls` counts the calls, and may make them fail; None does neither.
    """

    def __init__(
        self, pace: float, host: str, port: int, token: str | None, max_connections: int
    ) -> None:
        self.pace = pace
        self.token = token
        self.max_connections = max_connections
        self.calls: faults.Calls | None = None
        self.answering = 0  # requests
        self._sockets = bind_sockets(port, host, backlog=BACKLOG)
        name, port = self._sockets[0].getsockname()[:2]
        self.url = f"http://{f'[{name}]' if ':' in name else name}:{port}/v1"
        self._deafen: list[Callable[[], None]] = []  # what ends the accepting
        # The default loop on Windows cannot wait for tornado's sockets.
        self._loop = asyncio.SelectorEventLoop()
        self._closing = asyncio.Event()
        self._deadline = math.inf  # of the answers under way, once it is closing
        self._work = self._loop.create_task(self._serve())  # before whatever `_call` adds
        self._thread = threading.Thread(target=self._run, name="built-in model", daemon=True)
        self._thread.start()

    def is_full(self) -> bool:
        """Say whether there are more connections than are answered."""
        return self._http.connections > self.max_connections

    def close(self, patience: float = 0) -> None:
        """Stop listening, end the requests that are under way and wait for that.

        Their answers have `patience` seconds to come to their end.
        """
        if self._thread.is_alive():
            self._deadline = time.monotonic() + patience
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    def refuse(self) -> None:
        """Refuse connections, from now until `listen`; the port stays ours."""
        self._call(self._refuse())

    def listen(self) -> None:
        """Take connections again."""
        self._call(self._listen())

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _refuse(self) -> None:
        addresses = [listening.getsockname() for listening in self._sockets]
        families = [listening.family for listening in self._sockets]
        self._stop_listening()
        self._sockets = list(map(_bound, families, addresses))

    async def _listen(self) -> None:
        for listening in self._sockets:
            listening.setsockopt(SOL_SOCKET, SO_SNDBUF, SEND_BUFFER)  # of its connections, that is
            listening.listen(BACKLOG)
            self._deafen.append(add_accept_handler(listening, self._accept))

    def _stop_listening(self) -> None:
        while self._deafen:
            self._deafen.pop()()
        for listening in self._sockets:
            listening.close()

    def _accept(self, connection: socket, address: Any) -> None:
        # Up to here there is room to tell a client, which takes its time, that there is no room.
        if self._http.connections >= 2 * self.max_connections:
            connection.close()
            return
        self._http.handle_stream(IOStream(connection), address)

    def _run(self) -> None:
        self._loop.run_until_complete(self._work)
        self._loop.close()

    async def _serve(self) -> None:
        shared = {"server": self}
        application = Application(
            [
                (r"/v1/chat/completions", _Completions, {**shared, "interface": CHAT}),
                (r"/v1/completions", _Completions, {**shared, "interface": TEXT}),
                (r"/v1/models", _Models, shared),
                (r"/v1/models/(.+)", _Models, shared),
            ],
            default_handler_class=_Unknown,
            default_handler_args=shared,
            log_function=lambda handler: None,  # no access log between a notebook's outputs
        )
        # A client that keeps a connection for its next call breaks where every call has an event
        # loop of its own, as with several asyncio.run: hence no keep-alive.
        self._http = _HTTPServer(
            application,
            no_keep_alive=True,
            max_body_size=MAX_DRAIN,
            idle_connection_timeout=HEADER_TIMEOUT,
            body_timeout=BODY_TIMEOUT,
        )
        await self._listen()
        await self._closing.wait()
        self._stop_listening()
        while self.answering and time.monotonic() < self._deadline:
            await asyncio.sleep(0.02)
        await self._http.close_all_connections()
        if unfinished := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(unfinished)


def _bound(family: int, address: Any) -> socket:
    """Return a socket that has `address` and does not listen."""
    new = socket(family, SOCK_STREAM)
    if os.name != "nt":  # there it would let others take the address too
        new.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    new.setblocking(False)
    new.bind(address)
    return new


def serve(
    pace: float,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    max_connections: int = MAX_CONNECTIONS,
) -> Server:
    """Start the built-in model at `pace` tokens per second, 0 for as fast as possible.

    It listens at `host`, which may stand for several addresses, on `port`, 0 for any that is free.
    With a `token`, it answers those only who send it as their key. Beyond `max_connections` it
    says that it is full. Raises OSError where it cannot listen.
    """
    return Server(pace, host, port, token, max_connections)
