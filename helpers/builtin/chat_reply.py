"""Writes answers as chat completions: whole (`completion`) or as the chunks of a stream (`chunks`).

The format is that of https://platform.openai.com/docs/api-reference/chat.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from helpers.builtin.chat_request import Request

# Always the same, so that the same lesson gives the same page.
CREATED = 0
FINGERPRINT = "built-in"

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

# What stands beside a token as less probable.
CANDIDATES = [" the", " a", " and", " of", " to", " in", " is", " it", " that", " for"]
CANDIDATES += [",", ".", " not", " an", " one", " this", " with", " as", " on", " be"]


class Call(NamedTuple):
    """A call of a tool; its arguments are JSON, in tokens."""

    id: str
    name: str
    arguments: list[str]


class Reply(NamedTuple):
    """The tokens of an answer, the tool calls after them, and why they end.

    `thought` are the tokens before it; `refused` says that it is no answer but a refusal.
    """

    tokens: list[str]
    finish_reason: str
    calls: Sequence[Call] = ()
    thought: Sequence[str] = ()
    refused: bool = False

    def length(self) -> int:
        """Return the number of tokens of the thought, of the text and of all arguments."""
        arguments = sum(len(call.arguments) for call in self.calls)
        return len(self.thought) + len(self.tokens) + arguments


def usage(request: Request, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the tokens that the prompt and all replies take, in OpenAI's fields."""
    prompt = len(request.prompt)
    written = sum(reply.length() for reply in replies)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {
            **dict.fromkeys(PROMPT_DETAILS, 0),
            "cached_tokens": request.cached,
        },
        "completion_tokens_details": {
            **dict.fromkeys(COMPLETION_DETAILS, 0),
            "reasoning_tokens": sum(len(reply.thought) for reply in replies),
        },
    }


def _envelope(request: Request, kind: str) -> dict[str, Any]:
    return {
        "id": request.id,
        "object": kind,
        "created": CREATED,
        "model": request.model,
        "system_fingerprint": FINGERPRINT,
    }


def _logprobs(request: Request, texts: Sequence[str], place: int = 0) -> dict[str, Any] | None:
    """Return the logarithms of the tokens' probabilities; the first of `texts` is at this place.

    They are made up, by the token and its place, so that they are the same each time: a prepared
    answer has no others. What is less probable than a token of it is a token of the course's.
    """
    if request.top_logprobs is None:
        return None
    content = []
    for at, text in enumerate(texts, place):
        chance = random.Random(f"{at} {text}")
        left = 0.6 * chance.random() ** 2  # mostly sure, now and then not
        entry = _candidate(text, 1 - left)
        tops = [entry] * min(request.top_logprobs, 1)
        others = [other for other in CANDIDATES if other != text]
        for other in chance.sample(others, max(0, request.top_logprobs - 1)):
            left /= 2
            tops.append(_candidate(other, left))
        content.append({**entry, "top_logprobs": tops})
    return {"content": content, "refusal": None}


def _candidate(text: str, probability: float) -> dict[str, Any]:
    raw = list(text.encode(errors="surrogatepass"))
    return {"token": text, "logprob": round(math.log(max(probability, 1e-9)), 6), "bytes": raw}


def completion(request: Request, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    choices = []
    for index, reply in enumerate(replies):
        text = "".join(reply.tokens)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if reply.refused:
            message |= {"content": None, "refusal": text}
        if request.aloud:
            message["reasoning_content"] = "".join(reply.thought)
        if reply.calls:
            message["content"] = text or None
            message["tool_calls"] = [_call(call, "".join(call.arguments)) for call in reply.calls]
        choices.append(
            {
                "index": index,
                "message": message,
                "logprobs": _logprobs(request, reply.tokens),
                "finish_reason": reply.finish_reason,
            }
        )
    envelope = _envelope(request, "chat.completion")
    return {**envelope, "choices": choices, "usage": usage(request, replies)}


def _call(call: Call, arguments: str) -> dict[str, Any]:
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _deltas(
    request: Request, choice: int, reply: Reply
) -> Iterator[tuple[int, int, dict[str, Any], Any]]:
    """Yield the parts of a streamed choice: tokens written until then, choice, delta, logprobs."""
    silent = reply.calls or reply.refused
    yield 0, choice, {"role": "assistant", "content": None if silent else ""}, None
    for written, token in enumerate(reply.thought if request.aloud else (), 1):
        yield written, choice, {"reasoning_content": token}, None
    before = len(reply.thought)
    field = "refusal" if reply.refused else "content"
    for place, token in enumerate(reply.tokens):
        yield before + place + 1, choice, {field: token}, _logprobs(request, [token], place)
    before += len(reply.tokens)
    for index, call in enumerate(reply.calls):
        yield before, choice, {"tool_calls": [{"index": index, **_call(call, "")}]}, None
        for written, token in enumerate(call.arguments, before + 1):
            part = {"index": index, "function": {"arguments": token}}
            yield written, choice, {"tool_calls": [part]}, None
        before += len(call.arguments)


def chunks(request: Request, replies: Sequence[Reply]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the chunks of a stream, each with the number of tokens written until then."""
    envelope = _envelope(request, "chat.completion.chunk")
    if request.include_usage:
        envelope["usage"] = None
    # The choices are written at the same time, a token of each after the other.
    choices = (_deltas(request, index, reply) for index, reply in enumerate(replies))
    for written, index, delta, logprobs in heapq.merge(*choices, key=itemgetter(0, 1)):
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        yield written, {**envelope, "choices": [choice]}
    length = max(reply.length() for reply in replies)
    for index, reply in enumerate(replies):
        choice = {"index": index, "delta": {}, "logprobs": None}
        yield length, {**envelope, "choices": [{**choice, "finish_reason": reply.finish_reason}]}
    if request.include_usage:
        yield length, {**envelope, "choices": [], "usage": usage(request, replies)}
