"""How the exercises of lesson 16 are judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import BaseTool
from pydantic import ValidationError

from helpers.exercises.judging import check, choice, plain, returned, wrong_unless
from helpers.exercises.verdict import WrongAnswer

RULE = SystemMessage("You sell perches.")
CALL = {"name": "find_order", "args": {"number": 7}, "id": "call_a", "type": "tool_call"}
TURNS: list[list[BaseMessage]] = [
    [HumanMessage("Good morning to you all!"), AIMessage("Good morning.")],
    [
        HumanMessage("Where is order 7?"),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("it is being packed", tool_call_id="call_a", name="find_order"),
        AIMessage("It is being packed."),
    ],
    [HumanMessage("Thank you."), AIMessage("You are welcome.")],
    [
        HumanMessage("And where is it now?"),
        AIMessage("", tool_calls=[CALL]),
        ToolMessage("it is on its way", tool_call_id="call_a", name="find_order"),
    ],
]


def tokens(messages: Sequence[BaseMessage]) -> int:
    """Count the letters of the messages, and five for each."""
    return sum(5 + len(message.text) for message in messages)


def kinds(messages: Sequence[BaseMessage]) -> str:
    """Return the types of messages as text."""
    return " ".join(message.type for message in messages)


@check("16-capstone/fit", "fit")
def fit(function: Any) -> None:
    for rules in ([RULE], []):
        wholes = [
            [*rules, *(message for turn in TURNS[first:] for message in turn)]
            for first in range(len(TURNS))
        ]
        # What just fits, what does by one token not, and what nothing fits into.
        limits = [tokens(whole) - less for whole in wholes for less in (0, 1)] + [1]
        for limit in limits:
            given = list(wholes[0])
            got = function(given, limit, tokens)
            expected = next((one for one in wholes if tokens(one) <= limit), wholes[-1])
            judge_fit(got, expected, limit)
            wrong_unless(given == wholes[0], "changed")


def judge_fit(got: Any, expected: list[BaseMessage], limit: int) -> None:
    """Raise WrongAnswer unless `got` are the `expected` messages; the first thing amiss is named."""
    returned(got)
    messages = isinstance(got, (list, tuple)) and all(isinstance(m, BaseMessage) for m in got)
    wrong_unless(messages, "type", got=got)
    came = {"got": kinds(got), "expected": kinds(expected)}
    rules = [message for message in expected if message.type == "system"]
    wrong_unless([m for m in got[:1] if m.type == "system"] == rules, "rule", **came)
    rest = list(got[len(rules) :])
    wrong_unless(rest[-len(TURNS[-1]) :] == TURNS[-1], "last", **came)
    wrong_unless(rest[0].type == "human", "begins", **came)
    whole = rest == [m for turn in TURNS for m in turn][-len(rest) :]
    if whole and list(got) != expected:
        key = "large" if len(got) > len(expected) else "small"
        raise WrongAnswer(key, limit=limit, got=tokens(got))
    wrong_unless(list(got) == expected, "other", **came)


ORDERS = {
    7: {"customer": "Ada", "item": "a perch", "state": "is being packed"},
    8: {"customer": "Grace", "item": "a swing", "state": "is on its way"},
    9: {"customer": "Ada", "item": "a ladder", "state": "is lost"},
}
NOWHERE = 5  # the number of no order


@check("16-capstone/order-tool", "order_tool")
def order_tool(function: Any) -> None:
    orders = deepcopy(ORDERS)
    made = {customer: function(customer, orders) for customer in ("Ada", "Grace")}
    wrong_unless(orders == ORDERS, "changed")
    for customer, found in made.items():
        returned(found)
        wrong_unless(isinstance(found, BaseTool), "type", got=type(found).__name__)
        wrong_unless(found.name == "find_order", "name", got=found.name)
        asked = found.tool_call_schema.model_json_schema()["properties"]
        wrong_unless(list(asked) == ["number"], "args", got=", ".join(asked))
        wrong_unless(not {"type", "anyOf"}.isdisjoint(asked["number"]), "untyped")
        unknown = told(found, NOWHERE)
        for number, order in ORDERS.items():
            got = told(found, number)
            facts = [order["item"], order["state"]]
            about = {"customer": customer, "number": number, "got": got}
            if order["customer"] == customer:
                missing = [fact for fact in facts if plain(fact) not in plain(got)]
                wrong_unless(not missing, "own", expected=", ".join(missing), **about)
            else:
                shown = [fact for fact in [*facts, order["customer"]] if fact in got]
                wrong_unless(not shown, "leak", **about)
                same = got.replace(str(number), "") == unknown.replace(str(NOWHERE), "")
                wrong_unless(same, "differs", unknown=unknown, **about)
    wrong_unless(orders == ORDERS, "changed")


def told(found: BaseTool, number: int) -> str:
    """Return what a tool tells of an order; raise WrongAnswer where it raises."""
    call = {"name": found.name, "args": {"number": number}, "id": "call_a", "type": "tool_call"}
    try:
        return str(asyncio.run(found.ainvoke(call)).text)
    except ValidationError:  # of the arguments: the error says so itself
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise WrongAnswer("raised", number=number, error=repr(error)) from None


choice("16-capstone/line-up", right="c", wrong="ab")
