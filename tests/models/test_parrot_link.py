"""ChatParrotLink: LangChain's own suites, and what they do not look at.

COURSE_FUZZ=N tries N cases of each property, other ones each time; without it they are fewer and
always the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Self

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.exceptions import ModelInvalidRequestError, ModelTimeoutError
from langchain_core.language_models import BaseChatModel, ModelProfile
from langchain_core.load import dumpd, dumps, load, loads
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    messages_from_dict,
    messages_to_dict,
    trim_messages,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.version import VERSION
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from pydantic import (
    AliasChoices,
    AliasPath,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from helpers.models.parrot_link import ChatParrotLink, __version__, characters, cut_at_stop
from tests.builtin.test_langchain_suite import Reports, local_file
from tests.models import bench_parrot

SETTINGS = ChatParrotLink._settings()
FAMILY = "👨‍👩‍👧"
ASYNC_WAYS = ("ainvoke", "abatch", "astream", "astream_log", "astream_events")


@pytest.fixture(scope="module", autouse=True)
def nothing_is_fetched_or_traced() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGSMITH_TRACING_V2", "false")
        patch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nothing is fetched")
        patch.setattr(httpx, "get", local_file)
        yield


def parrot(**given: Any) -> ChatParrotLink:
    return ChatParrotLink(**{"parrot_buffer_length": 100, **given})


# LangChain's own suites

# Why the suites skip what they skip: all of it is beyond a parrot.
SKIPPED = {
    "init_from_env_params not specified.": "a parrot reads nothing from the environment",
    "Model is not serializable.": "LangChain loads only the classes of its own packages",
    "Test requires tool calling.": "bind_tools refuses",
    "Test requires tool calling support.": "bind_tools refuses",
    "Test requires tool choice.": "bind_tools refuses",
    "Test requires structured output.": "with_structured_output refuses",
    "Test requires json mode support.": "with_structured_output refuses",
    "Model does not support image tool message.": "those tests bind a tool",
    "Model does not support PDF tool message.": "those tests bind a tool",
    "Model does not explicitly support Anthropic inputs.": "those tests bind a tool",
    "VCR not set up.": "there is no traffic that could be recorded",
}


class Capabilities:
    """What a parrot can, and it can hear all kinds of content, since it ignores all but text."""

    has_tool_calling = False
    has_structured_output = False
    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_audio_inputs = True
    supports_model_override = True
    model_override_value = "another-parrot"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatParrotLink

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "parrot-1", "parrot_buffer_length": 50}


@pytest.mark.filterwarnings("ignore:ChatParrotLink has no setting:UserWarning")
class TestUnits(Capabilities, ChatModelUnitTests):
    pass


class TestIntegration(Capabilities, ChatModelIntegrationTests):
    pass


def test_the_suites_skip_only_what_a_parrot_cannot_do() -> None:
    reports = Reports()
    classes = [f"{__file__}::{name}" for name in ("TestUnits", "TestIntegration")]
    options = ["-q", "-n", "0", "-p", "no:cacheprovider"]
    assert pytest.main([*options, *classes], plugins=[reports]) == pytest.ExitCode.OK
    assert reports.skipped == set(SKIPPED)
    assert reports.passed >= 32


# All ways to call it agree


MORE = os.environ.get("COURSE_FUZZ")


def fuzz(examples: int) -> Callable[[Any], Any]:
    """Set how many examples a test tries unless COURSE_FUZZ says so."""
    return settings(
        max_examples=int(MORE or examples),
        derandomize=not MORE,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


PIECES = ["a", "b", "ab", " ", "\n", "\r\n", "\r", "e\u0301", "\u0301", "\u200d", "👍🏽", FAMILY]
PIECES += ["🇫🇷", "🇩", "你好", "각", "\u1100", "नी", "\ufe0f", "\0", "<|end|>", ""]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(max_size=12)
BLOCKS = st.lists(
    TEXTS
    | TEXTS.map(lambda text: {"type": "text", "text": text})
    | st.just({"type": "image", "url": "http://127.0.0.1/a.png"}),
    max_size=3,
)
CONTENTS = TEXTS | BLOCKS
MESSAGES = st.builds(HumanMessage, CONTENTS) | st.one_of(
    st.builds(SystemMessage, CONTENTS),
    st.builds(AIMessage, CONTENTS),
    st.builds(lambda content: ToolMessage(content, tool_call_id="1"), TEXTS),
)
CONVERSATIONS = st.lists(MESSAGES, min_size=1, max_size=3)
STOPS = st.none() | st.lists(
    (st.sampled_from(PIECES) | st.text(max_size=3)).filter(bool), max_size=3
)
LIMITS = st.none() | st.integers(1, 12)


def expected(conversation: list[AnyMessage], buffer: int, limit: int | None, stop: Any) -> Any:
    """Say by the plainest means what a parrot answers: text, usage, metadata."""
    heard = characters(conversation[-1].text)
    said = heard[: min(buffer, limit or buffer)]
    whole = len(said) == len(heard[:buffer])
    before = left_to_right("".join(said), stop or [])
    if before is not None:
        said, whole = characters(before), True
    prompt = sum(len(characters(message.text)) for message in conversation)
    usage = {"input_tokens": prompt, "output_tokens": len(said)}
    metadata = {"model_name": "parrot-1", "model_provider": "parrot-link"}
    return (
        "".join(said),
        {**usage, "total_tokens": prompt + len(said)},
        {**metadata, "finish_reason": "stop" if whole else "length"},
    )


def what_counts(message: Any) -> Any:
    return message.content, message.usage_metadata, message.response_metadata


def total(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Return the sum of a stream's chunks, after a look at each of them."""
    told = [chunk for chunk in chunks if chunk.usage_metadata or chunk.response_metadata]
    assert told == chunks[-1:], "all but the text stands in the last chunk"
    assert [chunk.chunk_position for chunk in chunks].index("last") == len(chunks) - 1
    assert len({chunk.id for chunk in chunks}) == 1
    return chunks[0].__class__.__add__(chunks[0], chunks[1:]) if chunks[1:] else chunks[0]


