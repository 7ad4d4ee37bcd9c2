"""Runs what learners write: not for longer than a while, and with what it prints."""

from __future__ import annotations

import ctypes
import io
import sys
import threading
from collections.abc import Callable
from typing import Any

TIME_LIMIT = 15.0  # seconds that a check may take


class TooSlow(BaseException):
    """Raised inside a learner's code that has run longer than TIME_LIMIT."""


def run_limited(work: Callable[[], None]) -> None:
    """Run `work` in a thread, at most TIME_LIMIT seconds; what it raises is raised here.

    Raises TooSlow. A thread cannot be killed: it is made to raise TooSlow as soon as it runs
    Python code again, and is not waited for. The same goes for an interrupt.
    """
    raised: list[BaseException] = []
    output = sys.stdout  # a check that does not end may have redirected it

    def run() -> None:
        try:
            work()
        except BaseException as error:  # handed over, not handled
            raised.append(error)

    thread = threading.Thread(target=run, name="exercise", daemon=True)
    thread.start()
    try:
        thread.join(TIME_LIMIT)
    finally:
        sys.stdout = output
        if thread.is_alive():
            ident = ctypes.c_ulong(thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(TooSlow))
    if thread.is_alive() and not raised:
        raise TooSlow
    if raised:
        raise raised[0]


def captured(work: Callable[[], Any], printed: io.StringIO | None = None) -> tuple[Any, str]:
    """Return what `work` returns and what it prints, which `printed` can be watched to receive."""
    buffer = io.StringIO() if printed is None else printed
    output, sys.stdout = sys.stdout, buffer
    try:
        value = work()
    finally:
        if sys.stdout is buffer:  # else it was put right already, when the check was stopped
            sys.stdout = output
    return value, buffer.getvalue()
