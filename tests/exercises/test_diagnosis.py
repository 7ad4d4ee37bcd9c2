"""Tests of mistakes that are recognized in every exercise."""

from __future__ import annotations

import gc
import warnings
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

import helpers
from helpers.exercises import exercise

NAMES: dict[str, Any] = {}


def written(code: str) -> Any:
    """Return the last thing that a learner's cell defines, in a notebook that has defined NAMES."""
    names = dict(NAMES, chat=RunnableLambda(str.upper), answer=[1], ChatOpenAI=ChatOpenAI)
    exec(compile(code, "<cell>", "exec"), names)
    return list(names.values())[-1]


def test_a_coroutine_that_was_handed_over_leaves_no_warning() -> None:
    async def both(*_: Any) -> None: ...

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = exercise("06-async/both").judge(both(1, 2, 3))
        gc.collect()
    assert "Hand over the function or class itself" in result.text


@pytest.mark.filterwarnings("ignore:.*is not default parameter")
@pytest.mark.parametrize(
    ("name", "code", "key", "said"),
    [
        (
            "04-stream/first-token",
            "def f(stream): return answer[0]",
            "whole",
            "its parameter `stream`",
        ),
        ("04-stream/first-token", "def f(stream): return chat.txt", "raised", "`chat` instead"),
        (
            "01-what-is-a-chat-model/ask",
            "def f(one, two): return chat.invoke(two)",
            "unused",
            "`chat`",
        ),
        (
            "04-stream/first-token",
            "async def g(): pass\ndef f(stream): return g()",
            "unawaited",
            "`coroutine`",
        ),
        (
            "05-batch/ask-all",
            "def f(model, questions): return {q: model.ainvoke(q).text for q in questions}",
            "used-unawaited",
            "Is an `await` missing?",
        ),
        (
            "05-batch/ask-all",
            "def f(model, questions): return ChatOpenAI(model='m', max_token=8).batch(questions)",
            "misspelt",
            "`max_tokens` meant?",
        ),
        (
            "05-batch/ask-all",
            "def f(model, questions): return dict(questions, wrongly=print(sep='', ends=''))",
            "raised",
            "ended in `TypeError: ",
        ),
        (
            "03-invoke/say",
            "def f(model, history, text):\n history = history + [text]\n"
            " return model.invoke(history).text",
            "new-list",
            "`history = history + [...]`",
        ),
    ],
)
def test_what_is_wrong_everywhere_is_said_everywhere(
    name: str, code: str, key: str, said: str
) -> None:
    helpers.start("en", builtin=True)
    result = exercise(name).judge(written(code))
    assert (result.key, said in result.text) == (key, True), result
