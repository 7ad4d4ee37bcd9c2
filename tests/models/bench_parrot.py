"""How fast ChatParrotLink is beside other chat models without a network; python -m tests.models.bench_parrot.

The models take turns in every round, each of them the first one as often as the others, and the
figures are medians: what else the machine does meanwhile slows all of them down. On a busy machine
the processor's time, of all threads together, says more than the time on the wall.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import (
    FakeListChatModel,
    GenericFakeChatModel,
    ParrotFakeChatModel,
)
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from helpers.models import naive_parrot
from helpers.models.parrot_link import ChatParrotLink

TEXT = "Polly wants a cracker, and another, and a nap too."
OURS = "ours"
ROUNDS = 210
LONG = 21  # the long tasks are done in so many rounds once: no multiple of the number of models
MANY = {"batch(100)": 100, "abatch(1000)": 1000}
CLOCKS = {"time on the wall": time.perf_counter, "time of the processor": time.process_time}
Seconds = dict[str, dict[str, float]]  # by task, then by model


class NaiveParrotLink(naive_parrot.ChatParrotLink):
    """The parrot as tutorials write it: lesson 13's, with usage while it streams and metadata."""

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        said = messages[-1].content[: self.parrot_buffer_length]
        heard = sum(len(message.content) for message in messages)
        message = AIMessage(
            content=said,
            response_metadata={"time_in_seconds": 3},
            usage_metadata=UsageMetadata(
                input_tokens=heard, output_tokens=len(said), total_tokens=heard + len(said)
            ),
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        heard = sum(len(message.content) for message in messages)
        for character in str(messages[-1].content)[: self.parrot_buffer_length]:
            usage = UsageMetadata(input_tokens=heard, output_tokens=1, total_tokens=heard + 1)
            heard = 0
            chunk = AIMessageChunk(content=character, usage_metadata=usage)
            yield ChatGenerationChunk(message=chunk)
        end = AIMessageChunk(content="", response_metadata={"time_in_sec": 3})
        yield ChatGenerationChunk(message=end)


def models() -> dict[str, BaseChatModel]:
    """Return the models by their names; each answers TEXT with TEXT."""
    return {
        OURS: ChatParrotLink(model="parrot-1", parrot_buffer_length=len(TEXT)),
        "naive": NaiveParrotLink(model="parrot-1", parrot_buffer_length=len(TEXT)),
        "FakeList": FakeListChatModel(responses=[TEXT]),
        "GenericFake": GenericFakeChatModel(messages=itertools.repeat(TEXT)),
        "ParrotFake": ParrotFakeChatModel(),
    }


def with_usage() -> set[str]:
    """Return the names of the models whose answers come with usage metadata."""
    return {
        name
        for name, model in models().items()
        if getattr(model.invoke(TEXT), "usage_metadata", None)
    }


async def _invoke(model: BaseChatModel) -> int:
    return len([model.invoke(TEXT) for _ in range(50)])


async def _stream(model: BaseChatModel) -> int:
    return sum(1 for _ in model.stream(TEXT))


async def _astream(model: BaseChatModel) -> int:
    return sum([1 async for _ in model.astream(TEXT)])


async def _batch(model: BaseChatModel) -> int:
    return len(model.batch([TEXT] * MANY["batch(100)"]))


async def _abatch(model: BaseChatModel) -> int:
    return len(await model.abatch([TEXT] * MANY["abatch(1000)"]))


# Each returns how many things it did; its seconds are divided by them.
TASKS: dict[str, Callable[[BaseChatModel], Awaitable[int]]] = {
    "invoke": _invoke,
    "stream": _stream,
    "astream": _astream,
    "batch(100)": _batch,
    "abatch(1000)": _abatch,
}


async def measure(rounds: int) -> dict[str, Seconds]:
    """Return, by clock, the median seconds: of a call, of a chunk, of an answer in a batch.

    The long tasks are done in a part of the rounds, at least once.
    """
    rivals = models()
    taken: dict[tuple[str, str, str], list[float]] = {}
    order = list(rivals)
    for number in range(-1, rounds):  # the first one warms up and does not count
        order.append(order.pop(0))
        for task, do in TASKS.items():
            if task in MANY and number % LONG and number >= 0:
                continue
            for name in order:
                start = [now() for now in CLOCKS.values()]
                done = await do(rivals[name])
                for (clock, now), since in zip(CLOCKS.items(), start, strict=True):
                    if number >= 0:
                        taken.setdefault((clock, task, name), []).append((now() - since) / done)
    return {
        clock: {
            task: {name: statistics.median(taken[clock, task, name]) for name in rivals}
            for task in TASKS
        }
        for clock in CLOCKS
    }


def table(seconds: Seconds) -> str:
    """Return the figures as lines of text: microseconds, and how many times ours they are."""
    usage = with_usage()
    lines = [f"{'':12}" + "".join(f"{task:>18}" for task in seconds) + f"{'usage':>7}"]
    for name in models():
        line = f"{name:12}"
        for by_name in seconds.values():
            ratio = by_name[name] / by_name[OURS]
            line += f"{by_name[name] * 1e6:>8.0f} µs {ratio:>5.2f} x"
        lines.append(line + f"{'yes' if name in usage else 'no':>7}")
    return "\n".join(lines)


if __name__ == "__main__":
    print("Medians: invoke per call, stream and astream per chunk, batches per answer.")
    figures = asyncio.run(measure(int(sys.argv[1]) if sys.argv[1:] else ROUNDS))
    for clock, seconds in figures.items():
        print(f"\n{clock}\n{table(seconds)}")
