"""The wire format of OpenAI's chat completions: requests are checked, answers are put into JSON.

A request goes through `parse`, `reply` and then `completion` (JSON) or `chunks` (a stream).
The format is that of https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from helpers import book, tokens

MAX_MESSAGES = 2048
MAX_CHOICES = 16
MAX_STOPS = 4
# Always the same, so that the same lesson gives the same page.
CREATED = 0
FINGERPRINT = "built-in"

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
# All the details that OpenAI's client knows: a field left out is null there, and LangChain's
# generate() warns about null.
PROMPT_DETAILS = (
    "audio_tokens",
    "cache_write_tokens",
    "cached_tokens",
    "image_tokens",
    "text_tokens",
)
COMPLETION_DETAILS = (
    "accepted_prediction_tokens",
    "audio_tokens",
    "reasoning_tokens",
    "rejected_prediction_tokens",
    "text_tokens",
)
_JSON_TYPES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


class RequestError(Exception):
    """A request that is answered with an error in OpenAI's shape."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


@dataclass(frozen=True)
class Request:
    """A valid request: what to answer, how often, where to stop and in which form."""

    id: str
    model: str
    messages: list[book.Message]
    choices: int
    stop: list[str]
    max_tokens: int | None
    stream: bool
    include_usage: bool


@dataclass(frozen=True)
class Reply:
    """The tokens of an answer, and why they end: "stop" or "length"."""

    tokens: list[str]
    finish_reason: str


