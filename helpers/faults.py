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

import json
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers import backend
from helpers.wire import RequestError

if TYPE_CHECKING:
    from helpers.server import Server

PATIENCE = 0.2  # seconds in which the server notices that a client has gone

TEXTS = {
    "en": {
        "0": "0 calls",
        "1": "1 call: {outcomes}",
        "many": "{count} calls: {outcomes}",
        "comma": ", ",
        "reset": "reset",
        "cut": "cut",
        "gone": "gone",
    },
    "zh": {
        "0": "0 次调用",
        "1": "1 次调用：{outcomes}",
        "many": "{count} 次调用：{outcomes}",
        "comma": "、",
        "reset": "连接重置",
        "cut": "中途断开",
        "gone": "客户端离开",
    },
    "fr": {
        "0": "0 appel",
        "1": "1 appel\u00a0: {outcomes}",
        "many": "{count} appels\u00a0: {outcomes}",
        "comma": ", ",
        "reset": "rompu",
        "cut": "coupé",
        "gone": "abandonné",
    },
}

# kind -> status, code and message, as OpenAI words them; its 401 quotes a part of the key.
ERRORS = {
    "wrong_key": (401, "invalid_api_key", "Incorrect API key provided."),
    "unknown_model": (
        404,
        "model_not_found",
        "The model `{model}` does not exist or you do not have access to it.",
    ),
    "rate_limit": (
        429,
        "rate_limit_exceeded",
        "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, Requested 1.",
    ),
    "server_error": (
        500,
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    "overloaded": (503, None, "The engine is currently overloaded, please try again later."),
}

_changed = threading.Condition()  # guards all calls: the server notes, the notebook reads


@dataclass(frozen=True)
class Fault:
    """What goes wrong: how long, and in a stream after how many tokens."""

    kind: str
    seconds: float = 0
    after: float = math.inf
    retry_after: float | None = None

    def error(self, body: bytes) -> RequestError | None:
        """Return the error that answers the request `body`, if this fault is answered by one."""
        if self.kind not in ERRORS:
            return None
        status, code, message = ERRORS[self.kind]
        message = message.format(model=str(named_model(body))[:64])
        return RequestError(message, code=code, status=status)


NONE = Fault("none")


def named_model(body: bytes) -> object:
    """Return the model that a request names, which may be wrong in every other way."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data.get("model") if isinstance(data, dict) else None


class Call:
    """One call: its fault, and how it ended."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.time = time.monotonic()
        self.outcome = ""  # a status, or a word

    def end(self, outcome: str) -> None:
        """Note the outcome, unless it has one."""
        with _changed:
            self.outcome = self.outcome or outcome
            _changed.notify_all()


class Calls:
    """The calls that the server saw since a fault was provoked; leaving its block ends the fault."""

    def __init__(self, server: Server, fault: Fault, times: int | None, model: str | None) -> None:
        self._server = server
        self._fault = fault
        self._left = math.inf if times is None else times
        self._model = model
        self._calls: list[Call] = []

    def arrive(self, body: bytes) -> Call:
        """Count the call that the server just read, and say which fault it meets."""
        if self._model not in (None, named_model(body)):
            return Call(NONE)
        with _changed:
            call = Call(self._fault if self._left > 0 else NONE)
            self._left -= 1
            self._calls.append(call)
        return call

    def end(self) -> None:
        """End the fault and the counting."""
        if self._server.calls is self:
            self._server.calls = None
            if self._fault.kind == "refused":
                self._server.listen()

    def __enter__(self) -> Calls:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def arrived(self) -> list[float]:
        """When each call arrived, in seconds after the first."""
        return [call.time - self._calls[0].time for call in self._calls]

    def __repr__(self) -> str:
        texts = TEXTS[backend.language]
        with _changed:
            _changed.wait_for(lambda: all(call.outcome for call in self._calls), PATIENCE)
            outcomes = [texts.get(call.outcome, call.outcome) or "…" for call in self._calls]
        text = texts.get(str(len(outcomes)), texts["many"])
        return text.format(count=len(outcomes), outcomes=texts["comma"].join(outcomes))


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


def _provoke(fault: Fault, times: int | None, model: str | None) -> Calls:
    if times is not None and (not isinstance(times, int) or times < 1):
        raise ValueError(f"times must be a whole number, 1 or more, not {times!r}")
    for seconds in (fault.seconds, fault.retry_after or 0):
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be 0 or more, not {seconds!r}")
    if fault.kind in ("stall", "cut") and not 0 <= fault.after < math.inf:
        raise ValueError(f"after must be a number of chunks, 0 or more, not {fault.after!r}")
    server = backend.builtin_server()
    if server.calls is not None:
        server.calls.end()
    calls = Calls(server, fault, times, model)
    server.calls = calls
    if fault.kind == "refused":
        server.refuse()
    return calls