async def answer_of(way: str, asked: Any, conversation: Any, **given: Any) -> Any:
    """Ask in one of the asynchronous ways, and return the answer as one message."""
    if way == "ainvoke":
        return await asked.ainvoke(conversation, **given)
    if way == "abatch":
        first, second = await asked.abatch([conversation] * 2, **given)
        assert what_counts(first) == what_counts(second)
        return first
    if way == "astream":
        return total([chunk async for chunk in asked.astream(conversation, **given)])
    if way == "astream_log":
        patches = [patch async for patch in asked.astream_log(conversation, **given)]
        operations = [operation for patch in patches for operation in patch.ops]
        return [one["value"] for one in operations if one["path"] == "/final_output"][-1]
    events = [e async for e in asked.astream_events(conversation, version="v2", **given)]
    assert [event["event"] for event in events].count("on_chat_model_end") == 1
    return events[-1]["data"]["output"]


async def all_answers(asked: Any, conversation: Any, **given: Any) -> dict[str, Any]:
    """Ask in every way there is, and return the answers by the ways' names."""
    answers = {way: await answer_of(way, asked, conversation, **given) for way in ASYNC_WAYS}
    answers["invoke"] = asked.invoke(conversation, **given)
    answers["invoke as a stream"] = asked.invoke(conversation, stream=True, **given)
    answers["batch"] = asked.batch([conversation], **given)[0]
    answers["stream"] = total(list(asked.stream(conversation, **given)))
    return answers


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop for all examples: a new one for each takes longer than the answers."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@fuzz(150)
@given(CONVERSATIONS, st.integers(1, 12), LIMITS, STOPS, st.booleans())
@pytest.mark.filterwarnings("ignore:astream_log")
def test_every_way_to_call_gives_the_same(
    loop: asyncio.AbstractEventLoop,
    conversation: list[AnyMessage],
    buffer: int,
    limit: int | None,
    stop: list[str] | None,
    of_the_call: bool,
) -> None:
    settings = {"parrot_buffer_length": buffer, "max_tokens": limit, "stop": stop}
    model = parrot() if of_the_call else parrot(**settings)
    given = settings if of_the_call else {}
    answers = loop.run_until_complete(all_answers(model, conversation, **given))
    right = expected(conversation, buffer, limit, stop)
    assert {way: what_counts(answer) for way, answer in answers.items()} == dict.fromkeys(
        answers, right
    )


@fuzz(150)
@given(TEXTS, LIMITS, STOPS)
def test_a_stream_shows_nothing_that_invoke_would_not_return(
    text: str, limit: int | None, stop: list[str] | None
) -> None:
    whole = parrot().invoke(text, max_tokens=limit, stop=stop).content
    shown = ""
    for chunk in parrot().stream(text, max_tokens=limit, stop=stop):
        shown += str(chunk.content)
        assert str(whole).startswith(shown)
        assert len(characters(str(chunk.content))) <= 1
    assert shown == whole


def left_to_right(text: str, stop: list[str]) -> str | None:
    """Cut as one does who sees the text come in, one code point after the other."""
    seen = ""
    for point in text:
        seen += point
        if complete := [end for end in stop if seen.endswith(end)]:
            return seen.removesuffix(max(complete, key=len))
    return None


