"""What the judges of the exercises share: how one registers, and how one says what is wrong."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_openai import ChatOpenAI

from helpers import backend, i18n
from helpers.exercises.verdict import CHECKS, Check, WrongAnswer

# A word outside Chinese text; what an apostrophe joins is one.
WORD = re.compile(r"[^\W_\u3400-\u9fff]+(?:['’][^\W_\u3400-\u9fff]+)*")
# English "a" and French "a" ahead of another word: not the letter.
LITTLE_WORD = re.compile(r"(?<=\W)(?<!or )(?<!and )(?<!ou )(?<!et )a (?=\w)(?!or |and |ou |et )")


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
        letter = letter_in(str(answer), right + wrong)
        if letter in list(wrong):
            raise WrongAnswer(letter)
        if letter != right:
            letters = sorted(wrong + right)
            raise WrongAnswer("choices", letters=i18n.listed(letters), example=letters[0])


def letter_in(text: str, letters: str) -> str:
    """Return which one of `letters` an answer in words names, "" for none and for several."""
    said = plain(text).strip()
    for words in (LITTLE_WORD.sub("", said), said):
        named = set(WORD.findall(words)) & set(letters)
        if named:
            return named.pop() if len(named) == 1 else ""
    return ""


def plain(text: str) -> str:
    """Return what a person wrote for comparing: without case, and full-width letters as others."""
    return unicodedata.normalize("NFKC", text).casefold()


def wrong_unless(good: bool, key: str, **fields: object) -> None:
    """Raise WrongAnswer(key) unless `good`."""
    if not good:
        raise WrongAnswer(key, **fields)


def returned(got: object, printed: str = "") -> None:
    """Raise WrongAnswer where a function returned nothing, or only `printed` what it should return."""
    wrong_unless(got is not None, "printed" if printed else "none")


def no_message(got: object) -> None:
    """Raise WrongAnswer where a whole message came instead of its text."""
    wrong_unless(not isinstance(got, BaseMessage), "message")


def no_messages(items: Iterable[object]) -> None:
    """Raise WrongAnswer where one of the texts that were asked for is a whole message."""
    wrong_unless(not any(isinstance(item, BaseMessage) for item in items), "messages")


def string(got: object) -> None:
    """Raise WrongAnswer where something came that is no text."""
    wrong_unless(isinstance(got, str), "string", got=type(got).__name__)


def equal(got: object, expected: object) -> None:
    """Raise WrongAnswer where something else came than expected, and nothing better is known of it."""
    wrong_unless(got == expected, "other", got=got, expected=expected)


def own_parameter(got: object, of_another: object, name: str) -> None:
    """Raise WrongAnswer where a function returns the same, `got`, whatever it is given.

    Then it does not use its parameter, but something like the lesson's variable `name`.
    """
    wrong_unless(got != of_another, "parameter", got=got, name=name)


def grown(handed_over: list[Any], name: str) -> None:
    """Raise WrongAnswer where a function left its list `name` empty that it was to add to."""
    wrong_unless(bool(handed_over), "new-list", name=name)


def a_class(answer: object, name: str) -> None:
    """Raise WrongAnswer where an object was handed over instead of its class, `name`."""
    wrong_unless(isinstance(answer, type), "instance", name=name)


def chunks(*texts: str) -> Iterator[AIMessageChunk]:
    """Stream chunks with these texts, as a model does."""
    for text in texts:
        yield AIMessageChunk(content=text)


def answer_of(question: str) -> str:
    """Return the chat model's answer to `question`."""
    return ChatOpenAI(model=backend.current_model()).invoke(question).text
