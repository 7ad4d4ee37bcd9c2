"""How the exercises of lesson 12 are judged."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError

from helpers.exercises.judging import check, choice, equal, no_message, returned, wrong_unless
from helpers.exercises.verdict import WrongAnswer


def as_messages(given: Any) -> list[BaseMessage]:
    """Return what a chat model was given as messages."""
    if isinstance(given, PromptValue):
        return given.to_messages()
    return list(convert_to_messages([given] if isinstance(given, str) else given))


@check("12-chains/card", "card")
def card(function: Any) -> None:
    asked: list[str] = []

    def reply(given: Any) -> AIMessage:
        wrong_unless(not isinstance(given, dict), "unprompted", got=given)
        asked.append(" ".join(message.text for message in as_messages(given)))
        return AIMessage("squawk")

    chain = function(RunnableLambda(reply))
    returned(chain)
    wrong_unless(callable(getattr(chain, "invoke", None)), "type", got=type(chain).__name__)
    for term in ("moulting", "nesting"):
        got = chain.invoke({"term": term})
        wrong_unless(isinstance(got, dict), "dict", got=got)
        wrong_unless(bool(asked), "other-model")
        wrong_unless(term in asked[-1], "unasked", got=asked[-1])
        wrong_unless("term" in got, "lost", got=got)
        wrong_unless(got["term"] != {"term": term}, "nested")
        wrong_unless(not isinstance(got.get("answer"), BaseMessage), "message")
        expected = {"term": term, "answer": "squawk"}
        equal(got, expected)


@check("12-chains/ticket", "Ticket")
def ticket(model: Any) -> None:
    wrong_unless(isinstance(model, type) and issubclass(model, BaseModel), "class", got=repr(model))
    good: list[dict[str, Any]] = [
        {"name": "Ada", "adults": 1, "children": 2},
        {"name": "Grace", "adults": 2},
        {"name": "Alan", "adults": 1, "children": 0},
    ]
    for given in good:
        try:
            made = model.model_validate(given)
        except ValidationError as error:
            problem = error.errors()[0]
            told = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
            raise WrongAnswer("refused", given=given, error=told) from None
        wrong_unless(isinstance(made, model), "lost", given=given, got=made)
        got = {name: getattr(made, name, None) for name in ("name", "adults", "children")}
        expected = {"children": 0, **given}
        equal(got, expected)
    bad: list[dict[str, Any]] = [
        {"name": "Ada", "adults": 0},
        {"name": "Ada", "adults": 1, "children": -1},
        {"name": "Ada", "adults": 1.5},
        {"name": "Ada"},
        {"adults": 1},
    ]
    for given in bad:
        try:
            model.model_validate(given)
        except ValidationError:
            continue
        raise WrongAnswer("accepted", given=given)


@tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


@tool
def half(number: int) -> int:
    """Halve a number."""
    return number // 2


def call(name: str, number: int, identifier: str) -> dict[str, Any]:
    """Return a tool call."""
    return {"name": name, "args": {"number": number}, "id": identifier, "type": "tool_call"}


# What the model asks for, turn by turn, and what should come back.
TURNS = [
    ([call("double", 4, "call_a"), call("half", 4, "call_b")], ["8", "2"]),
    ([call("double", 21, "call_c")], ["42"]),
]


@check("12-chains/ask", "ask")
def ask(function: Any) -> None:
    question = "How much is it?"

    heard: list[list[BaseMessage]] = []

    def reply(given: Any) -> AIMessage:
        messages = as_messages(given)
        heard.append(messages)
        questions = [message.text for message in messages if isinstance(message, HumanMessage)]
        wrong_unless(question in questions, "unasked", question=question)
        results = [message for message in messages if isinstance(message, ToolMessage)]
        requests = [message for message in messages if isinstance(message, AIMessage)]
        kinds = ", ".join(message.type for message in messages)
        wrong_unless(len(requests) <= len(TURNS), "request", got=kinds)
        expected_kinds = ["human"]
        for (calls, expected), request in zip(TURNS, requests, strict=False):
            wrong_unless(request.tool_calls == calls, "request", got=kinds)
            told = {
                message.tool_call_id: message.text
                for message in results
                if message.tool_call_id in [made["id"] for made in calls]
            }
            wrong_unless(len(told) == len(calls), "missing", asked=len(calls), got=len(told))
            got = [told[made["id"]] for made in calls]
            wrong_unless(got == expected, "results", got=got, expected=expected)
            expected_kinds += ["ai", *["tool"] * len(calls)]
        in_order = [message.type for message in messages if message.type != "system"]
        wrong_unless(in_order == expected_kinds, "request", got=kinds)
        if len(requests) < len(TURNS):
            return AIMessage("", tool_calls=TURNS[len(requests)][0])
        return AIMessage("It is 42.")

    got = function(RunnableLambda(reply), {"double": double, "half": half}, question)
    wrong_unless(bool(heard), "model")
    returned(got)
    no_message(got)
    wrong_unless(got != "", "calls")
    equal(got, "It is 42.")


choice("12-chains/who", right="c", wrong="ab")