def shown(pieces: list[str], stop: list[str]) -> Iterator[str]:
    """Yield what can be shown of a text that comes in pieces: all that no stop string may take."""
    hold = max(map(len, stop), default=1) - 1
    seen, done = "", 0
    for piece in pieces:
        for point in piece:
            seen += point
            if complete := [end for end in stop if seen.endswith(end)]:
                yield seen.removesuffix(max(complete, key=len))[done:]
                return
        safe = max(len(seen) - hold, done)
        yield seen[done:safe]
        done = safe
    yield seen[done:]


def test_cut_at_stop_cuts_where_a_writer_from_left_to_right_would() -> None:
    chance = random.Random(None if MORE else 14)
    for _ in range(int(MORE or 40_000)):
        letters = chance.choice(["ab", "abc", "a\u0301\r\n", "🇫👨\u200d"])
        text = "".join(chance.choices(letters, k=chance.randint(0, 12)))
        stop = ["".join(chance.choices(letters, k=chance.randint(1, 4))) for _ in range(3)]
        stop = stop[: chance.randint(0, 3)]
        cut = cut_at_stop(text, stop)
        assert cut == left_to_right(text, stop), (text, stop)
        pieces: list[str] = []
        while rest := text[len("".join(pieces)) :]:
            pieces.append(rest[: chance.randint(1, 5)])
        assert "".join(shown(pieces, stop)) == (text if cut is None else cut), (pieces, stop)


@pytest.mark.parametrize(
    ("text", "many"),
    [("", 0), ("abc", 3), ("\r\n", 1), ("\n\r", 2), ("e\u0301a", 2), (FAMILY * 2, 2)]
    + [("👍🏽", 1), ("🇫🇷🇩🇪", 2), ("你好", 2), ("각", 1), ("a\u200d", 1), ("❤\ufe0f", 1)],
)
def test_a_character_is_what_a_reader_sees(text: str, many: int) -> None:
    assert len(characters(text)) == many and "".join(characters(text)) == text


# Settings


def said(asked: ChatParrotLink, text: str = "hello", **given: Any) -> str:
    return str(asked.invoke(text, **given).content)


# A value of each setting that is not the default, and what an answer to "hello" shows of it.
HONOURED: dict[str, tuple[Any, Callable[[AIMessage], Any], Any]] = {
    "model": ("p2", lambda answer: answer.response_metadata["model_name"], "p2"),
    "model_name": ("p2", lambda answer: answer.response_metadata["model_name"], "p2"),
    "parrot_buffer_length": (2, lambda answer: answer.content, "he"),
    "temperature": (0, lambda answer: answer.content, "hello"),
    "max_tokens": (3, lambda answer: answer.response_metadata["finish_reason"], "length"),
    "timeout": (9, lambda answer: answer.content, "hello"),
    "stop": (["l"], lambda answer: answer.content, "he"),
    "max_retries": (0, lambda answer: answer.content, "hello"),
    "seconds_per_token": (0.001, lambda answer: answer.content, "hello"),
}
REFUSED = [
    *[(name, value) for name in ("model", "model_name") for value in ("", 3)],
    *[("parrot_buffer_length", value) for value in (0, -1, None, 1.5)],
    *[("temperature", value) for value in (0.1, -1, float("nan"), "hot")],
    *[("max_tokens", value) for value in (0, -1, 1.5)],
    *[("timeout", value) for value in (0, -1, float("nan"))],
    *[("stop", value) for value in ("", [""], ("",), ["a", ""], 3, [3], b"x")],
    *[("max_retries", value) for value in (-1, None)],
    *[("seconds_per_token", value) for value in (-1, float("inf"), float("nan"), None)],
]


def test_every_setting_is_in_the_tables() -> None:
    own = set(ChatParrotLink.model_fields) - set(BaseChatModel.model_fields) - {"streaming"}
    assert {*own, "model"} == {*SETTINGS, "stop"} == set(HONOURED) == {name for name, _ in REFUSED}


@pytest.mark.parametrize("name", HONOURED)
async def test_a_setting_is_honoured(name: str) -> None:
    value, look, shows = HONOURED[name]
    for model, call in ((parrot(**{name: value}), {}), (parrot(), {name: value})):
        for way, answer in {
            "invoke": model.invoke("hello", **call),
            "ainvoke": await model.ainvoke("hello", **call),
            "stream": total(list(model.stream("hello", **call))),
            "astream": await answer_of("astream", model, "hello", **call),
            "bind": model.bind(**call).invoke("hello"),
        }.items():
            assert look(answer) == shows, way
    assert model == parrot(), "the settings of a call change no parrot"


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=str)
async def test_a_bad_value_is_refused(name: str, value: Any) -> None:
    field = SETTINGS.get(name, name)
    with pytest.raises(ValidationError, match=f"ChatParrotLink\n({field}|{name})"):
        parrot(**{name: value})
    for way in (said, lambda asked, **given: list(asked.stream("hello", **given))):
        with pytest.raises(ValidationError, match=f"ChatParrotLink\n{field}"):
            way(parrot(), **{name: value})
    for way_name in ("ainvoke", "astream"):
        with pytest.raises(ValidationError, match=f"ChatParrotLink\n{field}"):
            await answer_of(way_name, parrot(), "hello", **{name: value})


