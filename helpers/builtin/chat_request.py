"""Reads requests for chat completions, and refuses what OpenAI would refuse.

Format, limits and errors are those of https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from helpers.builtin import chat_tools, prompt, thinking
from helpers.builtin.book import Message
from helpers.builtin.chat_tools import Tool, function_of
from helpers.builtin.wire import (
    RequestError,
    get,
    known,
    load,
    model,
    number,
    parameters,
    request_id,
    stops,
    streaming,
)

MAX_MESSAGES = 2048
MAX_CHOICES = 16
MAX_TOP_LOGPROBS = 20

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
# The parts of a content beside text, and who may send them.
PARTS = {"image_url": "user", "input_audio": "user", "file": "user", "refusal": "assistant"}
IMAGE_ADDRESS = re.compile(r"https?://|data:image/\w+;base64,")

# The answers are prepared, so these are checked and otherwise do nothing, but for `temperature` and
# `seed`, which choose among an answer's variants.
RANGES: dict[str, tuple[str, float, float]] = {
    "temperature": ("number", 0, 2),
    "top_p": ("number", 0, 1),
    "presence_penalty": ("number", -2, 2),
    "frequency_penalty": ("number", -2, 2),
    "seed": ("integer", -(2**63), 2**63 - 1),
}
IDLE = {
    "logit_bias": "object",
    "metadata": "object",
    "moderation": "object",
    "prediction": "object",
    "prompt_cache_key": "string",
    "prompt_cache_options": "object",
    "prompt_cache_retention": "string",
    "reasoning_effort": "string",
    "safety_identifier": "string",
    "service_tier": "string",
    "store": "boolean",
    "user": "string",
    "verbosity": "string",
}
REFUSED = {
    "audio": "the built-in model answers in text",
    "function_call": "it is the older spelling of 'tool_choice', deprecated since 2023",
    "functions": "it is the older spelling of 'tools', deprecated since 2023",
    "web_search_options": "the built-in model has no access to the web",
}
HONOURED = (
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "n",
    "logprobs",
    "parallel_tool_calls",
    "response_format",
    "stop",
    "stream",
    "stream_options",
    "tool_choice",
    "tools",
    "top_logprobs",
)
PARAMETERS = frozenset([*HONOURED, *RANGES, *IDLE])


@dataclass(frozen=True)
class Request:
    """A valid request: what to answer, how often, where to stop and in which form.

    `tool_choice` is "none", "auto" or "required", `allowed` has the names of the tools that may be
    called, and `tool` is the one that is asked for by name.
    `schema` is what a JSON answer must be valid under; None asks for words. `top_logprobs` is None
    where none are asked for. `prompt` are the tokens of all that it holds, and `cached` how many of
    them were read before. `thinks` is how many tokens are thought before the answer, and `aloud`
    whether the answer tells them.
    """

    id: str
    model: str
    messages: Sequence[Message]
    choices: int
    stop: Sequence[str]
    max_tokens: int | None
    stream: bool
    include_usage: bool
    tools: Sequence[Tool] = ()
    tool_choice: str = "none"
    allowed: Sequence[str] = ()
    tool: str = ""
    parallel: bool = True
    schema: dict[str, Any] | None = None
    top_logprobs: int | None = None
    temperature: float | None = None
    seed: int | None = None
    prompt: Sequence[str] = ()
    cached: int = 0
    thinks: int = 0
    aloud: bool = False


def parse(body: bytes) -> Request:
    """Return the request that `body` holds; raise RequestError where OpenAI would refuse it."""
    return read(load(body), request_id("chatcmpl", body))


def read(data: dict[str, Any], answer_id: str) -> Request:
    """Return the request that `data` is, under `answer_id`; raise RequestError as `parse` does."""
    named = model(get(data, "model", "string", required=True))
    messages = _messages(get(data, "messages", "array", required=True))
    parameters(data, PARAMETERS, REFUSED)
    for name, (kind, least, most) in RANGES.items():
        number(data, name, kind, least, most)
    for name, kind in IDLE.items():
        get(data, name, kind)
    limits = [number(data, name, "integer", 1) for name in ("max_tokens", "max_completion_tokens")]
    if None not in limits:
        raise RequestError("Give 'max_tokens' or 'max_completion_tokens', not both.", "max_tokens")
    if get(data, "modalities", "array") not in (None, ["text"]):
        raise RequestError("Invalid 'modalities': expected ['text'].", "modalities")
    top_logprobs = number(data, "top_logprobs", "integer", 0, MAX_TOP_LOGPROBS)
    logprobs = get(data, "logprobs", "boolean")
    if top_logprobs is not None and not logprobs:
        raise RequestError("'top_logprobs' is only allowed with 'logprobs'.", "top_logprobs")
    tools = chat_tools.read_tools(data)
    tool_choice, allowed, tool = chat_tools.read_choice(data, [tool.name for tool in tools])
    stream, include_usage = streaming(data)
    return Request(
        id=answer_id,
        model=named,
        messages=messages,
        choices=number(data, "n", "integer", 1, MAX_CHOICES) or 1,
        stop=stops(data),
        max_tokens=limits[0] or limits[1],
        stream=stream,
        include_usage=include_usage,
        tools=tools,
        tool_choice=tool_choice,
        allowed=allowed,
        tool=tool,
        parallel=get(data, "parallel_tool_calls", "boolean") is not False,
        schema=chat_tools.read_schema(data, messages),
        top_logprobs=(top_logprobs or 0) if logprobs else None,
        temperature=data.get("temperature"),
        seed=data.get("seed"),
        prompt=prompt.read(data, messages),
        thinks=thinking.length(named, data),
    )


# Messages


def _messages(given: list[Any]) -> list[Message]:
    if not 1 <= len(given) <= MAX_MESSAGES:
        message = (
            f"Invalid 'messages': expected 1 to {MAX_MESSAGES} messages, but got {len(given)}."
        )
        code = "array_above_max_length" if given else "empty_array"
        raise RequestError(message, "messages", code)
    messages = [_message(given, index) for index in range(len(given))]
    names = _match_tool_results(given)
    return [message._replace(tool=names.get(index, "")) for index, message in enumerate(messages)]


def _message(given: list[Any], index: int) -> Message:
    path = f"messages[{index}]"
    data = get(given, index, "object", "messages", required=True)
    role = known(get(data, "role", "string", path, required=True), ROLES, f"{path}.role")
    get(data, "name", "string", path)
    calls = _called(data, path) if role == "assistant" else []
    if isinstance(parts := data.get("content"), list):
        texts = (_part(parts, part, f"{path}.content", role) for part in range(len(parts)))
        return Message(role, "".join(texts))
    # A message that calls a tool or refuses may say nothing.
    silent = calls or data.get("function_call") or data.get("refusal")
    required = not (role == "assistant" and silent)
    return Message(role, get(data, "content", "string", path, required) or "")


def _part(parts: list[Any], index: int, path: str, role: str) -> str:
    """Return the text of a part of a content; the other kinds are checked, and hold none."""
    part = get(parts, index, "object", path, required=True)
    path = f"{path}[{index}]"
    kinds = ["text", *(kind for kind, sender in PARTS.items() if sender == role)]
    kind = known(get(part, "type", "string", path, required=True), kinds, f"{path}.type")
    if kind in ("text", "refusal"):
        return str(get(part, kind, "string", path, required=True))
    inner = get(part, kind, "object", path, required=True)
    path = f"{path}.{kind}"
    if kind == "image_url":
        address = get(inner, "url", "string", path, required=True)
        if not IMAGE_ADDRESS.match(address):
            message = f"Invalid '{path}.url': expected an address or a data: URL with an image."
            raise RequestError(message, f"{path}.url", "invalid_image_url")
        if (detail := get(inner, "detail", "string", path)) is not None:
            known(detail, ("auto", "low", "high"), f"{path}.detail")
    elif kind == "input_audio":
        get(inner, "data", "string", path, required=True)
        known(get(inner, "format", "string", path, required=True), ("wav", "mp3"), f"{path}.format")
    else:
        given = [get(inner, name, "string", path) for name in ("file_id", "file_data")]
        get(inner, "filename", "string", path)
        if given == [None, None]:
            get(inner, "file_data", "string", path, required=True)
    return ""


def _called(data: Any, path: str) -> dict[str, str]:
    """Return the names of the tools that an assistant's message calls, by the calls' ids."""
    calls = get(data, "tool_calls", "array", path)
    path += ".tool_calls"
    if calls == []:
        message = f"Invalid '{path}': expected an array with at least 1 call, but got an empty one."
        raise RequestError(message, path, "empty_array")
    names = {}
    for index in range(len(calls or [])):
        call = get(calls, index, "object", path, required=True)
        place = f"{path}[{index}]"
        call_id = get(call, "id", "string", place, required=True)
        function = function_of(call, place)
        if call_id in names:
            message = f"Invalid '{place}.id': another call has the same id."
            raise RequestError(message, f"{place}.id", "invalid_value")
        get(function, "arguments", "string", f"{place}.function", required=True)
        names[call_id] = get(function, "name", "string", f"{place}.function", required=True)
    return names


def _match_tool_results(given: list[Any]) -> dict[int, str]:
    """Return the tool's name for each message with a tool's result, by the message's place.

    As OpenAI does, refuse a result without its call right before it, and a call without a result.
    """
    called: dict[str, str] = {}
    caller = 0
    answered: set[str] = set()
    names = {}
    for index, data in enumerate([*given, {"role": "end"}]):
        path = f"messages[{index}]"
        if data["role"] == "tool":
            call = get(data, "tool_call_id", "string", path, required=True)
            if call not in called:
                raise RequestError(
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                    f"{path}.role",
                )
            answered.add(call)
            names[index] = called[call]
            continue
        if missing := sorted(set(called) - answered):
            raise RequestError(
                "An assistant message with 'tool_calls' must be followed by tool messages responding "
                f"to each 'tool_call_id'. No response to: {reprlib.repr(missing)}.",
                f"messages[{caller}].tool_calls",
            )
        caller, answered = index, set()
        called = _called(data, path) if data["role"] == "assistant" else {}
    return names
