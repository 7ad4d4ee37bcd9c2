"""How the exercises of lesson 10 are judged."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from unittest import mock

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatResult

from helpers.exercises.judging import check, plain, returned, wrong_unless
from helpers.exercises.verdict import WrongAnswer
from helpers.views import providers

NAME = {"model_name": "a-model"}
USAGE: Any = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


class Prepared(BaseChatModel):
    """Gives the same answer each time, and keeps the last text of each call."""

    answer: AIMessage
    heard: list[str] = []

    @property
    def _llm_type(self) -> str:
        return "prepared"

    def _generate(self, messages: list[BaseMessage], *_: Any, **options: Any) -> ChatResult:
        self.heard.append(messages[-1].text)
        return ChatResult(generations=[ChatGeneration(message=self.answer)])


@check("10-providers/ask", "ask")
def ask(function: Any) -> None:
    own: Any = {**NAME, "token_usage": {"total_tokens": 7}}
    block: Any = {"type": "text", "text": "Two."}
    more: Any = {**USAGE, "output_tokens": 6, "total_tokens": 9}
    answers = [
        AIMessage("One.", usage_metadata=USAGE, response_metadata=own),
        AIMessage([block], usage_metadata=more, response_metadata=NAME),
        AIMessage("Three.", response_metadata=NAME),
    ]
    for number, answer in enumerate(answers):
        model, question = Prepared(answer=answer), f"Question {number}?"
        expected = answer.usage_metadata and answer.usage_metadata["total_tokens"]
        try:
            got = function(model, question)
        except (KeyError, TypeError, AttributeError) as error:
            if number == 0:  # an ordinary slip: shown with its line
                raise
            # A missing key, or None where tokens were counted: a field of one provider's own.
            if isinstance(error, KeyError) or (number == 1 and "NoneType" in str(error)):
                raise WrongAnswer("own", error=repr(error)) from None
            if number == 1:
                raise WrongAnswer("text", expected=answer.text, got=repr(error)) from None
            raise WrongAnswer("uncounted", got=repr(error)) from None
        returned(got)
        wrong_unless(bool(model.heard), "model")
        wrong_unless(model.heard[-1:] == [question], "unasked", expected=question, got=model.heard)
        wrong_unless(isinstance(got, (tuple, list)) and len(got) == 2, "shape", got=got)
        wrong_unless(got[0] == answer.text, "text", expected=answer.text, got=got[0])
        key = "uncounted" if expected is None else "tokens"
        right = got[1] is None if expected is None else got[1] == expected
        wrong_unless(right, key, expected=expected, got=repr(got[1]))


@check("10-providers/ending", "ending")
def ending(function: Any) -> None:
    call: Any = {"name": "weather", "args": {"city": "Paris"}, "id": "call_1"}
    tried: list[tuple[AIMessage, str | None]] = []
    for provider in providers.load():
        key = provider["reason"]
        for meaning in ("done", "cut", "tools"):
            message = AIMessage(
                "length, stop",
                response_metadata={"model_name": "a-model", key: provider[meaning]},
                tool_calls=[call] if meaning == "tools" else [],
            )
            tried.append((message, meaning))
    others: list[dict[str, Any]] = [
        {},
        {"finish_reason": None},
        {"finish_reason": "content_filter", "model_name": "stop"},
        {"stop_reason": "refusal", "stop_sequence": None},
        {"finish_reason": "SAFETY"},
    ]
    tried += [(AIMessage("done", response_metadata=other), None) for other in others]
    for message, expected in tried:
        given = message.response_metadata
        try:
            got = function(message)
        except (KeyError, AttributeError, TypeError) as error:
            raise WrongAnswer("missing", given=given, error=repr(error)) from None
        key = {"tools": "tools", None: "unknown"}.get(expected, "other")
        wrong_unless(got == expected, key, given=given, expected=expected, got=repr(got))


class Made:
    """What a maker of `pick` returns: which provider it was, and the model's name."""

    def __init__(self, provider: str, model: str) -> None:
        self.said = f"{provider}: {model}"

    def __repr__(self) -> str:
        return self.said