def test_what_a_call_says_goes_before_what_the_constructor_said() -> None:
    model = parrot(model="p1", stop=["l"], max_tokens=1)
    answer = model.invoke("hello", stop=["o"], max_tokens=9, model="p2")
    assert (answer.content, answer.response_metadata["model_name"]) == ("hell", "p2")
    assert said(model, stop=[], max_tokens=None) == "hello"
    assert said(model, stop=None, max_tokens=9) == "he"


def test_stop_as_one_text() -> None:
    assert said(parrot(stop="ll")) == said(parrot(), stop="ll") == "he"
    assert parrot(stop="ll") == parrot(stop=["ll"])


def test_the_stop_string_that_is_complete_first() -> None:
    assert cut_at_stop("abcd", ["bcd", "c"]) == "ab"
    assert cut_at_stop("abcd", ["c", "bc"]) == "a"
    assert cut_at_stop("abcd", ["x"]) is cut_at_stop("abcd", []) is None
    assert said(parrot(parrot_buffer_length=3), stop=["lo"]) == "hel", "never heard to the end"


@pytest.mark.parametrize(
    ("settings", "text", "reason"),
    [
        ({}, "hello", "stop"),
        ({"max_tokens": 5}, "hello", "stop"),
        ({"max_tokens": 4}, "hell", "length"),
        ({"parrot_buffer_length": 4}, "hell", "stop"),
        ({"parrot_buffer_length": 4, "max_tokens": 4}, "hell", "stop"),
        ({"max_tokens": 3, "stop": ["l"]}, "he", "stop"),
        ({"max_tokens": 3, "stop": ["lo"]}, "hel", "length"),
        ({"stop": ["h"]}, "", "stop"),
    ],
)
def test_why_an_answer_ends(settings: dict[str, Any], text: str, reason: str) -> None:
    answer = parrot().invoke("hello", **settings)
    assert answer.content == text and answer.response_metadata["finish_reason"] == reason
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == len(text)


def test_the_model_by_both_names() -> None:
    for model in (parrot(model="a"), parrot(model_name="a")):
        assert (model.model, model.model_name) == ("a", "a")
        chosen: Any = model.configurable_fields(
            model_name=ConfigurableField(id="which"), parrot_buffer_length=ConfigurableField("size")
        )
        assert chosen.invoke("hello").response_metadata["model_name"] == "a"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            answer = chosen.invoke("hello", {"configurable": {"which": "b", "size": 2}})
        assert (answer.content, answer.response_metadata["model_name"]) == ("he", "b")


def test_the_model_by_two_different_names() -> None:
    with pytest.raises(ValidationError, match="one setting, and were given two values"):
        parrot(model="a", model_name="b")
    assert parrot(model="a", model_name="a").model == "a"


@pytest.mark.parametrize(("name", "value"), REFUSED, ids=str)
def test_a_bad_value_is_refused_later_too(name: str, value: Any) -> None:
    model = parrot()
    with pytest.raises(ValidationError, match=f"ChatParrotLink\n{SETTINGS.get(name, name)}"):
        setattr(model, SETTINGS.get(name, name), value)
    assert model == parrot()


def test_langchain_asks_for_a_profile_once() -> None:
    """And not at each assignment: noting the answer is one, and one led to the next some 250 times."""
    asked = []

    class Watched(ChatParrotLink):
        def _resolve_model_profile(self) -> ModelProfile:
            asked.append(self)
            return super()._resolve_model_profile()

    model = Watched(parrot_buffer_length=2)
    model.max_tokens = 3
    assert model.invoke("hello", max_tokens=1).content == "h"
    assert len(asked) == 1


def test_an_unknown_setting() -> None:
    with pytest.warns(UserWarning, match="ChatParrotLink has no setting 'colour': ignored") as seen:
        parrot(colour="green")
    assert [warning.filename for warning in seen] == [__file__]
    with pytest.raises(TypeError, match="knows no setting 'colour' for a call. There are: stop, m"):
        said(parrot(), colour="green")
    with pytest.raises(TypeError, match="knows no setting 'tools' for a call"):
        list(parrot().stream("hello", tools=[]))


# A value of each setting that LangChain gives to every chat model.
LANGCHAINS = {
    "name": "Polly",
    "cache": False,
    "verbose": False,
    "callbacks": [],
    "tags": ["a"],
    "metadata": {"a": 1},
    "custom_get_token_ids": None,
    "rate_limiter": InMemoryRateLimiter(requests_per_second=1000),
    "disable_streaming": True,
    "output_version": "v1",
    "profile": {"max_input_tokens": 100},
}


