"""How the exercises of lesson 01 are judged."""

from __future__ import annotations

import re
from math import isclose, log
from typing import Any

from langchain_core.runnables import RunnableLambda

from helpers.exercises.judging import (
    check,
    choice,
    equal,
    own_parameter,
    returned,
    string,
    wrong_unless,
)
from helpers.exercises.running import captured


@check("01-what-is-a-chat-model/template", "zephyr")
def template(function: Any) -> None:
    messages = [("system", "Be brief."), ("user", "one\ntwo"), ("assistant", "3"), ("user", "4?")]
    turns = "".join(f"<|{role}|>\n{text}</s>\n" for role, text in messages)
    expected = f"{turns}<|assistant|>\n"
    got = function(messages)
    returned(got)
    string(got)
    wrong_unless(got != turns, "open")
    wrong_unless(f"{got}\n" != expected, "newline")
    wrong_unless(not re.fullmatch(re.escape(expected) + r"\s*</s>\s*", got), "closed")
    wrong_unless(got == expected, "other", got=repr(got), expected=repr(expected))


@check("01-what-is-a-chat-model/answer-loss", "answer_loss")
def answer_loss(function: Any) -> None:
    tokens = [("user", "a", 0.1), ("assistant", "b", 0.5), ("user", "c", 0.9)]
    tokens += [("assistant", "d", 0.25), ("assistant", "e", 0.8)]
    got = function(tokens)
    returned(got)
    wrong_unless(isinstance(got, (int, float)), "type", got=type(got).__name__)
    mine = -sum(log(p) for role, _, p in tokens if role == "assistant")
    all_tokens = -sum(log(p) for _, _, p in tokens)
    wrong_unless(not isclose(got, all_tokens / 5), "all")
    wrong_unless(not isclose(got, mine) and not isclose(got, mine / 5), "average")
    wrong_unless(not isclose(got, -mine / 3), "sign")
    own_parameter(got, function([(role, word, p / 2) for role, word, p in tokens]), "tokens")
    wrong_unless(isclose(got, mine / 3), "other", got=got, expected=mine / 3)


@check("01-what-is-a-chat-model/ask", "ask")
def ask(function: Any) -> None:
    heard: list[str] = []
    dialogue = re.compile(
        r"(?:.*\n)?\s*(?P<asks>[^\n:：]+?)\s*[:：]\s*Who speaks\?\s*\n+(?P<answers>[^\n:：]+?)\s*[:：]\s*",
        re.S,
    )

    def go_on(prompt: Any, stop: Any = None) -> str:
        heard.append(str(prompt))
        turns = dialogue.fullmatch(str(prompt))
        text = "\nWho sings?\nWho listens?"
        if turns:
            colon = re.findall(r"\s*[:：]", str(prompt))[-1]
            text = f" The parrot, of course.\n{turns['asks']}{colon} And who sings?\n{turns['answers']}{colon} Nobody."
        for end in [stop] if isinstance(stop, str) else stop or []:
            text = text.split(end)[0]
        return text

    got, _ = captured(lambda: function(RunnableLambda(go_on), "Who speaks?"))
    wrong_unless(bool(heard), "unused")
    wrong_unless("Who speaks?" in heard[-1], "question", got=repr(heard[-1]))
    returned(got)
    wrong_unless(dialogue.fullmatch(heard[-1]) is not None, "dialogue", got=repr(heard[-1]))
    expected = "The parrot, of course."
    wrong_unless("And who sings" not in str(got), "chatter", got=got)
    wrong_unless(str(got).strip() != expected or got == expected, "blank", got=repr(got))
    equal(got, expected)


choice("01-what-is-a-chat-model/received", right="c", wrong="ab")
