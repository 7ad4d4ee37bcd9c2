"""How the exercises of lesson 07 are judged."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from typing import Any

from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableParallel
from langchain_core.tracers.log_stream import RunLogPatch

from helpers.exercises.judging import (
    check,
    choice,
    equal,
    own_parameter,
    returned,
    string,
    wrong_unless,
)

WORDS = {"writer": "A grey parrot.", "critic": "Too short, I fear."}  # what each model says


def voice(name: str) -> Any:
    """Return a chain whose model, of that name, says its words, however often it is asked."""
    model = GenericFakeChatModel(messages=itertools.cycle([AIMessage(WORDS[name])]))
    prompt = ChatPromptTemplate([("human", "{text}")])
    return prompt | model.with_config(run_name=name) | StrOutputParser()


@check("07-watching-a-run/said-by", "said_by")
def said_by(function: Any) -> None:
    both = "".join(WORDS.values())
    for name, expected in WORDS.items():
        for chain in (
            voice("writer") | voice("critic"),
            RunnableParallel(first=voice("writer"), second=voice("critic")),
        ):
            awaited = function(chain, {"text": "Go on."}, name)
            returned(awaited)
            wrong_unless(inspect.isawaitable(awaited), "plain")
            got = asyncio.run(_result(awaited))
            returned(got)
            string(got)
            wrong_unless(
                sorted(got) != sorted(both), "others", got=got, name=name, expected=expected
            )
            wrong_unless(got != expected * 2, "twice", got=got)
            words = "".join(got.split()) == "".join(expected.split())
            wrong_unless(got == expected or not words, "spaces")
            equal(got, expected)


async def _result(awaited: Any) -> Any:
    return await awaited


def event(kind: str, name: str, line: str) -> dict[str, Any]:
    """Return an event of the last of the runs `line`, one letter each, which lie in one another."""
    *parents, run = (f"run-{letter}" for letter in line)
    return {
        "event": f"on_{kind}",
        "name": name,
        "run_id": run,
        "parent_ids": parents,
        "tags": [],
        "metadata": {},
        "data": {},
    }


EVENTS = [
    event("chain_start", "quiz", "q"),
    event("chain_start", "answering", "qa"),
    event("chat_model_start", "writer", "qaw"),
    event("chat_model_stream", "writer", "qaw"),
    event("parser_start", "StrOutputParser", "qas"),
    event("chain_start", "checking", "qc"),  # begins before the one before it has ended
    event("parser_start", "StrOutputParser", "qat"),
    event("chat_model_end", "writer", "qaw"),
    event("parser_end", "StrOutputParser", "qas"),
    event("parser_end", "StrOutputParser", "qat"),
    event("chat_model_start", "checker", "qcx"),
    event("chat_model_end", "checker", "qcx"),
    event("chain_end", "checking", "qc"),  # and ends before it
    event("chain_end", "answering", "qa"),
    event("chain_end", "quiz", "q"),
]


@check("07-watching-a-run/inside", "inside")
def inside(function: Any) -> None:
    parser = "StrOutputParser"
    deep = ["answering", "writer", parser, "checking", parser, "checker"]
    runs = {
        "quiz": ["answering", "checking"],
        "answering": ["writer", parser, parser],
        "checking": ["checker"],
        "writer": [],
    }
    for name, expected in runs.items():
        got = function(list(EVENTS), name)
        returned(got)
        wrong_unless(isinstance(got, (list, tuple)), "type", got=type(got).__name__)
        got = list(got)
        wrong_unless(got != deep, "deep", got=got, name=name)
        repeated = len(got) > len(expected) and set(got) == set(expected)
        wrong_unless(not repeated, "many", got=got, name=name)
        wrong_unless(got == expected, "other", got=got, name=name, expected=expected)


def patch(*ops: tuple[str, str, Any]) -> RunLogPatch:
    return RunLogPatch(*({"op": op, "path": path, "value": value} for op, path, value in ops))


def patches_of(name: str, pieces: list[Any], step: str | None = None) -> list[RunLogPatch]:
    """Return the log of a run that yields `pieces`, whose last step tells of its own end after it."""
    document: dict[str, Any] = {
        "name": name,
        "streamed_output": [],
        "final_output": None,
        "logs": {},
    }
    log = [patch(("replace", "", document))]
    if step:
        log.append(patch(("add", f"/logs/{step}", {"name": step, "final_output": None})))
    for count in range(1, len(pieces) + 1):
        total = pieces[0]
        for piece in pieces[1:count]:
            total = total + piece
        add = ("add", "/streamed_output/-", pieces[count - 1])
        log.append(patch(add, ("replace", "/final_output", total)))
    if step:
        end = "2026-01-01T00:00:00+00:00"
        output = {"output": "a step's own output"}
        log.append(
            patch(
                ("add", f"/logs/{step}/final_output", output),
                ("add", f"/logs/{step}/end_time", end),
            )
        )
    return log


@check("07-watching-a-run/final", "final_output")
def final_output(function: Any) -> None:
    words = ["A", " grey", " parrot"]
    runs: list[tuple[list[RunLogPatch], Any]] = [
        (
            patches_of("ChatOpenAI", [AIMessageChunk(content=word) for word in words]),
            AIMessageChunk(content="".join(words)),
        ),
        (patches_of("RunnableSequence", words, step="StrOutputParser"), "".join(words)),
    ]
    for log, expected in runs:
        inner = [op["value"] for op in log[-1].ops if op["path"].startswith("/logs/")]
        got = function(log)
        returned(got)
        whole = isinstance(got, RunLogPatch) or (isinstance(got, dict) and "logs" in got)
        wrong_unless(not whole, "log", got=type(got).__name__)
        wrong_unless(got == expected or got not in inner, "step", got=got)
        wrong_unless(got == expected or got != getattr(expected, "text", None), "text", got=got)
        if got != expected:
            another = patches_of("ChatOpenAI", [AIMessageChunk(content="Hello!")])
            own_parameter(got, function(another), "patches")
        equal(got, expected)


choice("07-watching-a-run/starts", right="c", wrong="ab")
