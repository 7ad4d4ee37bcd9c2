"""How the exercises of lesson 03 are judged."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    convert_to_messages,
)
from langchain_core.runnables import RunnableLambda

from helpers.exercises.judging import check, choice, grown, no_message, returned, wrong_unless
from helpers.exercises.verdict import WrongAnswer


@check("03-invoke/brief", "brief")
def brief(model: Any) -> None:
    wrong_unless(not isinstance(model, BaseMessage), "message")
    wrong_unless(callable(getattr(model, "invoke", None)), "type", got=type(model).__name__)
    answers = [model.invoke(question) for question in ("What is a token?", "What is overfitting?")]
    lengths = [answer.usage_metadata["output_tokens"] for answer in answers]
    wrong_unless(max(lengths) <= 8, "long", got=max(lengths))
    wrong_unless(min(lengths) == 8, "little", got=min(lengths))


@check("03-invoke/is-cut", "is_cut")
def is_cut(function: Any) -> None:
    for reason in ("length", "stop", "tool_calls"):
        given = {"finish_reason": reason}
        got = function(AIMessage("What length?", response_metadata=given))
        returned(got)
        expected = reason == "length"
        wrong_unless(got is expected, "other", given=given, expected=expected, got=repr(got))
    try:
        got = function(AIMessage("x"))
    except KeyError:
        raise WrongAnswer("missing") from None
    wrong_unless(got is False, "other", given={}, expected=False, got=repr(got))


@check("03-invoke/say", "say")
def say(function: Any) -> None:
    sent: list[list[BaseMessage]] = []

    def echo(messages: Any) -> AIMessage:
        sent.append([*convert_to_messages([messages] if isinstance(messages, str) else messages)])
        return AIMessage(f"reply {len(sent)}")

    history: list[Any] = []
    for turn in (1, 2):
        got = function(RunnableLambda(echo), history, f"question {turn}")
        wrong_unless(len(sent) > 0, "model")
        last = [message.text for message in sent[-1]]
        heard = len(sent) == turn and last[-1:] == [f"question {turn}"]
        wrong_unless(heard, "unheard", got=last)
        returned(got)
        no_message(got)
        wrong_unless(got == f"reply {turn}", "other", got=got, expected=f"reply {turn}")
        grown(history, "history")
        strings = [entry for entry in history if isinstance(entry, str) and "reply" in entry]
        wrong_unless(not strings, "texts", got=strings)
    turns = [("human", "question 1"), ("ai", "reply 1"), ("human", "question 2"), ("ai", "reply 2")]
    kept, heard_last = (
        [(message.type, message.text) for message in convert_to_messages(messages)]
        for messages in (history, sent[1])
    )
    wrong_unless(kept == turns or len(kept) < 4, "kept", got=kept)
    wrong_unless(heard_last == turns[:3], "forgot", got=heard_last)
    wrong_unless(kept == turns, "kept", got=kept)


choice("03-invoke/next-call", right="b", wrong="ac")
