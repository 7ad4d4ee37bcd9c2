"""How the exercises of lesson 14 are judged."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from pydantic import ValidationError

from helpers.exercises.awaiting import run
from helpers.exercises.judging import a_class, check, string, wrong_unless
from helpers.exercises.verdict import WrongAnswer

# How the threads are called that an answer may start: asyncio's, a pool's, its own.
THREADS = ("asyncio_", "ThreadPoolExecutor", "Thread-")


def added(model: Any, text: str) -> tuple[list[str], AIMessageChunk]:
    """Return the texts of the chunks that are not empty, and the sum of all chunks."""
    messages = [HumanMessage(text)]
    try:
        kinds = [type(piece) for piece in model._stream(messages)]
    except AttributeError as error:
        raise WrongAnswer("result") if "'ChatResult'" in str(error) else error from None
    except ValidationError as error:
        message = error.errors()[0]["input"]
        whole = error.title == "ChatGenerationChunk" and isinstance(message, AIMessage)
        raise WrongAnswer("whole") if whole else error from None
    wrong_unless(all(issubclass(kind, ChatGenerationChunk) for kind in kinds), "bare")
    chunks = list(model.stream(messages))
    total = chunks[0]
    for chunk in chunks[1:]:
        total = total + chunk
    return [chunk.text for chunk in chunks if chunk.text], total


@check("14-parrot-link-for-real/agree", "EchoParrot")
def agree(model: Any) -> None:
    a_class(model, "EchoParrot")
    for text, words in {"abra cadabra  x": ["abra ", "cadabra  ", "x"], "abc": ["abc"]}.items():
        whole = model().invoke([HumanMessage(text)])
        expected = {"model_name": "echo-1", "finish_reason": "stop"}
        usage = whole.usage_metadata or {}
        wrong_unless(whole.text == text and whole.response_metadata == expected, "changed")
        wrong_unless(usage.get("total_tokens") == 2 * len(text), "changed")
        pieces, total = added(model(), text)
        wrong_unless(pieces == words, "pieces", got=pieces)
        got = total.usage_metadata
        wrong_unless(got is not None, "usage")
        count = got["total_tokens"] if got else 0
        wrong_unless(got == usage, "twice", got=count, expected=usage["total_tokens"])
        metadata = total.response_metadata
        wrong_unless(metadata == expected, "metadata", got=metadata)
    try:
        _, total = added(model(), "")
    except (ValueError, LookupError, UnboundLocalError) as error:
        raise WrongAnswer("empty", got=f"{type(error).__name__}: {error}") from None
    whole = model().invoke([HumanMessage("")])
    for name in ("usage_metadata", "response_metadata"):
        found = getattr(total, name)
        wrong_unless(found == getattr(whole, name), "empty", got=f"`{name}={found}`")


@check("14-parrot-link-for-real/cut", "cut")
def cut(function: Any) -> None:
    def result(text: str, stop: list[str]) -> str:
        got = function(text, list(stop))
        string(got)
        return str(got)

    got = result("abracadabra", ["c"])
    wrong_unless(got != "abrac", "kept", got=got, expected="abra")
    wrong_unless(got == "abra", "other", text="'abracadabra'", stop=["c"], got=got, expected="abra")
    for stop in (["xyz"], []):
        try:
            got = result("abracadabra", stop)
        except (ValueError, IndexError) as error:  # of a search in vain, or an empty list
            got = f"{type(error).__name__}: {error}"
        wrong_unless(got == "abracadabra", "whole", stop=stop, got=got, expected="abracadabra")
    got = result("abracadabra", ["r"])
    wrong_unless(got == "ab", "last", got=got)
    for stop in (["d", "c"], ["c", "d"], ["d", "xyz", "c"]):
        got = result("abracadabra", stop)
        wrong_unless(got == "abra", "order", stop=stop, got=got)
    for stop, expected in [
        (["bcde", "cd"], "ab"),
        (["cd", "bcde"], "ab"),
        (["abcd", "de"], ""),
        (["de", "bcd"], "a"),
    ]:
        got = result("abcdef", stop)
        wrong_unless(got == expected, "start", stop=stop, got=got)
    for text, stop, expected in [
        ("abracadabra", ["a"], ""),
        ("", ["a"], ""),
        ("one\ntwo. three", ["two", "\n"], "one"),
        ("xxabcabdab", ["abd", "cabdab", "bda"], "xxabc"),
        ("a.b|c", ["|", "d"], "a.b"),
    ]:
        got = result(text, stop)
        wrong_unless(
            got == expected, "other", text=repr(text), stop=stop, got=got, expected=expected
        )


@check("14-parrot-link-for-real/nap", "NappingParrot")
def nap(model: Any) -> None:
    a_class(model, "NappingParrot")
    before = set(threading.enumerate())
    threads: set[threading.Thread] = set()

    async def ask(times: int, seconds: float) -> tuple[list[str], float]:
        """Return what so many parrots say, and for how long the event loop stood still at most."""
        still = 0.0

        async def tick() -> None:
            nonlocal still
            while True:
                begun = time.perf_counter()
                await asyncio.sleep(0.01)
                still = max(still, time.perf_counter() - begun)
                threads.update(threading.enumerate())

        ticker = asyncio.create_task(tick())
        await asyncio.sleep(0)
        parrot = model(parrot_buffer_length=8, seconds=seconds)
        answers = await asyncio.gather(*(parrot.ainvoke("abracadabra") for _ in range(times)))
        await asyncio.sleep(0.02)
        ticker.cancel()
        return [answer.text for answer in answers], still

    def timed(times: int, seconds: float) -> tuple[list[str], float, float]:
        begun = time.perf_counter()
        (answers, still), _ = run(ask, times, seconds)
        return answers, still, time.perf_counter() - begun

    begun = time.perf_counter()
    model(parrot_buffer_length=8, seconds=0.2).invoke("abracadabra")
    seconds = time.perf_counter() - begun
    wrong_unless(seconds > 0.19, "changed", got=round(seconds, 1), expected=0.2)
    try:
        got, still, seconds = timed(1, 0.4)
    except AttributeError as error:
        raise WrongAnswer("result") if "generations" in str(error) else error from None
    except TypeError as error:
        said = str(error)
        raise WrongAnswer("awaited", got=said) if "await" in said else error from None
    started = [one for one in threads - before if one.name.startswith(THREADS)]
    wrong_unless(not started, "thread")
    # A busy machine may hold up the loop once or twice, but not each time for so long.
    wrong_unless(still < 0.3 or any(timed(1, 0.4)[1] < 0.3 for _ in range(3)), "blocked")
    wrong_unless(seconds > 0.39, "hasty", got=round(seconds, 1), expected=0.4)
    wrong_unless(got == ["abracada"], "said", got=got[0], expected="abracada")
    _, _, seconds = timed(10, 0.2)
    wrong_unless(seconds < 1.9, "slow", got=round(seconds, 1), expected=0.2)

    async def cut_short(**call: Any) -> str:
        parrot = model(parrot_buffer_length=8, seconds=0.01)
        return str((await parrot.ainvoke("abracadabra", **call)).text)

    for name, value, expected in [("stop", ["c"], "abra"), ("max_tokens", 3, "abr")]:
        said, _ = run(lambda call={name: value}: cut_short(**call))
        wrong_unless(said == expected, "call", call=f"{name}={value}", got=said, expected=expected)
