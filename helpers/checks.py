"""How each exercise is judged: by what the answer does. A lesson's source holds the messages."""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from time import sleep
from typing import Any
from unittest import mock

import tenacity
from langchain_core.exceptions import (
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelRateLimitError,
    ModelTimeoutError,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

from helpers import backend, faults
from helpers.exercises import CHECKS, Check, WrongAnswer, captured
from helpers.server import MODEL as BUILT_IN


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
            raise WrongAnswer(
                "choices", letters=", ".join(sorted(wrong + right)), example=min(wrong + right)
            )


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


@check("00-start/hello", "greeting")
def hello(greeting: Any) -> None:
    wrong_unless(not isinstance(greeting, BaseMessage), "message")
    wrong_unless(isinstance(greeting, str), "type", got=type(greeting).__name__)
    wrong_unless(not greeting.startswith("content="), "repr")
    wrong_unless(
        greeting.strip() not in ("", "Hello!", "你好！", "Bonjour !"), "question", got=greeting
    )
    if backend.model == BUILT_IN:  # which always answers alike
        answers = [answer_of(hello) for hello in ("Hello!", "你好！", "Bonjour !")]
        wrong_unless(greeting in answers, "question", got=greeting)


@check("00-start/ask", "ask")
def ask(function: Any) -> None:
    answer, printed = captured(lambda: function("What is a token?"))
    wrong_unless(answer is not None, "none" if not printed else "printed")
    wrong_unless(isinstance(answer, (tuple, list)) and len(answer) == 2, "shape", got=answer)
    name, text = answer
    wrong_unless(not isinstance(text, BaseMessage), "message")
    wrong_unless(isinstance(text, str) and text.strip() != "", "shape", got=answer)
    # A service may go by a longer name than the one it was asked for: see which.
    called = ChatOpenAI(model=backend.model).invoke("Hello!").response_metadata["model_name"]
    wrong_unless(text != called, "swapped")
    wrong_unless(name == called, "name", got=name)
    if backend.model == BUILT_IN:
        wrong_unless(text == answer_of("What is a token?"), "text", got=text)


choice("00-start/both", right="b", wrong="ac")


@check("02-messages/pirate", "talk")
def pirate(talk: Any) -> None:
    wrong_unless(not isinstance(talk, ChatPromptTemplate), "template")
    wrong_unless(isinstance(talk, (list, tuple, PromptValue)), "type", got=type(talk).__name__)
    messages = convert_to_messages(talk)
    wrong_unless(len(messages) == 2, "count", got=len(messages))
    types = [message.type for message in messages]
    wrong_unless(types != ["human", "system"], "order")
    wrong_unless(types == ["system", "human"], "types", got=", ".join(types))
    rule, question = (message.text for message in messages)
    wrong_unless(any(word in rule.lower() for word in ("pirate", "海盗")), "rule", got=rule)
    wrong_unless(any(word in question for word in ("France", "法国")), "question", got=question)


@check("02-messages/texts", "said_by_people")
def texts(function: Any) -> None:
    picture: list[str | dict[Any, Any]] = [
        {"type": "image", "url": "https://example.org/x.png"},
        {"type": "text", "text": "two"},
    ]
    people = [HumanMessage("one"), HumanMessage(picture), HumanMessage("one")]
    messages = [SystemMessage("rule"), people[0], AIMessage("answer"), *people[1:]]
    got, printed = captured(lambda: function(messages))
    wrong_unless(got is not None, "printed" if printed else "none")
    wrong_unless(not isinstance(got, str), "missing", got=got)
    got = list(got)
    wrong_unless(not any(isinstance(text, BaseMessage) for text in got), "messages")
    wrong_unless(all(isinstance(text, str) for text in got), "blocks", got=got)
    wrong_unless(not {"rule", "answer"} & set(got), "others", got=got)
    wrong_unless(got == ["one", "two", "one"], "missing", got=got)
    wrong_unless(
        list(function([AIMessage("alone")])) == [], "others", got=function([AIMessage("alone")])
    )


@check("02-messages/save-load", "save", "load")
def save_load(save: Any, load: Any) -> None:
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    call = {"name": "weather", "args": {"city": "巴黎"}, "id": "call_1"}
    messages = [
        HumanMessage("你好 🦜", name="ada"),
        AIMessage(
            "", tool_calls=[call], usage_metadata=usage, response_metadata={"model_name": "m"}
        ),
        ToolMessage("14 °C", tool_call_id="call_1"),
        AIMessage("Ça va.", id="run-1"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "talk.json")
        save(messages, path)
        wrong_unless(path.is_file(), "nothing")
        loaded = load(path)
        save(messages[:1], path)
        again = load(path)
    wrong_unless(loaded is not None, "none")
    wrong_unless(
        isinstance(loaded, (list, tuple)) and all(isinstance(m, BaseMessage) for m in loaded),
        "type",
        got=type(loaded[0]).__name__
        if isinstance(loaded, (list, tuple)) and loaded
        else type(loaded).__name__,
    )
    wrong_unless(len(loaded) == len(messages), "count", got=len(loaded), expected=len(messages))
    wrong_unless(list(loaded) == messages, "lossy")
    wrong_unless(list(again) == messages[:1], "again")


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
        wrong_unless(got is not None, "none")
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
        wrong_unless(got is not None, "none")
        wrong_unless(not isinstance(got, BaseMessage), "message")
        wrong_unless(got == f"reply {turn}", "other", got=got, expected=f"reply {turn}")
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


@check("04-stream/first-token", "first_token")
def first_token(function: Any) -> None:
    taken: list[str] = []

    def stream() -> Iterator[AIMessageChunk]:
        for chunk in chunks("", "Par", "is", " is", " big"):
            taken.append(chunk.text)
            yield chunk

    got, printed = captured(lambda: function(stream()))
    wrong_unless(got is not None, "printed" if printed else "none")
    wrong_unless(not isinstance(got, BaseMessage), "chunk")
    wrong_unless(got != "", "empty")
    wrong_unless(got == "Par", "whole", got=got)
    wrong_unless(len(taken) == 2, "greedy", got=len(taken))
    for pieces in (("", "", " A", "b"), ("x", "y")):
        got, expected = function(chunks(*pieces)), next(filter(None, pieces))
        wrong_unless(got == expected, "other", got=repr(got), expected=repr(expected))


@check("04-stream/collect", "show_and_keep")
def collect(function: Any) -> None:
    seen: list[str] = []
    printed = io.StringIO()

    def stream() -> Iterator[AIMessageChunk]:
        for chunk in chunks("Par", "is", "."):
            seen.append(printed.getvalue())
            yield chunk
        yield AIMessageChunk(content="", response_metadata={"finish_reason": "stop"})

    got, shown = captured(lambda: function(stream()), printed)
    wrong_unless(got is not None, "none")
    wrong_unless(isinstance(got, AIMessageChunk), "text", got=type(got).__name__)
    wrong_unless(got.text == "Paris.", "sum", got=got.text)
    wrong_unless(got.response_metadata == {"finish_reason": "stop"}, "rebuilt")
    wrong_unless(shown != "", "silent")
    wrong_unless(shown.replace("\n", "") == "Paris.", "printed", got=shown)
    wrong_unless("\n" not in shown.rstrip("\n"), "newlines")
    wrong_unless(seen[-1].strip() == "Paris", "late")


@check("04-stream/sentence", "first_sentence")
def sentence(function: Any) -> None:
    taken: list[str] = []

    def speech() -> Iterator[AIMessageChunk]:
        for chunk in chunks("", "Hello", " there", ". How", " are", " you?"):
            taken.append(chunk.text)
            yield chunk

    stream = speech()
    got = function(stream)
    wrong_unless(got is not None, "none")
    wrong_unless(got != "Hello there. How", "beyond")
    wrong_unless(got != "Hello there", "without")
    wrong_unless(got == "Hello there.", "other", got=got, expected="Hello there.")
    wrong_unless(len(taken) == 4, "greedy")
    wrong_unless(stream.gi_frame is None, "open")  # type: ignore[attr-defined]
    for pieces, expected in ((("你好", "。再", "见。"), "你好。"), (("no", " stop"), "no stop")):
        got = function(chunks(*pieces))
        wrong_unless(got == expected, "other", got=got, expected=expected)


choice("04-stream/pieces", right="a", wrong="bc")


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


def without_waiting() -> Any:
    """Let `with_retry` try again at once: what is judged is how often, not how patiently."""
    return mock.patch.object(tenacity.nap, "time", mock.Mock())


@check("11-when-things-go-wrong/patient", "steadfast")
def patient(model: Any) -> None:
    wrong_unless(callable(getattr(model, "invoke", None)), "type", got=type(model).__name__)
    with without_waiting(), faults.rate_limit(retry_after=0.01, times=4) as calls:
        try:
            model.invoke("Hello!")
        except ModelRateLimitError:
            raise WrongAnswer("once" if len(calls) == 1 else "few", calls=calls) from None
    with without_waiting(), faults.wrong_key(times=2) as calls:
        with contextlib.suppress(ModelError):
            model.invoke("What is a token?")  # another question: there may be a cache
        wrong_unless(len(calls) == 1, "eager", calls=calls)


@check("11-when-things-go-wrong/ask", "ask")
def ask_in_a_storm(function: Any) -> None:
    model = ChatOpenAI(model="another", max_retries=0, timeout=1)
    for question in ("What is a token?", "Hello!"):
        with faults.none(model="another") as calls:
            got, expected = function(model, question), answer_of(question)
        wrong_unless(
            len(calls) > 0, "text" if got == question else "model", got=got, expected=expected
        )
        wrong_unless(got is not None, "none")
        wrong_unless(not isinstance(got, BaseMessage), "message")
        wrong_unless(got == expected, "text", got=got, expected=expected)
    temporary: dict[str, Callable[[], faults.Calls]] = {
        "rate_limit()": faults.rate_limit,
        "server_error()": faults.server_error,
        "refused()": faults.refused,
        "slow(seconds=10)": lambda: faults.slow(10),
    }
    for fault, provoke in temporary.items():
        with without_waiting(), provoke():
            try:
                got = function(model, "Hello!")
            except ModelError as error:
                raise WrongAnswer("escaped", fault=fault, error=type(error).__name__) from None
        wrong_unless(got is None, "something", fault=fault, got=repr(got))
    for mistake in (faults.wrong_key, faults.unknown_model):
        with mistake(), contextlib.suppress(ModelAuthenticationError, ModelNotFoundError):
            got = function(model, "Hello!")
            raise WrongAnswer("swallowed", fault=f"{mistake.__name__}()", got=got)


@check("11-when-things-go-wrong/keep", "keep")
def keep(function: Any) -> None:
    def late() -> Iterator[AIMessageChunk]:
        yield from chunks("", "A", " grey", "")
        raise ModelTimeoutError("Request timed out.")

    model = ChatOpenAI(model=BUILT_IN, max_retries=0)
    block = AIMessageChunk(content=[{"type": "text", "text": "."}])
    streams: list[tuple[Iterator[Any], tuple[str, bool]]] = [
        (iter([*chunks("", "A grey", "", " parrot"), block]), ("A grey parrot.", True)),
        (model.stream("Hello!"), ("Hello!", False)),
        (late(), ("A grey", False)),
    ]
    for stream, expected in streams:
        with faults.cut(after=2):
            try:
                got = function(stream)
            except ModelError as error:
                raise WrongAnswer("escaped", error=type(error).__name__) from None
        wrong_unless(got is not None, "none")
        wrong_unless(isinstance(got, (tuple, list)) and len(got) == 2, "shape", got=got)
        text, complete = got
        wrong_unless(isinstance(text, str) and isinstance(complete, bool), "shape", got=got)
        key = "whole" if expected[1] else "lost"
        wrong_unless(text == expected[0], key, got=text, expected=expected[0])
        wrong_unless(complete is expected[1], "flag")


choice("11-when-things-go-wrong/count", right="c", wrong="ab")


@check("13-parrot-link/small", "small")
def small(parrot: Any) -> None:
    wrong_unless(not isinstance(parrot, type), "class")
    wrong_unless(isinstance(parrot, BaseChatModel), "type", got=type(parrot).__name__)
    said = parrot.invoke("abracadabra").text
    wrong_unless(said == "abrac", "length", got=said)
    wrong_unless(getattr(parrot, "model_name", None) == "parrot-small", "model")


@check("13-parrot-link/shout", "ChatShout")
def shout(model: Any) -> None:
    wrong_unless(isinstance(model, type), "instance")
    blocks = HumanMessage([{"type": "text", "text": "abra"}])
    try:
        said = model().invoke([HumanMessage("first"), HumanMessage("Cadabra")]).text
    except AttributeError as error:
        raise WrongAnswer("result") if "generations" in str(error) else error from None
    wrong_unless(said != "FIRST", "last")
    wrong_unless(said == "CADABRA", "other", got=said, expected="CADABRA")
    try:
        said = model().invoke([blocks]).text
    except AttributeError as error:
        raise WrongAnswer("blocks") if "upper" in str(error) else error from None
    wrong_unless(said == "ABRA", "blocks")


@check("13-parrot-link/words-streamed", "WordParrot")
def words(model: Any) -> None:
    wrong_unless(isinstance(model, type), "instance")
    parrot = model(model="parrot-1", parrot_buffer_length=16)
    heard = "one two  three four"
    try:
        pieces = [chunk.text for chunk in parrot.stream(heard) if chunk.text]
    except AttributeError as error:
        raise WrongAnswer("bare") if "message" in str(error) else error from None
    said = parrot.invoke(heard).text
    wrong_unless("".join(pieces) != heard, "buffer")
    wrong_unless("".join(pieces) != "".join(said.split()), "lost", got=pieces)
    wrong_unless("".join(pieces) == said, "other", got=pieces)
    wrong_unless(pieces == ["one ", "two  ", "three ", "f"], "letters", got=pieces)
