"""What goes wrong when a fault is provoked, and how the calls that meet it are counted."""

from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from helpers import i18n
from helpers.builtin.wire import RequestError

if TYPE_CHECKING:
    from helpers.builtin.server import Server

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
        texts = TEXTS[i18n.language()]
        with _changed:
            _changed.wait_for(lambda: all(call.outcome for call in self._calls), PATIENCE)
            outcomes = [texts.get(call.outcome, call.outcome) or "…" for call in self._calls]
        text = texts.get(str(len(outcomes)), texts["many"])
        return text.format(count=len(outcomes), outcomes=texts["comma"].join(outcomes))
