"""What the judges of the exercises share: how one registers, and how one says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

from helpers import backend, i18n
from helpers.exercises.verdict import CHECKS, Check, WrongAnswer


def check(name: str, *names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register the decorated function as the judge of exercise `name`, whose answers are `names`.

    The function gets the answers' values and raises WrongAnswer with the key of a message.
    """

    def register(judge: Callable[..., None]) -> Callable[..., None]:
        CHECKS[name] = Check(names, judge)
        return judge

    return register


def choice(name: str, right: str, wrong: str) -> None:
    """Register a multiple-choice question: one letter is right, each other one has its own message."""

    @check(name, "answer")
    def judge(answer: object) -> None:
        said = re.match(r"\W*([a-z])(?!\w)", str(answer).lower())  # "b", "b)", "b) the server"
        letter = said[1] if said else ""
        if letter in list(wrong):
            raise WrongAnswer(letter)
        if letter != right:
            letters = sorted(wrong + right)
            raise WrongAnswer("choices", letters=i18n.listed(letters), example=letters[0])


def wrong_unless(good: bool, key: str, **fields: object) -> None:
    """Raise WrongAnswer(key) unless `good`."""
    if not good:
        raise WrongAnswer(key, **fields)


def chunks(*texts: str) -> Iterator[AIMessageChunk]:
    """Stream chunks with these texts, as a model does."""
    for text in texts:
        yield AIMessageChunk(content=text)


def answer_of(question: str) -> str:
    """Return the chat model's answer to `question`."""
    return ChatOpenAI(model=backend.model).invoke(question).text
