"""How the exercises of lesson 00 are judged."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import (
    BaseMessage,
)
from langchain_openai import ChatOpenAI

from helpers import backend
from helpers.builtin import MODEL as BUILT_IN
from helpers.exercises.judging import (
    answer_of,
    check,
    choice,
    no_message,
    plain,
    returned,
    wrong_unless,
)
from helpers.exercises.running import captured


@check("00-start/hello", "greeting")
def hello(greeting: Any) -> None:
    wrong_unless(not isinstance(greeting, BaseMessage), "message")
    wrong_unless(isinstance(greeting, str), "type", got=type(greeting).__name__)
    wrong_unless(not greeting.startswith("content="), "repr")
    questions = ("", "hello!", "你好!", "bonjour !")
    wrong_unless(plain(greeting).strip() not in questions, "question", got=greeting)
    if backend.current_model() == BUILT_IN:  # which always answers alike
        answers = [answer_of(hello) for hello in ("Hello!", "你好！", "Bonjour !")]
        wrong_unless(greeting in answers, "question", got=greeting)


@check("00-start/ask", "ask")
def ask(function: Any) -> None:
    answer, printed = captured(lambda: function("What is a token?"))
    returned(answer, printed)
    wrong_unless(isinstance(answer, (tuple, list)) and len(answer) == 2, "shape", got=answer)
    name, text = answer
    no_message(text)
    wrong_unless(isinstance(text, str) and text.strip() != "", "shape", got=answer)
    # A service may go by a longer name than the one it was asked for: see which.
    called = (
        ChatOpenAI(model=backend.current_model()).invoke("Hello!").response_metadata["model_name"]
    )
    wrong_unless(text != called, "swapped")
    wrong_unless(name == called, "name", got=name)
    if backend.current_model() == BUILT_IN:
        wrong_unless(text == answer_of("What is a token?"), "text", got=text)


choice("00-start/both", right="b", wrong="ac")