def parse(body: bytes) -> Request:
    """Return the request that `body` holds; raise RequestError where OpenAI would refuse it."""
    try:
        data = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body of the request is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        kind = _JSON_TYPES[type(data)]
        raise RequestError(f"The body of the request must be a JSON object, but it is {kind}.")
    # These are checked and otherwise do nothing: the answers are prepared.
    _number(data, "temperature", "number", 0, 2)
    _number(data, "top_p", "number", 0, 1)
    options = _get(data, "stream_options", "object")
    if options is not None and not data.get("stream"):
        raise RequestError("'stream_options' is only allowed with 'stream'.", "stream_options")
    limits = [_number(data, name, "integer", 1) for name in ("max_tokens", "max_completion_tokens")]
    if None not in limits:
        raise RequestError("Give 'max_tokens' or 'max_completion_tokens', not both.", "max_tokens")
    return Request(
        # The same request has the same id, so that the same lesson gives the same page.
        id="chatcmpl-" + hashlib.sha256(body).hexdigest()[:24],
        model=_get(data, "model", "string", required=True),
        messages=_messages(_get(data, "messages", "array", required=True)),
        choices=_number(data, "n", "integer", 1, MAX_CHOICES) or 1,
        stop=_stop(data),
        max_tokens=limits[0] or limits[1],
        stream=_get(data, "stream", "boolean") or False,
        include_usage=_get(options or {}, "include_usage", "boolean", "stream_options") or False,
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _get(parent: Any, key: str | int, expected: str, path: str = "", required: bool = False) -> Any:
    """Return what an object or array holds under `key`, which must be of the expected type.

    As with OpenAI, null stands for a parameter that is left out.
    """
    param = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip(".")
    value = parent.get(key) if isinstance(parent, dict) else parent[key]
    if value is None:
        if required:
            message = f"Missing required parameter: '{param}'."
            raise RequestError(message, param, "missing_required_parameter")
        return None
    kind = _JSON_TYPES[type(value)]
    if kind != expected and (kind, expected) != ("integer", "number"):
        message = f"Invalid type for '{param}': expected {expected}, but got {kind} instead."
        raise RequestError(message, param, "invalid_type")
    return value


def _number(data: Any, name: str, kind: str, least: int, most: float = math.inf) -> Any:
    value = _get(data, name, kind)
    if value is not None and not least <= value <= most:
        allowed = f"at least {least}" if most == math.inf else f"from {least} to {most}"
        message = f"Invalid '{name}': expected {kind} {allowed}, but got {reprlib.repr(value)}."
        code = f"{kind}_{'below_min' if value < least else 'above_max'}_value"
        raise RequestError(message, name, code)
    return value


def _stop(data: dict[str, Any]) -> list[str]:
    if isinstance(data.get("stop"), str):
        data = {"stop": [data["stop"]]}
    given = _get(data, "stop", "array") or []
    stops = [_get(given, index, "string", "stop", required=True) for index in range(len(given))]
    if len(stops) > MAX_STOPS or "" in stops:
        raise RequestError(f"Invalid 'stop': expected up to {MAX_STOPS} non-empty strings.", "stop")
    return stops


def _messages(given: list[Any]) -> list[book.Message]:
    if not 1 <= len(given) <= MAX_MESSAGES:
        message = (
            f"Invalid 'messages': expected 1 to {MAX_MESSAGES} messages, but got {len(given)}."
        )
        code = "array_above_max_length" if given else "empty_array"
        raise RequestError(message, "messages", code)
    messages = [_message(given, index) for index in range(len(given))]
    _match_tool_results(given)
    return messages


def _match_tool_results(given: list[Any]) -> None:
    """Refuse a tool's result that answers none of the calls right before it, as OpenAI does."""
    called: set[str] = set()
    for index, data in enumerate(given):
        path = f"messages[{index}]"
        if data["role"] == "tool":
            if _get(data, "tool_call_id", "string", path, required=True) not in called:
                raise RequestError(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                    f"{path}.role",
                )
        else:
            calls = _get(data, "tool_calls", "array", path) or []
            path += ".tool_calls"
            entries = [_get(calls, i, "object", path, required=True) for i in range(len(calls))]
            called = {
                _get(entry, "id", "string", f"{path}[{i}]", required=True)
                for i, entry in enumerate(entries)
            }


def _message(given: list[Any], index: int) -> book.Message:
    path = f"messages[{index}]"
    data = _get(given, index, "object", "messages", required=True)
    role = _get(data, "role", "string", path, required=True)
    _known(role, ROLES, f"{path}.role")
    _get(data, "name", "string", path)
    if isinstance(parts := data.get("content"), list):
        texts = (_part(parts, part, f"{path}.content") for part in range(len(parts)))
        return book.Message(role, "".join(texts))
    # A message that calls a tool may say nothing.
    required = not (role == "assistant" and (data.get("tool_calls") or data.get("function_call")))
    return book.Message(role, _get(data, "content", "string", path, required) or "")


def _part(parts: list[Any], index: int, path: str) -> str:
    part = _get(parts, index, "object", path, required=True)
    path = f"{path}[{index}]"
    _known(_get(part, "type", "string", path, required=True), ("text",), f"{path}.type")
    text: str = _get(part, "text", "string", path, required=True)
    return text


def _known(value: str, known: Sequence[str], param: str) -> None:
    if value not in known:
        names = ", ".join(f"'{name}'" for name in known)
        message = f"Invalid value: {reprlib.repr(value)}. Supported values are: {names}."
        raise RequestError(message, param, "invalid_value")


def reply(request: Request) -> Reply:
    """Return the answer, written from left to right until max_tokens or a stop string."""
    whole = tokens.split(book.answer(request.messages))
    written = whole[: request.max_tokens]
    text = "".join(written)
    cut = _find_stop(text, request.stop)
    if cut is not None:
        return Reply(tokens.split(text[:cut]), "stop")
    return Reply(written, "stop" if len(written) == len(whole) else "length")


def _find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Return where the stop string begins that is complete first; of several, the longest's."""
    found = [(start + len(stop), start) for stop in stops if (start := text.find(stop)) >= 0]
    return min(found)[1] if found else None


def usage(request: Request, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the tokens that the prompt and all replies take, in OpenAI's fields."""
    prompt = tokens.count_messages(message.text for message in request.messages)
    written = sum(len(reply.tokens) for reply in replies)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": dict.fromkeys(PROMPT_DETAILS, 0),
        "completion_tokens_details": dict.fromkeys(COMPLETION_DETAILS, 0),
    }


def _envelope(request: Request, kind: str) -> dict[str, Any]:
    return {
        "id": request.id,
        "object": kind,
        "created": CREATED,
        "model": request.model,
        "system_fingerprint": FINGERPRINT,
    }


def completion(request: Request, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": "".join(reply.tokens), "refusal": None},
            "logprobs": None,
            "finish_reason": reply.finish_reason,
        }
        for index, reply in enumerate(replies)
    ]
    envelope = _envelope(request, "chat.completion")
    return {**envelope, "choices": choices, "usage": usage(request, replies)}


def chunks(request: Request, replies: Sequence[Reply]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the chunks of a stream, each with the number of tokens written until then."""
    envelope = _envelope(request, "chat.completion.chunk")
    if request.include_usage:
        envelope["usage"] = None

    def chunk(index: int, delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return {**envelope, "choices": [choice]}

    for index in range(len(replies)):
        yield 0, chunk(index, {"role": "assistant", "content": ""}, None)
    length = max(len(reply.tokens) for reply in replies)
    for written in range(length):
        for index, reply in enumerate(replies):
            if written < len(reply.tokens):
                yield written + 1, chunk(index, {"content": reply.tokens[written]}, None)
    for index, reply in enumerate(replies):
        yield length, chunk(index, {}, reply.finish_reason)
    if request.include_usage:
        yield length, {**envelope, "choices": [], "usage": usage(request, replies)}
