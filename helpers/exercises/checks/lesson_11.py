"""How the exercises of lesson 11 are judged."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import tenacity
from langchain_core.exceptions import (
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.messages import (
    AIMessageChunk,
)
from langchain_openai import ChatOpenAI

from helpers.backend import faults
from helpers.builtin import MODEL as BUILT_IN
from helpers.exercises.judging import (
    answer_of,
    check,
    choice,
    chunks,
    no_message,
    returned,
    wrong_unless,
)
from helpers.exercises.verdict import WrongAnswer


def without_waiting() -> Any:
    """Let `with_retry` try again at once: what is judged is how often, not how patiently."""
    return mock.patch.object(tenacity.nap, "time", mock.Mock())


@check("11-when-things-go-wrong/patient", "steadfast")
def patient(model: Any) -> None:
    wrong_unless(callable(getattr(model, "invoke", None)), "type", got=type(model).__name__)
    with without_waiting(), faults.rate_limit(retry_after=0.01, times=4) as calls:
        try:
            model.invoke("Hello!")
        except ModelRateLimitError:
            raise WrongAnswer("once" if len(calls) == 1 else "few", calls=calls) from None
    with without_waiting(), faults.wrong_key(times=2) as calls:
        with contextlib.suppress(ModelError):
            model.invoke("What is a token?")  # another question: there may be a cache
        wrong_unless(len(calls) == 1, "eager", calls=calls)


@check("11-when-things-go-wrong/ask", "ask")
def ask_in_a_storm(function: Any) -> None:
    model = ChatOpenAI(model="big", max_retries=0, timeout=1)
    for question in ("What is a token?", "Hello!"):
        with faults.none(model="big") as calls:
            got, expected = function(model, question), answer_of(question)
        wrong_unless(
            len(calls) > 0, "text" if got == question else "model", got=got, expected=expected
        )
        returned(got)
        no_message(got)
        wrong_unless(got == expected, "text", got=got, expected=expected)
    temporary: dict[str, Callable[[], faults.Calls]] = {
        "rate_limit()": faults.rate_limit,
        "server_error()": faults.server_error,
        "refused()": faults.refused,
        "slow(seconds=10)": lambda: faults.slow(10),
    }
    for fault, provoke in temporary.items():
        with without_waiting(), provoke():
            try:
                got = function(model, "Hello!")
            except ModelError as error:
                raise WrongAnswer("escaped", fault=fault, error=type(error).__name__) from None
        wrong_unless(got is None, "something", fault=fault, got=repr(got))
    for mistake in (faults.wrong_key, faults.unknown_model):
        with mistake(), contextlib.suppress(ModelAuthenticationError, ModelNotFoundError):
            got = function(model, "Hello!")
            raise WrongAnswer("swallowed", fault=f"{mistake.__name__}()", got=got)


@check("11-when-things-go-wrong/keep", "keep")
def keep(function: Any) -> None:
    def late() -> Iterator[AIMessageChunk]:
        yield from chunks("", "A", " grey", "")
        raise ModelTimeoutError("Request timed out.")

    model = ChatOpenAI(model=BUILT_IN, max_retries=0)
    block = AIMessageChunk(content=[{"type": "text", "text": "."}])
    streams: list[tuple[Iterator[Any], tuple[str, bool]]] = [
        (iter([*chunks("", "A grey", "", " parrot"), block]), ("A grey parrot.", True)),
        (model.stream("Hello!"), ("Hello!", False)),
        (late(), ("A grey", False)),
    ]
    for stream, expected in streams:
        with faults.cut(after=2):
            try:
                got = function(stream)
            except ModelError as error:
                raise WrongAnswer("escaped", error=type(error).__name__) from None
        returned(got)
        wrong_unless(isinstance(got, (tuple, list)) and len(got) == 2, "shape", got=got)
        text, complete = got
        wrong_unless(isinstance(text, str) and isinstance(complete, bool), "shape", got=got)
        key = "whole" if expected[1] else "lost"
        wrong_unless(text == expected[0], key, got=text, expected=expected[0])
        wrong_unless(complete is expected[1], "flag")


choice("11-when-things-go-wrong/count", right="c", wrong="ab")
