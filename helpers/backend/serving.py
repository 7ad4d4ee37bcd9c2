"""Serves the built-in model to a whole room, or another to one person: addresses, the token, the pace, and an end in peace."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import signal
import socket
import sys
import time

from helpers.backend.keys import NO_KEY
from helpers.backend.settings import LOOPBACK, Settings, default_env_file
from helpers.builtin.routes import BUILTIN, Source
from helpers.builtin.server import MAX_CONNECTIONS, Server
from helpers.builtin.server import serve as start_server
from helpers.i18n import _, listed
from helpers.setup import CourseError

TOKEN_VARIABLE = (
    "COURSE_TOKEN"  # not on the command line, which everybody on this computer can read
)
PATIENCE = 8.0  # seconds for the answers under way; processes.stop waits for 10


def run(
    host: str,
    port: int,
    token: str | None,
    pace: float | None,
    cors: str | None = None,
    source: Source = BUILTIN,
) -> int:
    """Serve until Ctrl-C or SIGTERM; return the exit code.

    Prints what students write into their `.env`. Without a `token`, `choose_token` takes one;
    without a `pace` (tokens per second, 0: as fast as possible) it is that of the course. Web
    pages of the origin `cors` may ask it, of any with "*". Another `source` than the built-in model
    answers to who runs it, and prints what that person writes.
    """
    # Being stopped is the way to end. A shell lets what it starts with & ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        token = choose_token(token, host)
        pace = pace_of_course() if pace is None else pace
        server = listen(pace, host, port, token, cors, source)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    try:
        url = address_for_students(server.url)
        if source is BUILTIN:
            serving = _(
                "The built-in model answers at {url}.\n"
                "Your students write into their .env:\n\n    {lines}\n\n"
                "It speaks OpenAI's Chat Completions and Responses, and its models are {models}. "
                "Ctrl-C stops it, once the answers under way are finished."
            )
            lines = f"OPENAI_BASE_URL={url}\n    OPENAI_API_KEY={token or NO_KEY}"
        else:
            serving = _(
                "{models} answers at {url}. To use it, write into {file}:\n\n    {lines}\n\n"
                "Then run the first cell of a lesson again. Ctrl-C here stops it."
            )
            lines = f"OPENAI_BASE_URL={url}\n    OPENAI_MODEL={source.models[0]}"
        fields = {"models": listed(source.models), "file": default_env_file()}
        print(serving.format(url=url, lines=lines, **fields), flush=True)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):  # the second one ends the patience
            stopping = _("Stopping; the answers under way have {seconds:.0f} seconds.")
            print(stopping.format(seconds=PATIENCE), flush=True)
            server.close(PATIENCE)
        server.close()
    return 0


def choose_token(given: str | None, host: str) -> str | None:
    """Return the token that clients must send; None on loopback, unless one is given.

    Raises CourseError for one that no header can hold, or that a `.env` would change.
    """
    token = given or os.environ.get(TOKEN_VARIABLE)
    if not token:
        return None if host in LOOPBACK else secrets.token_urlsafe(16)
    if not re.fullmatch(r"[!-~]+", token):
        raise CourseError(_("A token is made of ASCII letters, digits and signs, without spaces."))
    if set(token) & set("\"'`#$\\"):
        raise CourseError(
            _(
                "A token has none of the signs {signs}: programs read them in a .env in other ways."
            ).format(signs="\" ' ` # $ \\")
        )
    return token


def pace_of_course() -> float:
    """Return the pace that the environment or `.env` sets. Raises BackendError."""
    return Settings(default_env_file()).pace()


def listen(
    pace: float,
    host: str,
    port: int,
    token: str | None,
    cors: str | None = None,
    source: Source = BUILTIN,
) -> Server:
    """Start the server. Raises CourseError where it cannot listen."""
    try:
        return start_server(pace, host, port, token, allow_files(MAX_CONNECTIONS), cors, source)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            text = _("Port {port} is taken by another program. Choose another one with --port.")
        elif error.errno in (errno.EACCES, errno.EPERM):
            text = _(
                "This computer does not allow you port {port}. "
                "Choose another one, from 1024 on, with --port."
            )
        else:
            text = _(
                "This computer has no address {host}. For the whole network, take --host 0.0.0.0."
            )
        raise CourseError(text.format(host=host, port=port)) from error


def allow_files(connections: int) -> int:
    """Let this process open files for so many connections; return how many it may have."""
    if sys.platform == "win32":  # there an event loop takes 512 at most
        return min(connections, 240)
    import resource

    wanted = 2 * connections + 100  # the server takes twice as many, to say that it is full
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, (allowed - 100) // 2)


def address_for_students(url: str) -> str:
    """Return `url` with this computer's address in its network where it stands for all of them."""
    for everywhere, family, outside in (
        ("//0.0.0.0:", socket.AF_INET, "192.0.2.1"),
        ("//[::]:", socket.AF_INET6, "2001:db8::1"),
    ):
        if everywhere in url:
            # Connecting a datagram socket sends nothing; it finds out which way a packet would go.
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect((outside, 9))
                    name = probe.getsockname()[0]
                except OSError:  # no network
                    name = socket.gethostname()
            return url.replace(everywhere, f"//[{name}]:" if ":" in name else f"//{name}:")
    return url
