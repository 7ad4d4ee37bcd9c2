"""The prompt as the model reads it: the tokens of all that a request holds, and which it read before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from helpers.builtin import tokens
from helpers.builtin.book import Message

# An eighth of OpenAI's numbers, so that a prompt need not fill pages to be kept.
# https://platform.openai.com/docs/guides/prompt-caching
CACHED_FROM = 128  # tokens
CACHED_STEP = 16  # tokens
MAX_KEPT = 20_000  # beginnings of prompts; then it begins anew


def read(data: dict[str, Any], messages: Sequence[Message]) -> list[str]:
    """Return the tokens of a valid request, by the rule of `tokens`; `messages` are its own.

    First comes what seldom changes, the tools and the schema, as at OpenAI: a prompt is cached from
    its beginning on.
    """
    found: list[str] = []
    functions = [tool["function"] for tool in data.get("tools") or []]
    schema = (data.get("response_format") or {}).get("json_schema")
    for part in [*functions, schema] if schema else functions:
        found += tokens.split(json.dumps(part, ensure_ascii=False, separators=(",", ":")))
    for given, message in zip(data["messages"], messages, strict=True):
        found += ["<|im_start|>", message.role, *tokens.split(message.text)]
        found += [*_beside_the_text(given), "<|im_end|>"]
    return [*found, *["<|im_start|>", "assistant", "\n"][: tokens.REPLY_START]]


def _beside_the_text(given: dict[str, Any]) -> Iterator[str]:
    """Yield the tokens of a message's pictures and tool calls."""
    for part in given["content"] if isinstance(given.get("content"), list) else ():
        if part["type"] == "image_url":
            low = part["image_url"].get("detail") == "low"
            yield from [part["image_url"]["url"]] * (tokens.PICTURE_LOW if low else tokens.PICTURE)
    for call in given.get("tool_calls") or () if given["role"] == "assistant" else ():
        yield from tokens.split(call["function"]["name"])
        yield from tokens.split(call["function"]["arguments"])


class Cache:
    """The beginnings of the prompts that were read, as hashes."""

    def __init__(self) -> None:
        self._kept: set[bytes] = set()

    def read(self, model: str, prompt: Sequence[str]) -> int:
        """Return how many tokens `model` has read before from the beginning of `prompt`; keep it.

        They are CACHED_FROM or more, in steps of CACHED_STEP.
        """
        digest = hashlib.sha256(model.encode())
        cached = 0
        for end in range(CACHED_STEP, len(prompt) + 1, CACHED_STEP):
            step = "\0".join(prompt[end - CACHED_STEP : end])
            digest.update(step.encode(errors="surrogatepass") + b"\0")
            if end < CACHED_FROM:
                continue
            if (beginning := digest.digest()) in self._kept:
                cached = end
            else:
                if len(self._kept) >= MAX_KEPT:
                    self._kept.clear()
                self._kept.add(beginning)
        return cached
