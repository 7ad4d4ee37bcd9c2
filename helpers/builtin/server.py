"""Runs the built-in model's server: its sockets, its thread, its beginning and its end."""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from socket import SO_REUSEADDR, SO_SNDBUF, SOCK_STREAM, SOL_SOCKET, socket
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import add_accept_handler, bind_sockets

from helpers.builtin import handler, routes

MAX_DRAIN = 2**30  # bytes that are read and dropped, so that a client is done sending and listens
SEND_BUFFER = 2**16  # bytes that the system keeps for a client that does not read
MAX_HEAD = 2**18  # bytes of a head; of one that is longer, the connection is closed
HEADER_TIMEOUT = 30.0  # seconds until the head of a request is there
BODY_TIMEOUT = 30.0  # seconds until its body is there, also one that is dropped
MAX_CONNECTIONS = 500
BACKLOG = 1024


class _HTTPServer(HTTPServer):
    """Counts its connections."""

    connections = 0

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self.connections += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        self.connections -= 1


class Server(routes.State):
    """The running server."""

    def __init__(
        self,
        pace: float,
        host: str,
        port: int,
        token: str | None,
        max_connections: int,
        cors: str | None,
        source: routes.Source | None,
    ) -> None:
        super().__init__(pace, source)
        self.token = token
        self.cors = cors
        self.max_connections = max_connections
        self._sockets = bind_sockets(port, host, backlog=BACKLOG)
        name, port = self._sockets[0].getsockname()[:2]
        self.url = f"http://{f'[{name}]' if ':' in name else name}:{port}/v1"
        self._deafen: list[Callable[[], None]] = []  # what ends the accepting
        # The default loop on Windows cannot wait for tornado's sockets.
        self._loop = asyncio.SelectorEventLoop()
        self._loop.set_default_executor(ThreadPoolExecutor(1))  # a live model writes in it
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
        """Refuse connections; the port stays ours."""
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
        # A client that keeps a connection for its next call breaks where every call has an event
        # loop of its own, as with several asyncio.run: hence no keep-alive.
        self._http = _HTTPServer(
            handler.application(self),
            no_keep_alive=True,
            max_header_size=MAX_HEAD,
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
    cors: str | None = None,
    source: routes.Source | None = None,
) -> Server:
    """Start the built-in model at `pace` tokens per second, 0 for as fast as possible.

    It listens at `host`, which may stand for several addresses, on `port`, 0 for any that is free.
    With a `token`, it answers those only who send it as their key. Beyond `max_connections` it
    says that it is full. Web pages of the origin `cors` may read its answers, of any with "*".
    Another `source` may answer in its stead. Raises OSError where it cannot listen.
    """
    return Server(pace, host, port, token, max_connections, cors, source)
