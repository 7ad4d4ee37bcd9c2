"""How the exercises of lesson 05 are judged."""

from __future__ import annotations

from threading import Lock
from time import sleep
from typing import Any

from langchain_core.messages import (
    AIMessage,
)
from langchain_core.runnables import RunnableLambda

from helpers.exercises.judging import check, choice, equal, no_messages, returned, wrong_unless
from helpers.exercises.verdict import WrongAnswer

# How long each question takes: of two calls under way, one always ends well before the other.
SECONDS = {"one": 0.3, "two": 0.2, "three": 0.23, "four": 0.17, "five": 0.11, "six": 0.05}
SECONDS["broken"] = 0.1


class Desk:
    """Answers questions, each after a time of its own, fails at "broken", and counts the calls.

    The second question is answered before the first, so that the order of the answers tells how
    they were collected. `most` calls were under way at once; `idle` calls began when none was.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self.now = self.most = self.idle = 0
        self.options: dict[str, Any] = {}
        self.model = RunnableLambda(self.answer)

    def answer(self, question: Any, **options: Any) -> AIMessage:
        with self.lock:
            self.options |= options
            self.idle += self.now == 0
            self.now += 1
            self.most = max(self.most, self.now)
        sleep(SECONDS[question])
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
    wrong_unless(desk.most > 0, "model")
    returned(got)
    wrong_unless(isinstance(got, dict), "type", got=type(got).__name__)
    no_messages(got.values())
    expected = {question: f"{question}!" for question in questions}
    equal(got, expected)
    wrong_unless(desk.most > 1, "one-by-one")


@check("05-batch/survivors", "survivors")
def survivors(function: Any) -> None:
    desk = Desk()
    try:
        got = function(desk.model, ["one", "broken", "three"])
    except RuntimeError as error:
        raise WrongAnswer("escaped", error=error) from None
    wrong_unless(desk.most > 0, "model")
    returned(got)
    results = list(got) if isinstance(got, (list, tuple)) else []
    failures = [result for result in results if isinstance(result, Exception)]
    wrong_unless(not failures, "exception", got=failures)
    no_messages(results)
    expected = ["one!", None, "three!"]
    wrong_unless(results == expected, "other", got=got, expected=expected)
    wrong_unless(desk.most > 1, "one-by-one")


@check("05-batch/gentle", "gentle")
def gentle(function: Any) -> None:
    desk = Desk()
    got = function(desk.model, ["one", "two", "three", "four", "five", "six"])
    wrong_unless(desk.most > 0, "model")
    wrong_unless("max_concurrency" not in desk.options, "option")
    returned(got)
    said = [getattr(message, "text", message) for message in got]
    expected = ["one!", "two!", "three!", "four!", "five!", "six!"]
    wrong_unless(said == expected, "other", got=said, expected=expected)
    wrong_unless(said != list(got), "texts")
    wrong_unless(desk.most <= 2, "many", got=desk.most)
    wrong_unless(desk.most == 2, "one")
    wrong_unless(desk.idle < 3, "pause")  # pairs begin three times when nothing is under way


choice("05-batch/order", right="b", wrong="ac")
