"""What goes wrong when a fault is provoked, and how the calls that meet it are counted."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from helpers.builtin.wire import UNKNOWN_MODEL, RequestError
from helpers.i18n import N_, _, listed, ngettext

PATIENCE = 0.2  # seconds in which the server notices that a client has gone

# How a call ends that gets no status.
RESET, CUT, GONE = N_("reset"), N_("cut"), N_("gone")

# kind -> status, code and message, as OpenAI words them; its 401 quotes a part of the key.
ERRORS = {
    "wrong_key": (401, "invalid_api_key", "Incorrect API key provided."),
    "unknown_model": (404, "model_not_found", UNKNOWN_MODEL),
    "rate_limit": (
        429,
        "rate_limit_exceeded",
        "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3, Requested 1.",
    ),
    "insufficient_quota": (
        429,
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "server_error": (
        500,
        None,
        "The server had an error while processing your request. Sorry about that!",
    ),
    "overloaded": (503, None, "The engine is currently overloaded, please try again later."),
}

IN_STREAMS = ("cut", "malformed", "stall")  # what happens in a stream after so many tokens
COUNTED = ("content_filter", "cut", "length", "stall")  # what needs such a number

# What servers that call themselves compatible do in other ways than OpenAI's.
WAYS = (
    "comments",  # keep-alive comments between the events of a stream
    "no_models",  # no /v1/models
    "no_schema",  # no response_format of the type json_schema
    "no_usage",  # no count of the tokens
    "null_content",  # null where there is no text, also in the pieces of a stream
    "reasoning_content",  # the thought beside the answer, as DeepSeek began it
)

_changed = threading.Condition()  # guards all calls: the server notes, the notebook reads


@dataclass(frozen=True)
class Fault:
    """What goes wrong: how long, and after how many tokens; `ways` are some of WAYS."""

    kind: str
    seconds: float = 0
    after: float = math.inf
    retry_after: float | None = None
    ways: Collection[str] = ()

    def error(self, body: bytes) -> RequestError | None:
        """Return the error that answers the request `body`, if this fault is answered by one."""
        wanted = _field(body, "response_format") if "no_schema" in self.ways else None
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            message = "This response_format type is unavailable now"
            return RequestError(message, code="invalid_request_error")
        if self.kind not in ERRORS:
            return None
        status, code, message = ERRORS[self.kind]
        message = message.format(model=str(named_model(body))[:64])
        later = self.retry_after
        headers = {} if later is None else {"Retry-After": f"{later:g}"}
        return RequestError(message, code=code, status=status, headers=headers)


NONE = Fault("none")


def other_ways(ways: Collection[str], answer: dict[str, Any]) -> bool:
    """Write an answer, or a chunk of one, in other ways; return whether it is sent at all."""
    if "null_content" in ways:
        for choice in answer.get("choices", []):
            part = choice.get("message") or choice.get("delta") or {}
            part["content"] = part.get("content") or None
    if "no_usage" not in ways:
        return True
    answer.pop("usage", None)
    return answer.get("choices") != []


def named_model(body: bytes) -> object:
    """Return the model that a request names, which may be wrong in every other way."""
    return _field(body, "model")


def _field(body: bytes, name: str) -> object:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return data.get(name) if isinstance(data, dict) else None


class Call:
    """One call: its fault, and how it ended."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.time = time.monotonic()
        self.outcome = ""  # a status, or RESET, CUT or GONE

    def end(self, outcome: str) -> None:
        """Note the outcome, unless it has one."""
        with _changed:
            self.outcome = self.outcome or outcome
            _changed.notify_all()


class Calls:
    """The calls that the server saw since a fault was provoked; leaving its block ends the fault.

    `times` is how many calls the fault lasts and `model` the only one that it is for, None for all;
    `on_end` is told when it ends.
    """

    def __init__(
        self,
        fault: Fault,
        times: int | None,
        model: str | None,
        on_end: Callable[[Calls], None],
    ) -> None:
        self.fault = fault
        self._left = math.inf if times is None else times
        self._model = model
        self._on_end = on_end
        self._calls: list[Call] = []

    def arrive(self, body: bytes) -> Call:
        """Count the call that the server just read, and say which fault it meets."""
        if self._model not in (None, named_model(body)):
            return Call(NONE)
        with _changed:
            call = Call(self.fault if self._left > 0 else NONE)
            self._left -= 1
            self._calls.append(call)
        return call

    @property
    def ways(self) -> Collection[str]:
        """In which of WAYS the server answers now."""
        return self.fault.ways if self._left > 0 else ()

    def end(self) -> None:
        """End the fault and the counting."""
        self._on_end(self)

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
        with _changed:
            _changed.wait_for(lambda: all(call.outcome for call in self._calls), PATIENCE)
            outcomes = [_(call.outcome) if call.outcome else "…" for call in self._calls]
        count = len(outcomes)
        if not count:
            return _("0 calls")
        text = ngettext("{count} call: {outcomes}", "{count} calls: {outcomes}", count)
        return text.format(count=count, outcomes=listed(outcomes))
