"""How the exercises of lesson 06 are judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from threading import Lock
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from helpers.exercises.awaiting import run
from helpers.exercises.judging import check, choice, no_message, no_messages, returned, wrong_unless
from helpers.exercises.verdict import WrongAnswer

# How long each question takes, in seconds: the second is answered before the first.
SECONDS = {"one": 0.3, "two": 0.2, "three": 0.23, "four": 0.17, "five": 0.11, "six": 0.05}
# Questions that take longer than the time that is allowed for them, or than a constant.
SLOW = {"seven": 0.9, "slow": 1.5}


class Desk:
    """Answers questions, in the event loop or in a thread, and counts the calls.

    `most` were under way at once, `idle` began when none was, and `running` have not ended.
    """

    def __init__(self) -> None:
        self.most = self.running = self.idle = 0
        self.lock = Lock()
        self.model = RunnableLambda(self.block, afunc=self.answer)

    def begin(self) -> None:
        with self.lock:
            self.idle += self.running == 0
            self.running += 1
            self.most = max(self.most, self.running)

    def end(self) -> None:
        with self.lock:
            self.running -= 1

    def block(self, question: Any) -> AIMessage:
        self.begin()
        time.sleep(SECONDS.get(question, 0.4))
        self.end()
        return AIMessage(f"{question}!")

    async def answer(self, question: Any) -> AIMessage:
        self.begin()
        try:
            await asyncio.sleep(SLOW[question] if question in SLOW else SECONDS[question])
        finally:
            self.end()
        return AIMessage(f"{question}!")


@check("06-async/both", "both")
def both(function: Any) -> None:
    desk = Desk()
    got, free = run(function, desk.model, "one", "two")
    wrong_unless(desk.most > 0, "model")
    wrong_unless(free, "blocked")
    returned(got)
    results = list(got) if isinstance(got, (list, tuple)) else [got]
    no_messages(results)
    expected = ["one!", "two!"]
    wrong_unless(results == expected, "other", got=got, expected=expected)
    wrong_unless(desk.most == 2, "slow")


@check("06-async/within", "within")
def within(function: Any) -> None:
    desk = Desk()
    begun = time.perf_counter()
    got, _ = run(function, desk.model, "six", 3)
    wrong_unless(desk.most > 0, "model")
    wrong_unless(time.perf_counter() - begun < 1.5, "waits")
    returned(got)
    no_message(got)
    wrong_unless(got == "six!", "other", got=repr(got), expected="'six!'")
    got, free = run(function, desk.model, "seven", 3)
    wrong_unless(free, "blocked")
    wrong_unless(got == "seven!", "constant", got=got, seconds=3)
    begun = time.perf_counter()
    left: list[int] = []
    try:
        got, free = run(function, desk.model, "slow", 0.2, after=lambda: left.append(desk.running))
    except TimeoutError as error:
        raise WrongAnswer("escaped", error=type(error).__name__) from None
    wrong_unless(free, "blocked")
    wrong_unless(time.perf_counter() - begun < 0.8, "late")
    wrong_unless(got is None, "other", got=repr(got), expected=None)
    wrong_unless(left == [0], "running")


@check("06-async/gated", "gated")
def gated(function: Any) -> None:
    desk = Desk()
    made: list[Coroutine[Any, Any, str]] = []

    async def ask(question: str) -> str:
        return str((await desk.answer(question)).text)

    def asker(question: str) -> Callable[[], Any]:
        def asked() -> Any:
            made.append(ask(question))
            return made[-1]

        return asked

    try:
        got, _ = run(function, [asker(question) for question in SECONDS], 2)
    except RuntimeError as error:
        raise WrongAnswer("loop") if "different event loop" in str(error) else error from None
    finally:
        for coroutine in made:  # those that an answer has left are put out of the way
            coroutine.close()
    returned(got)
    wrong_unless(isinstance(got, (list, tuple)), "type", got=type(got).__name__)
    expected = [f"{question}!" for question in SECONDS]
    wrong_unless(desk.most <= 2, "many", got=desk.most, limit=2)
    wrong_unless(list(got) == expected, "other", got=got, expected=expected)
    wrong_unless(desk.most == 2, "few", got=desk.most, limit=2)
    wrong_unless(desk.idle < 3, "pause")  # pairs begin three times when nothing is under way
    desk = Desk()  # which the askers answer from now on
    run(function, [asker(question) for question in SECONDS], 3)
    wrong_unless(desk.most <= 3, "many", got=desk.most, limit=3)
    wrong_unless(desk.most == 3, "few", got=desk.most, limit=3)


choice("06-async/blocked", right="c", wrong="ab")