def test_langchains_own_settings_are_no_unknown_ones() -> None:
    assert set(LANGCHAINS) == set(BaseChatModel.model_fields)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, value in LANGCHAINS.items():
            model = parrot(**{name: value})
            assert "hello" in str(model.invoke("hello").content_blocks)
            assert "hel" in str(model.invoke("hello", max_tokens=3).content_blocks)
            setattr(model, name, value)


class Renamed(ChatParrotLink):
    """Has settings by every kind of other name that pydantic knows."""

    colour: str = Field(default="grey", validation_alias="feathers")
    size: int = Field(default=1, validation_alias=AliasChoices("length", AliasPath("sizes", 0)))
    food: str = Field(default="nuts", alias="eats")
    tone: str = Field(default="low", serialization_alias="sings")


class Shouting(ChatParrotLink):
    model_config = ConfigDict(alias_generator=str.upper)


class ByAlias(ChatParrotLink):
    model_config = ConfigDict(populate_by_name=False)


@pytest.mark.parametrize(
    ("kind", "given", "unknown"),
    [
        (Renamed, {"feathers": "red", "length": 2, "eats": "figs", "tone": "high"}, None),
        (Renamed, {"colour": "red", "sizes": [2], "food": "figs"}, None),
        (Renamed, {"size": 2}, None),
        (Renamed, {"sings": "high"}, "sings"),
        (Renamed, {"_colour": "red"}, "_colour"),
        (Renamed, {"invoke": "red"}, "invoke"),
        (Shouting, {"MAX_TOKENS": 2, "stop": ["c"], "model": "b"}, None),
        (Shouting, {"Max_Tokens": 2}, "Max_Tokens"),
        (ByAlias, {"model": "b"}, None),
        (ByAlias, {"model_name": "b"}, "model_name"),
    ],
    ids=str,
)
def test_a_setting_is_known_by_each_name_that_pydantic_takes(
    kind: type[ChatParrotLink], given: dict[str, Any], unknown: str | None
) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = kind(parrot_buffer_length=9, **given)
        model.max_tokens = 3
    message = f"{kind.__name__} has no setting {unknown!r}: ignored"
    assert [str(one.message) for one in seen] == ([message] if unknown else [])
    taken = set() if unknown else model.model_fields_set - {"parrot_buffer_length", "max_tokens"}
    assert len(taken) >= (0 if unknown else len(given) - 1), "pydantic took them"


def test_what_an_object_keeps_is_no_setting() -> None:
    class Counted(ChatParrotLink):
        @functools.cached_property
        def tricks(self) -> int:
            return 3

    model = Counted(parrot_buffer_length=2)
    assert model.tricks == 3 and model._serialized
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.max_tokens = 1


def test_refusals() -> None:
    with pytest.raises(NotImplementedError, match="cannot decide to call a tool"):
        parrot().bind_tools([])
    with pytest.raises(NotImplementedError, match="cannot fill in a schema"):
        parrot().with_structured_output(dict)


async def test_nothing_to_repeat() -> None:
    with pytest.raises(ValueError, match="nothing to repeat: there is no message"):
        parrot().invoke([])
    for way in ("ainvoke", "astream"):
        with pytest.raises(ModelInvalidRequestError, match="nothing to repeat: there is no") as got:
            await answer_of(way, parrot(), [])
        assert isinstance(got.value, ValueError) and not got.value.is_retryable


@pytest.mark.parametrize("content", ["", [], [{"type": "image", "url": "http://127.0.0.1/"}]])
async def test_nothing_said(content: Any) -> None:
    """An empty answer takes no time, so it is never late, whichever way it comes."""
    slow = parrot(seconds_per_token=9, timeout=0.001)
    for way in ("ainvoke", "abatch", "astream", "astream_events"):
        answer = await answer_of(way, slow, [HumanMessage(content)])
        assert what_counts(answer) == expected([HumanMessage("")], 1, None, None)
    assert [what_counts(chunk) for chunk in slow.stream([HumanMessage(content)])] == [
        what_counts(slow.invoke([HumanMessage(content)]))
    ]


# What LangChain does with the answers


def test_a_cache_tells_parrots_apart() -> None:
    cache = InMemoryCache()
    others = [parrot(cache=cache, **{name: value}) for name, (value, _, _) in HONOURED.items()]
    first = parrot(cache=cache).invoke("hello")
    for model, (_, look, shows) in zip(others, HONOURED.values(), strict=True):
        assert look(model.invoke("hello")) == shows
    for name, (value, look, shows) in HONOURED.items():
        assert look(parrot(cache=cache).invoke("hello", **{name: value})) == shows
    slow = parrot(cache=cache, seconds_per_token=99, timeout=0.001)
    with pytest.raises(ModelTimeoutError):
        slow.invoke("hello")
    again = parrot(cache=cache).invoke("hello")
    assert again.response_metadata == first.response_metadata and again.content == "hello"
    assert again.usage_metadata == {**(first.usage_metadata or {}), "total_cost": 0}


