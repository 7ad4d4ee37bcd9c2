"""How the exercises of lesson 08 are judged."""

from __future__ import annotations

import contextlib
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.context import collect_runs
from langchain_core.tracers.schemas import Run

from helpers.exercises.judging import check, choice, equal, returned, wrong_unless
from helpers.exercises.verdict import WrongAnswer


def message(tokens_in: int | None, tokens_out: int = 0) -> AIMessage:
    """Return an answer that took so many tokens, or that does not say (None)."""
    if tokens_in is None:
        return AIMessage("?")
    total = tokens_in + tokens_out
    return AIMessage(
        "!",
        usage_metadata=UsageMetadata(
            input_tokens=tokens_in, output_tokens=tokens_out, total_tokens=total
        ),
    )


@check("08-usage-and-tracing/total", "tokens_of")
def total(function: Any) -> None:
    counted = [message(12, 8), message(20, 10)]
    silent = [message(None), message(None)]
    for messages, tokens, missing in [
        (counted, 50, 0),
        ([counted[0], *silent, counted[1]], 50, 2),
        (counted[:1] * 3, 60, 0),
    ]:
        try:
            got = function(messages)
        except (AttributeError, KeyError, TypeError) as error:
            if not missing:
                raise
            raise WrongAnswer("crash", error=type(error).__name__) from None
        returned(got)
        wrong_unless(isinstance(got, (tuple, list)) and len(got) == 2, "shape", got=got)
        wrong_unless(got[0] == tokens, "sum", got=repr(got[0]), expected=tokens)
        wrong_unless(got[1] == missing, "missing", got=repr(got[1]), expected=missing)


class Clerk(BaseChatModel):
    """Answers everything but "broken"."""

    @property
    def _llm_type(self) -> str:
        return "clerk"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        if messages[-1].text == "broken":
            raise RuntimeError("out of order")
        return ChatResult(generations=[ChatGeneration(message=message(2, 1))])


@check("08-usage-and-tracing/tally", "Tally")
def tally(handler: Any) -> None:
    good = isinstance(handler, type) and issubclass(handler, BaseCallbackHandler)
    wrong_unless(good, "class", got=handler)
    first = handler()
    first.raise_error = True  # LangChain would only log what it raises
    model, config = Clerk(), {"callbacks": [first]}
    blocks = HumanMessage([{"type": "text", "text": "two"}])
    model.invoke("one", config)  # type: ignore[arg-type]
    model.invoke([SystemMessage("rule"), HumanMessage("x"), AIMessage("!"), blocks], config)  # type: ignore[arg-type]
    chain = RunnableLambda(str.strip) | model
    for _ in range(2):
        with contextlib.suppress(RuntimeError):
            chain.invoke(" broken ", config)  # type: ignore[arg-type]
    with contextlib.suppress(ZeroDivisionError):
        (chain | (lambda answer: 1 / 0)).invoke("one", config)  # type: ignore[arg-type]
    got, expected = first.questions, ["one", "two", "broken", "broken", "one"]
    texts = isinstance(got, list) and all(isinstance(text, str) for text in got)
    wrong_unless(texts, "texts", got=got)
    wrong_unless(got == expected, "questions", got=got, expected=expected)
    wrong_unless(first.errors == 2, "errors", got=first.errors, expected=2)
    second = handler()
    wrong_unless(not second.questions and not second.errors, "shared")


MENDED = "fragile"  # the run that failed, and for which a fallback stepped in


def trees() -> list[tuple[Run, str | None]]:
    """Return runs, each with the name of the run in which its failure began."""

    def named(name: str, function: Any) -> Any:
        return RunnableLambda(function).with_config(run_name=name)

    def fail(value: Any) -> Any:
        raise RuntimeError("out of order")

    def nested(value: Any) -> Any:
        return (named("read", str) | named("divide", fail) | named("late", str)).invoke(value)

    def tidied(value: Any) -> Any:
        """Fail before the last step, in this function's first call, and clean up in a second."""
        try:
            return named("first", fail).invoke(value)
        finally:
            named("tidy", str).invoke(value)

    read = named("read", str)
    mended = named(MENDED, fail).with_fallbacks([read])
    made = [
        (read | named("int", int), "int"),
        (read | named("outer", nested) | read, "divide"),
        (named("alone", fail), "alone"),
        (read | named("tidied", tidied), "first"),
        (read | read, None),
        (mended, None),
        (mended | named("int", int), "int"),
    ]
    found: list[tuple[Run, str | None]] = []
    for runnable, expected in made:
        with collect_runs() as collected, contextlib.suppress(RuntimeError, ValueError):
            runnable.invoke("one")
        found.append((collected.traced_runs[0], expected))
    return found


@check("08-usage-and-tracing/culprit", "culprit")
def culprit(function: Any) -> None:
    for run, expected in trees():
        got = function(run)
        if expected is None:
            wrong_unless(got is None, "well", got=getattr(got, "name", got))
            continue
        wrong_unless(got is not None, "none", expected=expected)
        wrong_unless(isinstance(got, str), "name", got=type(got).__name__)
        above = {"RunnableSequence", "outer", "tidied"} - {expected}
        wrong_unless(got not in above, "high", got=got, expected=expected)
        wrong_unless(got != MENDED, "mended", got=got, expected=expected)
        equal(got, expected)


choice("08-usage-and-tracing/off-switch", right="b", wrong="ac")
