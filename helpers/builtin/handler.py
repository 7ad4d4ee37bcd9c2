"""Carries requests and answers between tornado's connections and `routes`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import struct
import sys
from collections.abc import Iterator
from socket import SO_LINGER, SOL_SOCKET
from typing import Any, NoReturn

from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from helpers.builtin import faults, routes
from helpers.builtin.wire import RequestError

WRITE_TIMEOUT = 10.0  # seconds that a client may let the server wait for it to read
RESET = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)  # linger for no time

logger = logging.getLogger(__name__)


@stream_request_body
class Handler(RequestHandler):
    """Takes the steps of an answer: waits, writes, and notices a client that goes away."""

    def initialize(self, server: routes.State) -> None:
        self.server = server
        self.body = bytearray()
        self.received = 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if self.received <= routes.MAX_BODY:
            self.body += chunk

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if not self.gone.done():
            self.gone.set_result(None)

    async def dispatch(self, *arguments: str) -> None:
        """Answer the request, which was read to its end: a client that still sends does not listen."""
        steps = routes.answer(self.server, self.asked())
        self.server.answering += 1
        try:
            # A client that goes away is nothing to report.
            with contextlib.suppress(StreamClosedError), contextlib.closing(steps):
                while (step := await self.made(steps)) is not None:
                    await self.take(step)
                await self.taken(self.finish())
        except routes.Broken as broken:
            with contextlib.suppress(StreamClosedError):
                self.abort(reset=broken.outcome == faults.RESET)
        finally:
            self.server.answering -= 1

    def asked(self) -> routes.Asked:
        came = self.request
        body = bytes(self.body)
        return routes.Asked(str(came.method), came.path, came.headers, body, self.received)

    get = head = post = put = patch = delete = options = dispatch

    async def made(self, steps: Iterator[routes.Step]) -> routes.Step | None:
        """Return the next step, None after the last; a live one is made in the loop's other thread."""
        interface = self.server.source.interfaces.get(self.request.path)
        if interface and interface.live:
            return await asyncio.to_thread(next, steps, None)
        return next(steps, None)

    async def take(self, step: routes.Step) -> None:
        """Take one step; raise StreamClosedError if the client goes."""
        if isinstance(step, bytes):
            self.write(step)
            await self.taken(self.flush())
        elif isinstance(step, routes.Head):
            self.begin(step)
        else:
            if step:
                await asyncio.wait([self.gone], timeout=step)
            else:
                await asyncio.sleep(0)  # lets the other requests write a token too
            if self.gone.done():
                raise StreamClosedError

    async def taken(self, written: asyncio.Future[None]) -> None:
        """Wait until the system has what was written; a client that does not read is cut off."""
        if not written.done():
            await asyncio.wait([written], timeout=WRITE_TIMEOUT)
            if not written.done():
                self.abort(reset=True)

    def abort(self, reset: bool) -> NoReturn:
        """Close the connection without ending the answer, and raise StreamClosedError."""
        stream = self.detach()
        if reset and not stream.closed():
            with contextlib.suppress(OSError):  # macOS, where the client has gone just now
                stream.socket.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
        stream.close()
        raise StreamClosedError

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer where tornado knows no such method, and what nobody foresaw."""
        message = "The built-in model failed on this request; that is a defect of the course."
        steps = routes.refusal(self.server, RequestError(message, status=status_code))
        for step in steps if status_code >= 500 else routes.answer(self.server, self.asked()):
            if isinstance(step, routes.Head):
                self.begin(step)
            elif isinstance(step, bytes):
                self.finish(step)

    def begin(self, head: routes.Head) -> None:
        self.set_status(head.status)
        for name, value in head.headers.items():
            self.set_header(name, value)

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        # Neither the request nor its headers: they hold the key.
        if not isinstance(value, HTTPError):
            logger.error("The built-in model failed on a request", exc_info=value)


def application(server: routes.State) -> Application:
    """Return what answers at all addresses of `server`."""
    return Application(
        [(r".*", Handler, {"server": server})],
        log_function=lambda handler: None,  # no access log between a notebook's outputs
    )
