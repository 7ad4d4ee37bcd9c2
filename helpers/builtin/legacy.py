"""The wire format of OpenAI's older text completions: text in, text out, no messages.

The format is that of https://platform.openai.com/docs/api-reference/completions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from helpers.builtin import answers, book, template, tokens
from helpers.builtin.chat_reply import CREATED, FINGERPRINT, Reply
from helpers.builtin.chat_request import MAX_CHOICES, RANGES
from helpers.builtin.wire import (
    RequestError,
    get,
    load,
    model,
    number,
    parameters,
    request_id,
    stops,
    streaming,
)

MAX_PROMPTS = 128
MAX_LOGPROBS = 5
MAX_ECHO = 100_000  # characters of all prompts in all choices
MAX_TOKENS = 16  # unless the request says otherwise, as with OpenAI

REFUSED = {"suffix": "the built-in model cannot fill a gap"}
PARAMETERS = frozenset(
    [
        "best_of",
        "echo",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "model",
        "n",
        "prompt",
        "stop",
        "stream",
        "stream_options",
        "user",
    ]
) | set(RANGES)


@dataclass(frozen=True)
class Request:
    """A valid request: the texts to go on with, how often, and where to stop."""

    id: str
    model: str
    prompts: Sequence[str]
    choices: int
    stop: Sequence[str]
    max_tokens: int
    stream: bool
    include_usage: bool
    echo: bool
    logprobs: int | None


def parse(body: bytes) -> Request:
    """Return the request that `body` holds; raise RequestError where OpenAI would refuse it."""
    data = load(body)
    named = model(get(data, "model", "string", required=True))
    prompts = _prompts(data)
    parameters(data, PARAMETERS, REFUSED)
    for name, (kind, least, most) in RANGES.items():
        number(data, name, kind, least, most)
    get(data, "user", "string")
    get(data, "logit_bias", "object")
    choices = number(data, "n", "integer", 1, MAX_CHOICES) or 1
    number(data, "best_of", "integer", choices, MAX_CHOICES)
    stream, include_usage = streaming(data)
    limit = number(data, "max_tokens", "integer", 0)
    echo = get(data, "echo", "boolean") or False
    if echo and sum(map(len, prompts)) * choices > MAX_ECHO:
        message = f"Invalid 'echo': the built-in model repeats up to {MAX_ECHO:,} characters."
        raise RequestError(message, "echo", "invalid_value")
    return Request(
        id=request_id("cmpl", body),
        model=named,
        prompts=prompts,
        choices=choices,
        stop=stops(data),
        max_tokens=MAX_TOKENS if limit is None else limit,
        stream=stream,
        include_usage=include_usage,
        echo=echo,
        logprobs=number(data, "logprobs", "integer", 0, MAX_LOGPROBS),
    )


def _prompts(data: dict[str, Any]) -> list[str]:
    if isinstance(data.get("prompt"), str):
        return [data["prompt"]]
    given = get(data, "prompt", "array", required=True)
    if not 1 <= len(given) <= MAX_PROMPTS:
        message = f"Invalid 'prompt': expected 1 to {MAX_PROMPTS} texts, but got {len(given)}."
        raise RequestError(message, "prompt", "array_above_max_length" if given else "empty_array")
    return [get(given, index, "string", "prompt", required=True) for index in range(len(given))]


def replies(request: Request) -> list[Reply]:
    """Return what follows each prompt, as often as asked for."""
    found = []
    for prompt in request.prompts:
        reply = answers.written(_go_on(prompt), request.stop, request.max_tokens)
        if request.echo:
            reply = reply._replace(tokens=tokens.split(prompt, special=True) + reply.tokens)
        found += [reply] * request.choices
    return found


def _go_on(prompt: str) -> str:
    """Return how a text goes on; one that the chat template made goes on with the chat's answer."""
    messages = template.parse(prompt)
    if not messages:
        text = book.go_on(prompt)
        # Who types ordinary spaces before French colons gets them back.
        return text if "\u00a0" in prompt else text.replace("\u00a0", " ")
    entry = book.find(messages)
    return entry.answer if entry else book.unknown(book.language_of(messages[-1].text))


def usage(request: Request, replies: Sequence[Reply]) -> dict[str, int]:
    """Return the tokens that the prompts and all replies take."""
    prompt = sum(len(tokens.split(text, special=True)) for text in request.prompts)
    written = sum(reply.length() for reply in replies)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }


def _envelope(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "object": "text_completion",
        "created": CREATED,
        "model": request.model,
        "system_fingerprint": FINGERPRINT,
    }


def _choice(
    request: Request, index: int, texts: Sequence[str], offset: int, reason: str | None
) -> dict[str, Any]:
    logprobs = None
    if request.logprobs is not None:
        # A prepared answer has probability 1, and no other candidate.
        offsets = [*accumulate(map(len, texts), initial=offset)][:-1]
        tops = [{text: 0.0} for text in texts] if request.logprobs else None
        logprobs = {
            "tokens": list(texts),
            "token_logprobs": [0.0] * len(texts),
            "top_logprobs": tops,
            "text_offset": offsets,
        }
    return {"text": "".join(texts), "index": index, "logprobs": logprobs, "finish_reason": reason}


def completion(request: Request, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    choices = [
        _choice(request, index, reply.tokens, 0, reply.finish_reason)
        for index, reply in enumerate(replies)
    ]
    return {**_envelope(request), "choices": choices, "usage": usage(request, replies)}


def chunks(request: Request, replies: Sequence[Reply]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the chunks of a stream, each with the number of tokens written until then."""
    envelope = _envelope(request)
    if request.include_usage:
        envelope["usage"] = None
    length = max(reply.length() for reply in replies)
    offsets = [0] * len(replies)
    for place in range(length):
        for index, reply in enumerate(replies):
            if place < len(reply.tokens):
                token = reply.tokens[place]
                choice = _choice(request, index, [token], offsets[index], None)
                offsets[index] += len(token)
                yield place + 1, {**envelope, "choices": [choice]}
    for index, reply in enumerate(replies):
        choice = _choice(request, index, [], offsets[index], reply.finish_reason)
        yield length, {**envelope, "choices": [choice]}
    if request.include_usage:
        yield length, {**envelope, "choices": [], "usage": usage(request, replies)}
