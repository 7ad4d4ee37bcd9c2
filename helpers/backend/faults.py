"""Makes the built-in model fail on demand, as services on the network do, and counts the calls.

    with faults.rate_limit() as calls:  # for the block
        ...
    calls = faults.rate_limit(times=2)  # for the next two calls
    chat.invoke("Hello!")
    print(calls)  # 3 calls: 429, 429, 200

Each function makes the next calls fail at once, and ends the fault before it. A fault ends after
`times` calls, with its block, or with the next fault; the `Calls` that it returns goes on counting
until its block or the next fault. With `model`, only calls that name this model fail and count.
The functions raise BackendError where the notebook talks to another model than the built-in one,
and ValueError for a number that makes no sense.
"""

from __future__ import annotations

import math

from helpers.backend.choice import builtin_server
from helpers.builtin.faults import COUNTED, NONE, WAYS, Calls, Fault

__all__ = [
    "WAYS",
    "Calls",
    "content_filter",
    "cut",
    "insufficient_quota",
    "length",
    "malformed",
    "none",
    "overloaded",
    "rate_limit",
    "refusal",
    "refused",
    "reset",
    "server_error",
    "slow",
    "stall",
    "unknown_model",
    "ways",
    "wrong_format",
    "wrong_key",
]


def none(*, model: str | None = None) -> Calls:
    """Let every call succeed, and count."""
    return _provoke(NONE, None, model)


def wrong_key(*, times: int | None = None, model: str | None = None) -> Calls:
    """Refuse the key: status 401."""
    return _provoke(Fault("wrong_key"), times, model)


def unknown_model(*, times: int | None = None, model: str | None = None) -> Calls:
    """Know no model: status 404."""
    return _provoke(Fault("unknown_model"), times, model)


def rate_limit(
    retry_after: float | None = None, *, times: int | None = None, model: str | None = None
) -> Calls:
    """Get too many requests: status 429, and after how many seconds to try again, if given."""
    return _provoke(Fault("rate_limit", retry_after=retry_after), times, model)


def insufficient_quota(*, times: int | None = None, model: str | None = None) -> Calls:
    """Have no credit left: status 429, which no retry mends."""
    return _provoke(Fault("insufficient_quota"), times, model)


def server_error(*, times: int | None = None, model: str | None = None) -> Calls:
    """Break down: status 500."""
    return _provoke(Fault("server_error"), times, model)


def overloaded(*, times: int | None = None, model: str | None = None) -> Calls:
    """Have no capacity left: status 503."""
    return _provoke(Fault("overloaded"), times, model)


def slow(seconds: float, *, times: int | None = None, model: str | None = None) -> Calls:
    """Send nothing for so many seconds, then the answer."""
    return _provoke(Fault("slow", seconds), times, model)


def stall(
    seconds: float, after: int = 5, *, times: int | None = None, model: str | None = None
) -> Calls:
    """Pause a stream for so many seconds, after so many chunks with text."""
    return _provoke(Fault("stall", seconds, after), times, model)


def refused() -> Calls:
    """Refuse the connection, as if no server ran; to be used with a block."""
    return _provoke(Fault("refused"), None, None)


def reset(*, times: int | None = None, model: str | None = None) -> Calls:
    """Reset the connection instead of answering."""
    return _provoke(Fault("reset"), times, model)


def cut(after: int = 5, *, times: int | None = None, model: str | None = None) -> Calls:
    """Close the connection in the middle: a stream's after so many chunks with text."""
    return _provoke(Fault("cut", after=after), times, model)


def malformed(*, times: int | None = None, model: str | None = None) -> Calls:
    """Answer with half of the JSON; in a stream, with half of the first chunk's."""
    return _provoke(Fault("malformed", after=-1), times, model)


def wrong_format(*, times: int | None = None, model: str | None = None) -> Calls:
    """Answer in another format than the one that was asked for."""
    return _provoke(Fault("wrong_format"), times, model)


def refusal(*, times: int | None = None, model: str | None = None) -> Calls:
    """Decline to answer: the message has a `refusal` in place of its content."""
    return _provoke(Fault("refusal"), times, model)


def content_filter(after: int = 5, *, times: int | None = None, model: str | None = None) -> Calls:
    """Let a filter stop the answer after so many tokens: finish_reason "content_filter"."""
    return _provoke(Fault("content_filter", after=after), times, model)


def length(after: int = 5, *, times: int | None = None, model: str | None = None) -> Calls:
    """Stop after so many tokens as if max_tokens said so: text, JSON or a tool's arguments."""
    return _provoke(Fault("length", after=after), times, model)


def ways(*names: str, times: int | None = None, model: str | None = None) -> Calls:
    """Answer as other servers do that call themselves compatible, in the ways that WAYS names."""
    if not names or set(names) - set(WAYS):
        raise ValueError(f"ways must be some of {', '.join(WAYS)}, not {names!r}")
    return _provoke(Fault("ways", ways=names), times, model)


def _provoke(fault: Fault, times: int | None, model: str | None) -> Calls:
    if times is not None and (not isinstance(times, int) or times < 1):
        raise ValueError(f"times must be a whole number, 1 or more, not {times!r}")
    for seconds in (fault.seconds, fault.retry_after or 0):
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
    least = 1 if fault.kind == "length" else 0  # as with max_tokens
    if fault.kind in COUNTED and not least <= fault.after < math.inf:
        raise ValueError(f"after must be a number of tokens, {least} or more, not {fault.after!r}")
    return builtin_server().provoke(fault, times, model)
