"""Runs what learners write: not for longer than a while, out of reach of what they have set globally.

What it waits for a chat model of the learner's own is no part of that while: see `OpenCalls`.

A thread of this process runs it, so that an answer may use whatever the notebook holds. Code that never
gives up Python's interpreter lock (a regular expression that backtracks, `sum` of a huge range) cannot
be stopped from outside: the kernel stands still until it ends. Then at least it is told that it was slow.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from langchain_core import globals as langchain_globals
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

TIME_LIMIT = 15.0  # seconds that a check may take
SERVER_LIMIT = 300.0  # the same with the calls of a server of the learner's, which may be slow
STEP = 0.05  # seconds between two looks at whether a check waits for a chat model
GRACE = 1.0  # seconds for an answer that was stopped to end
PRINTED = 10_000  # characters: of what an answer prints, no more is kept

OUTPUT_VERSION = "LC_OUTPUT_VERSION"  # LangChain reads it whenever a model is made


class TooSlow(BaseException):
    """Raised inside a learner's code that has run longer than it may.

    `seconds` is how long it ran until it was stopped, or until it ended if `ended`. `waited` says
    that most of it went by in calls of a chat model.
    """

    def __init__(self, seconds: float = 0.0, ended: bool = False, waited: bool = False) -> None:
        super().__init__(seconds, ended, waited)
        self.seconds = seconds
        self.ended = ended
        self.waited = waited


class OpenCalls(BaseCallbackHandler):
    """Knows which calls of chat models are under way, in the context in which it is HEARING."""

    run_inline = True  # in a coroutine too, without a detour through a thread

    def __init__(self) -> None:
        self.open: set[UUID] = set()

    def on_chat_model_start(self, *_: Any, run_id: UUID, **__: Any) -> None:
        self.open.add(run_id)

    def on_llm_start(self, *_: Any, run_id: UUID, **__: Any) -> None:
        self.open.add(run_id)

    def on_llm_end(self, *_: Any, run_id: UUID, **__: Any) -> None:
        self.open.discard(run_id)

    def on_llm_error(self, *_: Any, run_id: UUID, **__: Any) -> None:
        self.open.discard(run_id)


HEARING: ContextVar[OpenCalls | None] = ContextVar("open_calls", default=None)
register_configure_hook(HEARING, inheritable=True)


class Printed(io.StringIO):
    """Holds the first PRINTED characters of what is written: an endless loop would fill the memory."""

    def write(self, text: str) -> int:
        super().write(text[: max(0, PRINTED - self.tell())])
        return len(text)


class Apart:
    """Stands in for a stream: what threads write that were not there before is kept apart."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.before = set(threading.enumerate())
        self.printed = Printed()

    def write(self, text: str) -> int:
        known = threading.current_thread() in self.before
        return int((self.stream if known else self.printed).write(text))

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@contextlib.contextmanager
def neutral() -> Iterator[None]:
    """Undo for a while what a learner has set for all of LangChain: cache, debug, verbose, output."""
    kept = (
        langchain_globals.get_llm_cache(),
        langchain_globals.get_debug(),
        langchain_globals.get_verbose(),
    )

    def put(cache: Any, debug: bool, verbose: bool) -> None:
        langchain_globals.set_llm_cache(cache)
        langchain_globals.set_debug(debug)
        langchain_globals.set_verbose(verbose)

    version = os.environ.pop(OUTPUT_VERSION, None)
    put(None, False, False)
    try:
        yield
    finally:
        put(*kept)
        if version is not None:
            os.environ[OUTPUT_VERSION] = version


def run_limited(work: Callable[[], None], limit: float, with_calls: float = 0.0) -> None:
    """Run `work` in a thread, at most `limit` seconds; what it raises is raised here.

    Where `with_calls` is given, the seconds in which it waits for a chat model do not count, up to
    so many seconds in all.

    What it prints is shown once it has ended, and not at all if it was too slow. Raises TooSlow. A
    thread cannot be killed: it is made to raise TooSlow as soon as it runs Python code again. One
    that goes on all the same is not waited for, and what it prints is never shown. The same goes
    for an interrupt.
    """
    raised: list[BaseException] = []
    calls = OpenCalls()

    def run() -> None:
        if with_calls:
            HEARING.set(calls)
        try:
            work()
        except BaseException as error:  # handed over, not handled
            raised.append(error)

    streams = sys.stdout, sys.stderr  # a check that does not end may have redirected them
    apart = Apart(sys.stdout), Apart(sys.stderr)
    thread = threading.Thread(target=run, name="exercise", daemon=True)
    bound = max(limit, with_calls)  # seconds in all
    counted = seconds = 0.0  # without calls, and in all
    with neutral():
        sys.stdout, sys.stderr = apart
        try:
            begun = time.monotonic()
            thread.start()
            while thread.is_alive() and counted < limit and seconds < bound:
                waiting = bool(calls.open)
                thread.join(min(STEP, limit - counted, bound - seconds))
                passed = time.monotonic() - begun - seconds
                seconds += passed
                counted += 0.0 if waiting and calls.open else passed
            ended = not thread.is_alive()
        finally:
            ident = ctypes.c_ulong(thread.ident or 0)
            for _attempt in range(5):  # what is raised inside a destructor is lost
                if thread.is_alive():
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(TooSlow))
                    thread.join(GRACE / 5)
            sys.stdout, sys.stderr = apart if thread.is_alive() else streams
    if not ended or counted > limit:
        raise TooSlow(counted if ended else seconds, ended, counted < limit)
    for stream, own in zip(streams, apart, strict=True):
        stream.write(own.printed.getvalue())
    if raised:
        raise raised[0]


def captured(work: Callable[[], Any], printed: io.StringIO | None = None) -> tuple[Any, str]:
    """Return what `work` returns and what it prints, which `printed` can be watched to receive."""
    buffer = Printed() if printed is None else printed
    output, sys.stdout = sys.stdout, buffer
    try:
        value = work()
    finally:
        if sys.stdout is buffer:  # else it was put right already, when the check was stopped
            sys.stdout = output
    return value, buffer.getvalue()
