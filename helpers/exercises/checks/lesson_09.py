"""How the exercises of lesson 09 are judged."""

from __future__ import annotations

import warnings
from typing import Any
from unittest import mock

from langchain_core._api import LangChainDeprecationWarning
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult, LLMResult
from pydantic import Field, ValidationError

from helpers.exercises.judging import check, choice, equal, returned, string, wrong_unless
from helpers.exercises.verdict import WrongAnswer


class Clerk(BaseChatModel):
    """Gives its answers in turn, as text or as content blocks, and keeps what it was sent."""

    answers: list[str]
    blocks: bool
    heard: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "clerk"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        answer = self.answers[len(self.heard) % len(self.answers)]
        self.heard.append(messages)
        message = AIMessage([{"type": "text", "text": answer}] if self.blocks else answer)
        return ChatResult(generations=[ChatGeneration(message=message)])


@check("09-legacy/modern", "refine")
def modern(function: Any) -> None:
    for blocks in (False, True):
        clerk = Clerk(answers=["A {draft}.", "Done."], blocks=blocks)
        with mock.patch("warnings.warn") as warn:  # no filter of the answer's hides what came here
            try:
                got = function(clerk, "Be brief.", "What is {this}?")
            except ValidationError as error:
                given = [problem["input"] for problem in error.errors()]
                wrong_unless(not any(isinstance(one, BaseMessage) for one in given), "draft")
                raise  # another slip: shown with its line
        returned(got)
        wrong_unless(not (blocks and isinstance(got, list)), "blocks")
        string(got)
        wrong_unless(len(clerk.heard) == 2, "calls", got=len(clerk.heard))
        expected = [
            [("human", "What is {this}?")],
            [("system", "Be brief."), ("human", "A {draft}.")],
        ]
        for number, (heard, right) in enumerate(zip(clerk.heard, expected, strict=True), 1):
            sent = [(message.type, str(message.text)) for message in heard]
            wrong_unless(sent == right, "sent", number=number, got=sent, expected=right)
        equal(got, "Done.")
        for call in warn.call_args_list:
            old = isinstance(call.args[0], LangChainDeprecationWarning)
            wrong_unless(not old, "warns", got=call.args[0])


def result_of(*calls: tuple[int, list[str]]) -> LLMResult:
    """Return what `generate` does: for each call its answers, each with the call's token count."""
    generations: list[Any] = []
    for tokens, texts in calls:
        usage = {"input_tokens": 7, "output_tokens": tokens - 7, "total_tokens": tokens}
        messages = [AIMessage(text, usage_metadata=usage) for text in texts]
        generations.append([ChatGeneration(message=message) for message in messages])
    total = sum(tokens for tokens, _ in calls)
    prompt = 7 * len(calls)
    counted = {"completion_tokens": total - prompt, "prompt_tokens": prompt, "total_tokens": total}
    return LLMResult(generations=generations, llm_output={"token_usage": counted})


@check("09-legacy/tally", "tally")
def tally(function: Any) -> None:
    for calls in (
        [(20, ["one", "two", "three"]), (31, ["four"]), (12, ["one", ""])],
        [(40, ["five", "six"])],
    ):
        got = function(result_of(*calls))
        returned(got)
        wrong_unless(isinstance(got, (tuple, list)) and len(got) == 2, "shape", got=got)
        texts, tokens = got
        shaped = isinstance(texts, (list, tuple)) and isinstance(tokens, int)
        wrong_unless(shaped, "shape", got=got)
        expected = [text for _, answers in calls for text in answers]
        first = [answers[0] for _, answers in calls]
        wrong_unless(list(texts) != first, "first", got=texts)
        wrong_unless(list(texts) == expected, "texts", got=texts, expected=expected)
        total = sum(count for count, _ in calls)
        double = sum(count * len(answers) for count, answers in calls)
        wrong_unless(tokens != double, "double", got=tokens)
        wrong_unless(tokens == total, "tokens", got=tokens, expected=total)


class Program:
    """A program with old and other calls, which counts how often it is run."""

    def __init__(self, *messages: Warning) -> None:
        self.messages = messages
        self.runs = 0

    def __call__(self) -> None:
        self.runs += 1
        for message in self.messages:
            warnings.warn(message, stacklevel=1)


@check("09-legacy/old-calls", "old_calls")
def old_calls(function: Any) -> None:
    one, two = "The method one was deprecated.", "The method two was deprecated."
    expected = [one, two, one]
    mixed = [
        LangChainDeprecationWarning(one),
        DeprecationWarning("not LangChain's"),
        LangChainDeprecationWarning(two),
        UserWarning("not LangChain's"),
        LangChainDeprecationWarning(one),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for texts, given in ((expected, mixed), ([], mixed[1:2]), ([], [])):
            program = Program(*given)
            before = list(warnings.filters)
            try:
                got = function(program)
            except Warning as error:
                raise WrongAnswer("escaped", error=error) from None
            returned(got)
            wrong_unless(program.runs == 1, "calls", got=program.runs)
            listed = isinstance(got, (list, tuple)) and all(isinstance(text, str) for text in got)
            wrong_unless(listed, "type", got=got)
            wrong_unless("not LangChain's" not in got, "foreign", got=got)
            equal(list(got), texts)
            wrong_unless(list(warnings.filters) == before, "left")


choice("09-legacy/passed", right="b", wrong="ac")