@check("10-providers/pick", "pick")
def pick(function: Any) -> None:
    made: list[Made] = []

    def maker(provider: str) -> Callable[..., Made]:
        def make(*, model: str) -> Made:
            made.append(Made(provider, model))
            return made[-1]

        return make

    def outcome(given: str | None) -> Any:
        """Return what the function returns or raises with CHAT_MODEL as given, None: not set."""
        made.clear()
        with mock.patch.dict(os.environ, {} if given is None else {"CHAT_MODEL": given}):
            if given is None:
                os.environ.pop("CHAT_MODEL", None)
            try:
                return function({name: maker(name) for name in ("openai", "acme", "zenith")})
            except (LookupError, ValueError, TypeError, AttributeError, AssertionError) as error:
                return error

    right = {"openai:gpt-6-luna": "model", "acme:some/model": "model", "zenith:llama3:8b": "colon"}
    for given, key in right.items():
        got = outcome(given)
        returned(got)
        expected = ": ".join(given.split(":", 1))
        good = any(got is model for model in made) and got.said == expected
        wrong_unless(good, key, given=given, expected=given.partition(":")[2], got=repr(got))
        wrong_unless(len(made) == 1, "every")
    for wrong in (None, "", "gpt-6-luna", "acme", "nobody:gpt-6-luna"):
        shown = "unset CHAT_MODEL" if wrong is None else f"CHAT_MODEL={wrong}"
        got = outcome(wrong)
        wrong_unless(isinstance(got, ValueError), "error", given=shown, got=repr(got))
        known = ("openai", "acme", "zenith")
        named = all(name in plain(str(got)) for name in known)
        wrong_unless(named, "silent", given=shown, expected=", ".join(known), got=str(got))


def first_line(text: str) -> str:
    return text.strip().split("\n")[0].strip()


# Each does what a `headline` should, in its own way.
GOOD: dict[str, Callable[[Any, str], Any]] = {
    "invoke": lambda model, text: first_line(model.invoke(f"A headline: {text}").text),
    "stream": lambda model, text: first_line(
        "".join(c.text for c in model.stream([("human", text)]))
    ),
    "chain": lambda model, text: first_line((model | StrOutputParser()).invoke(text)),
}


def answer_to(model: Any, text: str) -> str:
    return str(model.invoke(text).text)


# Each makes one mistake, under the key of the message for a test that does not notice.
BROKEN: list[tuple[str, Callable[[Any, str], Any]]] = [
    ("whole", lambda model, text: answer_to(model, text).strip()),
    ("whole", lambda model, text: " ".join(answer_to(model, text).split())),
    ("spaces", lambda model, text: answer_to(model, text).split("\n")[0]),
    ("spaces", lambda model, text: answer_to(model, text).split("\n")[0].lstrip()),
    ("spaces", lambda model, text: answer_to(model, text).split("\n")[0].rstrip()),
    ("message", lambda model, text: AIMessage(first_line(answer_to(model, text)))),
]


@check("10-providers/title-test", "check_headline")
def title_test(function: Any) -> None:
    from pytest import fail

    failed = fail.Exception  # which is no Exception
    seen: list[tuple[Any, Any]] = []
    for variant, good in GOOD.items():

        def headline(model: Any, text: Any, good: Any = good) -> Any:
            result = good(model, text) if hasattr(model, "invoke") else None
            seen.append((model, result))
            return result

        try:
            function(headline)
        except (Exception, failed) as error:
            wrong_unless(bool(seen), "early", error=repr(error))
            wrong_unless(any(result is not None for _, result in seen), "unused")
            raise WrongAnswer("refused", variant=variant, error=repr(error)) from None
    wrong_unless(any(result is not None for _, result in seen), "unused")
    always = next(result for _, result in seen if result is not None)
    every = [*BROKEN, ("constant", lambda model, text: always)]
    missed: list[WrongAnswer] = []
    for key, broken in every:
        try:
            function(broken)
        except (AssertionError, failed):
            continue
        except Exception as error:
            missed.append(WrongAnswer("kind", error=repr(error)))
        else:
            missed.append(WrongAnswer(key))
    wrong_unless([wrong.key for wrong in missed] != [key for key, _ in every], "mute")
    if missed:
        raise missed[0]