def test_what_a_trace_is_told() -> None:
    model = parrot(model="a", stop=["x"], max_tokens=9, temperature=0)
    told = {"ls_provider": "parrot-link", "ls_model_type": "chat", "ls_temperature": 0}
    assert model._get_ls_params() == {
        **told,
        "ls_model_name": "a",
        "ls_stop": ["x"],
        "ls_max_tokens": 9,
    }
    for name in ("model", "model_name"):
        changes: dict[str, Any] = {name: "b", "stop": "y", "max_tokens": 2}
        assert model._get_ls_params(**changes) == {
            **told,
            "ls_model_name": "b",
            "ls_stop": ["y"],
            "ls_max_tokens": 2,
        }
    assert "ls_stop" not in model._get_ls_params(stop=[])


class Listener(BaseCallbackHandler):
    """Remembers what it is told of a call."""

    def __init__(self) -> None:
        self.starts: list[dict[str, Any]] = []
        self.tokens: list[Any] = []
        self.chunks: list[Any] = []
        self.errors: list[BaseException] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        self.starts.append(kwargs)

    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.tokens.append(token)
        self.chunks.append(kwargs["chunk"])

    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.errors.append(error)


async def test_callbacks_hear_each_token_once() -> None:
    """An old complaint about parrots: the last token came twice."""
    listener = Listener()
    config: Any = {"callbacks": [listener]}
    list(parrot().stream("cat", config))
    assert [chunk async for chunk in parrot().astream("cat", config)]
    assert listener.tokens == ["c", "a", "t"] * 2
    params = listener.starts[0]["invocation_params"]
    assert params["parrot_buffer_length"] == 100 and params["_type"] == "parrot-link"


EVERY_TOKEN: dict[str, tuple[dict[str, Any], list[str]]] = {
    "cat": ({}, ["c", "a", "t"]),
    "category": ({"parrot_buffer_length": 3}, ["c", "a", "t"]),
    "cats": ({"stop": ["s"]}, ["c", "a", "t"]),
    f"a{FAMILY}": ({}, ["a", FAMILY]),
    "": ({}, [""]),
}


@pytest.mark.parametrize("text", EVERY_TOKEN)
@pytest.mark.filterwarnings("ignore:.* is in beta")
@pytest.mark.filterwarnings("ignore:astream_log")
async def test_callbacks_hear_each_token_once_whichever_way_it_streams(text: str) -> None:
    given, tokens = EVERY_TOKEN[text]
    model = parrot(**given)

    async def heard(way: str) -> list[Any]:
        listener = Listener()
        config: Any = {"callbacks": [listener]}
        if way == "stream_events v3":
            assert list(model.stream_events(text, config, version="v3"))
        elif way == "astream_events v3":
            events = await model.astream_events(text, config, version="v3")
            assert [event async for event in events]
        elif way == "invoke as a stream":
            model.invoke(text, config, stream=True)
        elif way == "streaming":
            parrot(**given, streaming=True).invoke(text, config)
        elif way == "streaming, async":
            await parrot(**given, streaming=True).ainvoke(text, config)
        elif way == "a chain":
            assert list((model | StrOutputParser()).stream(text, config))
        else:
            await answer_of(way, model, text, config=config)
        assert all(isinstance(chunk, ChatGenerationChunk) for chunk in listener.chunks)
        assert [chunk.text for chunk in listener.chunks] == listener.tokens
        return listener.tokens

    ways = ["stream_events v3", "astream_events v3", "invoke as a stream", "a chain"]
    ways += ["streaming", "streaming, async", "astream", "astream_log", "astream_events"]
    assert {way: await heard(way) for way in ways} == dict.fromkeys(ways, tokens)
    assert await heard("ainvoke") == await heard("abatch") == []


async def test_nothing_streams_where_streaming_is_off() -> None:
    model = parrot(streaming=False)
    assert [chunk.text for chunk in model.stream("cat")] == ["cat"]
    assert [chunk.text async for chunk in model.astream("cat")] == ["cat"]
    with pytest.raises(TypeError, match="knows no setting 'streaming' for a call"):
        said(parrot(), streaming=True)


