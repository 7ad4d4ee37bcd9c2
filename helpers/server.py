"""The built-in model: an OpenAI-compatible chat server on loopback, inside this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import reprlib
import threading
from collections.abc import Callable, Iterator, Sequence
from socket import socket
from typing import Any, NamedTuple

from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from helpers import answers, legacy, protocol
from helpers.protocol import Reply
from helpers.wire import RequestError

MODEL = "built-in"
MAX_BODY = 2**20  # bytes of a request
MAX_DRAIN = 2**30  # bytes that are read and dropped, so that a client is done sending and listens

logger = logging.getLogger(__name__)


class Interface(NamedTuple):
    """One of OpenAI's interfaces: how a request is read, answered and put on the wire."""

    parse: Callable[[bytes], Any]
    replies: Callable[[Any], list[Reply]]
    completion: Callable[[Any, Sequence[Reply]], dict[str, Any]]
    chunks: Callable[[Any, Sequence[Reply]], Iterator[tuple[int, dict[str, Any]]]]


CHAT = Interface(protocol.parse, answers.replies, protocol.completion, protocol.chunks)
TEXT = Interface(legacy.parse, legacy.replies, legacy.completion, legacy.chunks)


@stream_request_body
class _Handler(RequestHandler):
    """What all addresses share: the body's limit, errors as JSON and a client that goes away."""

    def initialize(self, server: Server, interface: Interface = CHAT) -> None:
        self.server = server
        self.interface = interface
        self.body = bytearray()
        self.received = 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

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
        kind = "server_error" if error.status >= 500 else "invalid_request_error"
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
    async def post(self) -> None:
        if self.received > MAX_BODY:
            raise RequestError(
                f"The request has {self.received:,} bytes; the built-in model takes {MAX_BODY:,}.",
                status=413,
            )
        request = self.interface.parse(bytes(self.body))
        replies = self.interface.replies(request)
        # A client that goes away is nothing to report.
        with contextlib.suppress(StreamClosedError):
            await (self.stream if request.stream else self.whole)(request, replies)

    async def whole(self, request: Any, replies: Sequence[Reply]) -> None:
        await self.wait(*self.clock(), max(reply.length() for reply in replies))
        await self.finish(self.interface.completion(request, replies))

    async def stream(self, request: Any, replies: Sequence[Reply]) -> None:
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-cache")
        start, pace = self.clock()
        for written, chunk in self.interface.chunks(request, replies):
            await self.wait(start, pace, written)
            self.write(f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n")
            await self.flush()
        await self.finish("data: [DONE]\n\n")

    def clock(self) -> tuple[float, float]:
        """Return the time at which the answer begins, and the pace that it keeps to its end."""
        return asyncio.get_running_loop().time(), self.server.pace

    async def wait(self, start: float, pace: float, written: int) -> None:
        """Wait until that many tokens are written; raise StreamClosedError if the client goes."""
        now = asyncio.get_running_loop().time()
        deadline = start + written / pace if pace else now
        if deadline > now:
            await asyncio.wait([self.gone], timeout=deadline - now)
        else:
            await asyncio.sleep(0)  # lets the other requests write a token too
        if self.gone.done():
            raise StreamClosedError


class _Models(_Handler):
    def get(self, name: str | None = None) -> None:
        model = {"id": MODEL, "object": "model", "created": protocol.CREATED, "owned_by": "course"}
        if name not in (None, MODEL):
            message = f"The model {reprlib.repr(name)} does not exist; '{MODEL}' does."
            raise RequestError(message, "model", "model_not_found", status=404)
        self.finish(model if name else {"object": "list", "data": [model]})


class _Unknown(_Handler):
    def describe(self, status: int) -> RequestError:
        # No method is implemented here, which tornado takes for a wrong method.
        message = f"Unknown address: {self.request.method} {self.request.path}."
        return RequestError(message, code="unknown_url", status=404)


class Server:
    """The running server: `url` is its base URL, `pace` its tokens per second (0: no waiting)."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        sockets = bind_sockets(0, "127.0.0.1", backlog=1024)
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/v1"
        # The default loop on Windows cannot wait for tornado's sockets.
        self._loop = asyncio.SelectorEventLoop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(sockets,), name="built-in model", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening, end the requests that are under way and wait for that."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()

    def _run(self, sockets: list[socket]) -> None:
        self._loop.run_until_complete(self._serve(sockets))
        self._loop.close()

    async def _serve(self, sockets: list[socket]) -> None:
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
        http = HTTPServer(application, no_keep_alive=True, max_body_size=MAX_DRAIN)
        http.add_sockets(sockets)
        await self._closing.wait()
        http.stop()
        await http.close_all_connections()
        if unfinished := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(unfinished)


def serve(pace: float) -> Server:
    """Start the built-in model at `pace` tokens per second, 0 for as fast as possible."""
    return Server(pace)
