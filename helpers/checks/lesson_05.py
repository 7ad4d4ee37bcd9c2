"""How the exercises of lesson 05 are judged."""

from __future__ import annotations

from threading import Lock
from time import sleep
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
)
from langchain_core.runnables import RunnableLambda

from helpers.exercises import WrongAnswer
from helpers.judging import check, choice, wrong_unless


class Desk:
    """Answers each question after a while, fails at "broken", and counts the calls under way."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.now = self.most = 0
        self.model = RunnableLambda(self.answer)

    def answer(self, question: Any) -> AIMessage:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        sleep(0.1)
        with self.lock:
            self.now -= 1
        if question == "broken":
            raise RuntimeError("out of order")
        return AIMessage(f"{question}!")


@check("05-batch/ask-all", "ask_all")
def ask_all(function: Any) -> None:
    desk = Desk()
    questions = ["one", "two", "three", "four"]
    got = function(desk.model, questions)
    wrong_unless(got is not None, "none")
    wrong_unless(isinstance(got, dict), "type", got=type(got).__name__)
    wrong_unless(not any(isinstance(value, BaseMessage) for value in got.values()), "message")
    expected = {question: f"{question}!" for question in questions}
    wrong_unless(got == expected, "other", got=got, expected=expected)
    wrong_unless(desk.most > 1, "slow")


@check("05-batch/survivors", "survivors")
def survivors(function: Any) -> None:
    desk = Desk()
    try:
        got = function(desk.model, ["one", "broken", "three"])
    except RuntimeError as error:
        raise WrongAnswer("escaped", error=error) from None
    wrong_unless(got is not None, "none")
    expected = ["one!", None, "three!"]
    wrong_unless(
        isinstance(got, (list, tuple)) and list(got) == expected,
        "other",
        got=got,
        expected=expected,
    )
    wrong_unless(desk.most > 1, "slow")


@check("05-batch/gentle", "gentle")
def gentle(function: Any) -> None:
    desk = Desk()
    got = function(desk.model, ["one", "two", "three", "four", "five", "six"])
    wrong_unless(got is not None, "none")
    said = [getattr(message, "text", message) for message in got]
    expected = ["one!", "two!", "three!", "four!", "five!", "six!"]
    wrong_unless(said == expected, "other", got=said, expected=expected)
    wrong_unless(desk.most <= 2, "many", got=desk.most)
    wrong_unless(desk.most == 2, "one")


choice("05-batch/order", right="b", wrong="ac")