def test_traces_name_the_version() -> None:
    class Macaw(ChatParrotLink):
        @model_validator(mode="after")
        def _set_macaw_version(self) -> Self:
            self._add_version("langchain-macaw", "9")
            return self

    listener = Listener()
    model = Macaw(parrot_buffer_length=3, metadata={"mine": 1})
    model.max_tokens = 2
    model.invoke("cat", {"callbacks": [listener]})
    metadata = listener.starts[0]["metadata"]
    ours = {"langchain-parrot-link": __version__, "langchain-macaw": "9"}
    assert metadata["mine"] == 1
    assert {**metadata["lc_versions"], **ours} == metadata["lc_versions"]
    assert metadata["lc_versions"]["langchain-core"] == VERSION
    assert parrot().metadata != model.metadata


@pytest.mark.filterwarnings("ignore:The function `load` is in beta")
def test_why_it_is_not_serializable() -> None:
    """LangChain's suite would load such a class without naming it, and a cache would mix answers up."""

    class Written(ChatParrotLink):
        @classmethod
        def is_lc_serializable(cls) -> bool:
            return True

    written = dumpd(Written(parrot_buffer_length=2))
    trusted: Any = written["id"][:1]
    with pytest.raises(ValueError, match="is not allowed"):
        load(written, valid_namespaces=trusted, allowed_objects="all")
    answers = []
    for kind in (Written, ChatParrotLink):
        model = kind(parrot_buffer_length=9, cache=InMemoryCache())
        model.invoke("hello")
        model.max_tokens = 2
        answers.append(said(model))
    assert answers == ["hello", "he"]
    assert dumpd(parrot())["type"] == "not_implemented"


async def test_a_callback_counts_the_usage_of_every_way() -> None:
    counts = []
    for way in ("ainvoke", "astream"):
        counter = UsageMetadataCallbackHandler()
        await answer_of(way, parrot(), "hello", config={"callbacks": [counter]})
        counts.append(counter.usage_metadata)
    usage = {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}
    assert counts == [{"parrot-1": usage}] * 2


def test_tokens_are_counted_as_in_the_usage() -> None:
    conversation: list[BaseMessage] = [
        SystemMessage(FAMILY),
        HumanMessage([{"type": "text", "text": "e\u0301a"}]),
    ]
    answer = parrot().invoke(conversation)
    assert answer.usage_metadata is not None
    assert parrot().get_num_tokens_from_messages(conversation) == 3
    assert parrot().get_num_tokens(FAMILY) == 1
    assert answer.usage_metadata["input_tokens"] == 3
    assert trim_messages(conversation, max_tokens=2, token_counter=parrot()) == conversation[1:]


@pytest.mark.parametrize(
    ("text", "ids"),
    [("", []), ("ab", [97, 98]), ("你é", [0x4F60, 0xE9]), ("\ud800", [0xD800])]
    + [("e\u0301", [0x65_00000301]), ("\r\n", [0x0D_0000000A]), ("😀", [0x1F600])],
)
def test_token_ids_ask_nobody(text: str, ids: list[int]) -> None:
    """LangChain's own would fetch a vocabulary of GPT-2 from the internet."""
    assert parrot().get_token_ids(text) == ids
    assert parrot().get_num_tokens(text) == len(ids) == len(characters(text))
    assert parrot(custom_get_token_ids=lambda text: [7]).get_token_ids(text) == [7]


@fuzz(100)
@given(TEXTS, TEXTS)
def test_other_characters_have_other_ids(one: str, other: str) -> None:
    ids = parrot().get_token_ids
    same = characters(one) == characters(other)
    assert (ids(one) == ids(other)) is same and len(ids(one)) == parrot().get_num_tokens(one)


@fuzz(100)
@given(TEXTS)
@pytest.mark.filterwarnings("ignore:The function `loads` is in beta")
def test_messages_survive_json(text: str) -> None:
    chunks = list(parrot().stream(text))
    for message in (parrot().invoke(text), total(chunks), *chunks):
        assert loads(dumps(message), allowed_objects="messages") == message
        assert type(message).model_validate_json(message.model_dump_json()) == message
    answer = parrot().invoke(text)
    assert messages_from_dict(messages_to_dict([answer])) == [answer]


# Time


