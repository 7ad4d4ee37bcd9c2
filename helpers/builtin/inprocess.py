"""The built-in model where no socket can be opened: the client's HTTP transport asks it in this process.

`ChatOpenAI`, the openai package and whoever uses httpx2 send a request by `HTTPTransport`'s method
`handle_request`, or `AsyncHTTPTransport`'s `handle_async_request`. These are httpx2's published way
to carry requests otherwise, and the last station on which sockets, and the browser's `fetch`, are
not known yet. Here they are wrapped once: what goes to HOST is answered, all else goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import time
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import httpx2

from helpers.builtin import faults, routes

HOST = "built-in.invalid"  # a name that no network has: https://www.rfc-editor.org/rfc/rfc6761

Steps = Generator[routes.Step, None, None]


class Server(routes.State):
    """The model in this process, in place of `helpers.builtin.server.Server`."""

    url = f"http://{HOST}/v1"

    def answer(self, request: httpx2.Request, body: bytes) -> Steps:
        """Yield the steps of an answer, as far as the client waits for them; raise httpx2's errors."""
        if self.refusing:
            raise httpx2.ConnectError("Connection refused", request=request)
        path = request.url.raw_path.split(b"?")[0].decode()
        asked = routes.Asked(request.method, path, request.headers, body, len(body))
        limit = request.extensions.get("timeout", {}).get("read") or math.inf
        left = limit
        with contextlib.closing(routes.answer(self, asked)) as steps:
            try:
                for step in steps:
                    if isinstance(step, float):
                        if step > left:
                            yield left
                            raise httpx2.ReadTimeout("timed out", request=request)
                        left -= step
                    elif isinstance(step, bytes):
                        left = limit
                    yield step
            except routes.Broken as broken:
                if broken.outcome == faults.RESET:
                    raise httpx2.ReadError("Connection reset", request=request) from broken
                message = "peer closed connection without sending complete message body"
                raise httpx2.RemoteProtocolError(message, request=request) from broken


class _Body(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """The rest of an answer, for clients of both kinds."""

    def __init__(self, steps: Steps) -> None:
        self.steps = steps

    def __iter__(self) -> Iterator[bytes]:
        for step in self.steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, float):
                time.sleep(step)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for step in self.steps:
            if isinstance(step, bytes):
                yield step
            elif isinstance(step, float):
                await asyncio.sleep(step)

    def close(self) -> None:
        self.steps.close()

    async def aclose(self) -> None:
        self.steps.close()


def _response(head: routes.Head, steps: Steps) -> httpx2.Response:
    return httpx2.Response(head.status, headers=head.headers, stream=_Body(steps))


def _ask(server: Server, request: httpx2.Request) -> httpx2.Response:
    steps = server.answer(request, request.read())
    for step in steps:
        if isinstance(step, routes.Head):
            return _response(step, steps)
        time.sleep(float(step))
    raise AssertionError("an answer has a head")


async def _ask_async(server: Server, request: httpx2.Request) -> httpx2.Response:
    steps = server.answer(request, await request.aread())
    for step in steps:
        if isinstance(step, routes.Head):
            return _response(step, steps)
        await asyncio.sleep(float(step))
    raise AssertionError("an answer has a head")


_server: Server  # what answers for HOST


@functools.cache
def _wrap() -> None:
    """Let this module answer what the transports are to carry to HOST, once in a process."""
    for transport, name, ask in (
        (httpx2.HTTPTransport, "handle_request", _ask),
        (httpx2.AsyncHTTPTransport, "handle_async_request", _ask_async),
    ):
        carry: Any = getattr(transport, name)

        def handle(self: Any, request: Any, carry: Any = carry, ask: Any = ask) -> Any:
            if request.url.host == HOST:
                return ask(_server, request)
            return carry(self, request)

        setattr(transport, name, functools.wraps(carry)(handle))


def serve(pace: float) -> Server:
    """Answer what httpx2 is to carry to HOST, at `pace` tokens per second, 0 for no waiting."""
    global _server
    _wrap()
    _server = Server(pace)
    return _server
