"""How the exercises of lesson 04 are judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import (
    AIMessageChunk,
    BaseMessage,
)

from helpers.exercises.judging import check, choice, chunks, equal, returned, wrong_unless
from helpers.exercises.running import Printed, captured


@check("04-stream/first-token", "first_token")
def first_token(function: Any) -> None:
    taken: list[str] = []

    def stream() -> Iterator[AIMessageChunk]:
        for chunk in chunks("", "Par", "is", " is", " big"):
            taken.append(chunk.text)
            yield chunk

    got, printed = captured(lambda: function(stream()))
    returned(got, printed)
    wrong_unless(not isinstance(got, BaseMessage), "chunk")
    wrong_unless(got != "", "empty")
    wrong_unless(got == "Par", "whole", got=got)
    wrong_unless(len(taken) == 2, "greedy", got=len(taken))
    for pieces in (("", "", " A", "b"), ("x", "y")):
        got, expected = function(chunks(*pieces)), next(filter(None, pieces))
        wrong_unless(got == expected, "other", got=repr(got), expected=repr(expected))


@check("04-stream/collect", "show_and_keep")
def collect(function: Any) -> None:
    seen: list[str] = []
    printed = Printed()

    def stream() -> Iterator[AIMessageChunk]:
        for chunk in chunks("Par", "is", "."):
            seen.append(printed.getvalue())
            yield chunk
        yield AIMessageChunk(content="", response_metadata={"finish_reason": "stop"})

    got, shown = captured(lambda: function(stream()), printed)
    returned(got)
    wrong_unless(isinstance(got, AIMessageChunk), "text", got=type(got).__name__)
    wrong_unless(got.text == "Paris.", "sum", got=got.text)
    wrong_unless(got.response_metadata == {"finish_reason": "stop"}, "rebuilt")
    wrong_unless(shown != "", "silent")
    wrong_unless(shown.replace("\n", "") == "Paris.", "printed", got=shown)
    wrong_unless("\n" not in shown.rstrip("\n"), "newlines")
    wrong_unless(seen[-1].strip() == "Paris", "late")


@check("04-stream/sentence", "first_sentence")
def sentence(function: Any) -> None:
    taken: list[str] = []

    def speech() -> Iterator[AIMessageChunk]:
        for chunk in chunks("", "Hello", " there", ". How", " are", " you?"):
            taken.append(chunk.text)
            yield chunk

    stream = speech()
    got = function(stream)
    returned(got)
    wrong_unless(got != "Hello there. How", "beyond")
    wrong_unless(got != "Hello there", "without")
    equal(got, "Hello there.")
    wrong_unless(len(taken) == 4, "greedy")
    wrong_unless(stream.gi_frame is None, "open")  # type: ignore[attr-defined]
    for pieces, expected in ((("你好", "。再", "见。"), "你好。"), (("no", " stop"), "no stop")):
        got = function(chunks(*pieces))
        equal(got, expected)


choice("04-stream/pieces", right="a", wrong="bc")
