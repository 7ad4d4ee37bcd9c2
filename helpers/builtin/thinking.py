"""The model that thinks before it speaks: how long, in which words, and what it does not take.

How many tokens it thinks is the matter of `reasoning_effort` alone, so that a reader can check it:
EFFORTS has the numbers. They count as tokens of the answer, take their time, and stand within
`max_completion_tokens`.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from typing import Any

from helpers.builtin import THINKING, book, tokens
from helpers.builtin.book import Message
from helpers.builtin.wire import RequestError
from helpers.i18n import _

EFFORTS = {"none": 0, "low": 16, "medium": 64, "high": 256}  # tokens
DEFAULT = "medium"
# What it takes only while it does not think, with the value that says nothing, if there is one.
UNSUPPORTED = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logprobs": None,
    "top_logprobs": None,
    "stop": None,
    "max_tokens": None,
}
MAX_QUOTED = 100  # characters of the question that a thought repeats


def length(model: str, data: dict[str, Any]) -> int:
    """Return how many tokens `model` thinks; raise RequestError for what it then does not take.

    The words of the errors are OpenAI's.
    """
    if model != THINKING:
        return 0
    effort = data.get("reasoning_effort") or DEFAULT
    if effort not in EFFORTS:
        raise RequestError(
            f"Unsupported value: 'reasoning_effort' does not support {reprlib.repr(effort)} with "
            f"this model. Supported values are: {', '.join(map(repr, EFFORTS))}.",
            "reasoning_effort",
            "unsupported_value",
        )
    for name, default in UNSUPPORTED.items():
        value = data.get(name)
        if not EFFORTS[effort] or value is None or value == default:
            continue
        if default is not None:
            message = (
                f"Unsupported value: '{name}' does not support {reprlib.repr(value)} with this "
                f"model. Only the default ({default}) value is supported."
            )
            raise RequestError(message, name, "unsupported_value")
        message = f"Unsupported parameter: '{name}' is not supported with this model."
        if name == "max_tokens":
            message += " Use 'max_completion_tokens' instead."
        raise RequestError(message, name, "unsupported_parameter")
    return EFFORTS[effort]


def summary(messages: Iterable[Message]) -> str:
    """Return what is thought about the last question, in a line."""
    question = [message.text for message in messages if message.role == "user"][-1:]
    text = _(
        "The question is “{question}”. What do I know of it, and what might I overlook? "
        "I go through it once more.",
        book.language_of("".join(question)),
    )
    return text.format(question="".join(question)[:MAX_QUOTED])


def words(messages: Iterable[Message], count: int) -> list[str]:
    """Return a thought of so many tokens: the summary, as often as it takes."""
    line = tokens.split(f"{summary(messages)}\n") if count else [""]
    return (line * (count // len(line) + 1))[:count]
