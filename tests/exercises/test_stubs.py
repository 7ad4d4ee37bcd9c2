"""Tests of telling a stub from an answer."""

from __future__ import annotations

from helpers.exercises import exercise
from helpers.exercises.stubs import is_stub, stubs_in
from helpers.exercises.verdict import UNTOUCHED


def test_stubs_are_recognised_and_answers_are_not_mistaken_for_stubs() -> None:
    def empty() -> None: ...

    def documented() -> None:
        """Say something."""

    async def empty_async() -> None:
        """Say something."""

    async def working_async() -> None:
        await working_async()

    def constant() -> int:
        return 1

    def working() -> None:
        print()

    assert all(map(is_stub, [..., empty, documented, empty_async]))
    assert not any(map(is_stub, [None, 0, "", constant, working, working_async, len]))


def test_of_a_class_that_is_half_done_the_methods_are_named_that_are_not() -> None:
    class Untouched:
        def __init__(self) -> None:
            self.heard = 0

        def first(self) -> None: ...

        def second(self) -> None:
            """Do something."""

    class HalfDone(Untouched):
        def first(self) -> None:
            self.heard = 1

        def second(self) -> None: ...

    class Working(HalfDone):
        def second(self) -> None:
            self.heard = 2

    parts = stubs_in
    assert [parts("A", kind) for kind in (Untouched, Working, ...)] == [["A"], [], ["A"]]
    assert parts("A", HalfDone) == ["A.second"]
    tally = exercise("08-usage-and-tracing/tally")
    half, untouched = tally.judge(HalfDone), tally.judge(Untouched)
    assert half.outcome == untouched.outcome == UNTOUCHED
    assert half.text == "**Not finished.** Still as it was handed out: `Tally.second`."
    assert untouched.text.startswith("**Not attempted.**")
