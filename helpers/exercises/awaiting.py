"""Runs the coroutine functions that learners write, and sees whether they leave the event loop free."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any

from helpers.exercises.judging import wrong_unless


def close(coroutine: Coroutine[Any, Any, Any]) -> None:
    """End a coroutine that nobody awaits, with those that were handed to it, without a warning.

    `asyncio.wait_for(chat.ainvoke(…), 3)`, not awaited, holds another one.
    """
    held = list((inspect.getcoroutinelocals(coroutine) or {}).values())
    coroutine.close()
    for item in held:
        if inspect.iscoroutine(item) and inspect.getcoroutinestate(item) == inspect.CORO_CREATED:
            item.close()


def run(
    function: Any, *arguments: Any, after: Callable[[], None] = lambda: None
) -> tuple[Any, bool]:
    """Return what a coroutine function returns, and whether the event loop was free meanwhile.

    `after` is called before the event loop ends. Raises WrongAnswer: "plain" where
    `function` is no coroutine function, "generator" where it yields, "unawaited" where it leaves
    something to await.
    """

    async def work() -> tuple[Any, bool]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticker = asyncio.create_task(tick())
        made = function(*arguments)
        wrong_unless(not inspect.isasyncgen(made), "generator")
        wrong_unless(inspect.isawaitable(made), "plain")
        begun = time.perf_counter()
        got = await made
        free = time.perf_counter() - begun < 0.1 or ticks > 2
        ticker.cancel()
        items = got if isinstance(got, (list, tuple)) else [got]
        left = [item for item in items if inspect.isawaitable(item)]
        for item in left:  # put them out of the way: what is wrong with them is said below
            if inspect.iscoroutine(item):
                close(item)
            elif isinstance(item, asyncio.Future):
                item.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await item
        wrong_unless(not left, "unawaited", got=type(left[0]).__name__ if left else "")
        await asyncio.sleep(0.05)  # what was cancelled ends now
        after()
        return got, free

    return asyncio.run(work())