class Clock:
    """Stands in for both kinds of sleep, and counts the seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.slept: list[float] = []
        monkeypatch.setattr(time, "sleep", self.slept.append)
        monkeypatch.setattr(asyncio, "sleep", self._asleep)

    async def _asleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def seconds(self) -> float:
        seconds = sum(self.slept)
        self.slept.clear()
        return seconds


async def test_every_way_takes_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    model = parrot(seconds_per_token=0.25, timeout=1.25)
    model.invoke("hello")
    assert clock.seconds() == 1.25
    await model.ainvoke("hello")
    assert clock.seconds() == 1.25
    for number, _ in enumerate(model.stream("hello"), 1):
        assert sum(clock.slept) == number * 0.25
    assert clock.seconds() == 1.25
    async for chunk in model.astream("hello"):
        assert clock.slept.pop() == 0.25 and chunk.content
    assert clock.seconds() == 0


async def test_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """In time, a stream shows what it has; after it, ModelTimeoutError comes, and not later."""
    clock = Clock(monkeypatch)
    model = parrot(seconds_per_token=0.25, timeout=0.6)
    late: Any = pytest.raises(ModelTimeoutError, match="not finished after 0.6 seconds")
    with late:
        model.invoke("hello")
    assert clock.seconds() == pytest.approx(0.6)
    with late:
        await model.ainvoke("hello")
    assert clock.seconds() == pytest.approx(0.6)
    heard: list[Any] = []
    with late:
        heard.extend(chunk.content for chunk in model.stream("hello"))
    assert clock.seconds() == pytest.approx(0.6)
    with late:
        async for chunk in model.astream("hello"):
            heard.append(chunk.content)
    assert clock.seconds() == pytest.approx(0.6)
    assert heard[-2:] == ["h", "e"]
    assert said(model, timeout=None) == "hello"
    assert said(model, "he") == "he"


async def test_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    listener = Listener()
    again = parrot(seconds_per_token=1, timeout=2).with_retry(
        retry_if_exception_type=(ModelTimeoutError,),
        stop_after_attempt=3,
        wait_exponential_jitter=False,
    )
    config: Any = {"callbacks": [listener]}
    with pytest.raises(ModelTimeoutError):
        again.invoke("hello", config)
    with pytest.raises(ModelTimeoutError):
        await again.ainvoke("hello", config)
    assert [type(error) for error in listener.errors] == [ModelTimeoutError] * 6


# Many at once


@contextlib.contextmanager
def no_threads() -> Iterator[None]:
    """Whoever starts a thread gets an AssertionError; none is there that was not there before."""

    def start(thread: threading.Thread) -> None:
        raise AssertionError(f"{thread.name} was started")

    before = threading.enumerate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        yield
    assert threading.enumerate() == before


# Not astream_log, for which LangChain itself puts a callback in a thread.
@pytest.mark.parametrize("way", ["ainvoke", "abatch", "astream", "astream_events"])
async def test_no_thread_for_an_asynchronous_call(way: str) -> None:
    model = parrot(seconds_per_token=0.001, cache=InMemoryCache())
    with no_threads():
        assert (await answer_of(way, model, "hello")).content == "hello"


async def test_a_thread_would_be_seen() -> None:
    naive = bench_parrot.models()["naive"]
    with no_threads(), pytest.raises(AssertionError, match="was started"):
        await naive.ainvoke("hello")


@pytest.mark.parametrize("how", ["cancel", "break", "aclose"])
async def test_an_astream_that_is_left_leaves_nothing_running(how: str) -> None:
    before = asyncio.all_tasks()
    heard: list[Any] = []
    halfway = asyncio.Event()

    async def listen() -> None:
        chunks: Any = parrot(seconds_per_token=0.01).astream("hello" * 10)
        async for chunk in chunks:
            heard.append(chunk.content)
            if len(heard) == 3:
                halfway.set()
                if how == "break":
                    break
                if how == "aclose":
                    await chunks.aclose()

    with no_threads():
        task = asyncio.create_task(listen())
        await halfway.wait()
        if how == "cancel":
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            await task
        await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before and heard == ["h", "e", "l"]


async def test_a_thousand_at_once() -> None:
    """One after the other they would take 250 seconds."""
    model = parrot(seconds_per_token=0.05)
    texts = [f"{number:05}" for number in range(1000)]
    start = time.perf_counter()
    with no_threads():
        answers = await asyncio.gather(*[model.ainvoke(text) for text in texts])
    assert [answer.content for answer in answers] == texts
    assert time.perf_counter() - start < 50


@pytest.mark.parametrize("way", ["ainvoke", "abatch", "astream", "astream_events"])
async def test_the_event_loop_stays_free_while_parrots_speak(way: str) -> None:
    """Each of ten parrots speaks for half a second; a clock in the same loop goes on ticking."""
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticker = asyncio.create_task(tick())
    model = parrot(seconds_per_token=0.1)
    start = time.perf_counter()
    await asyncio.gather(*[answer_of(way, model, "hello") for _ in range(10)])
    assert time.perf_counter() - start >= 0.5
    ticker.cancel()
    assert ticks >= 10


async def test_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_parrot, "MANY", dict.fromkeys(bench_parrot.MANY, 5))
    seconds = (await bench_parrot.measure(rounds=3))["time on the wall"]
    astream = seconds["astream"]
    assert astream["naive"] > 2 * astream[bench_parrot.OURS]
    assert bench_parrot.with_usage() == {bench_parrot.OURS, "naive"}
    names = "|".join(bench_parrot.models())
    assert len(re.findall(rf"^({names}) .*(yes|no)$", bench_parrot.table(seconds), re.M)) == 5
