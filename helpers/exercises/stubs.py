"""Tells what is still as the lesson handed it out from what a learner has written."""

from __future__ import annotations

import dis
from types import FunctionType
from typing import Any

# What the code of a function that does nothing consists of, the last two lines if it is async.
NOTHING = {"RESUME", "NOP", "RETURN_VALUE"}
NOTHING |= {"GEN_START", "RETURN_GENERATOR", "POP_TOP", "CALL_INTRINSIC_1", "RERAISE"}


def stubs_in(name: str, answer: Any) -> list[str]:
    """Return the names of what is still as the lesson handed it out: `name`, or nothing.

    Of a class it is those methods, where another is done; `__init__` and its like do not count
    as done, for they may have been there from the start.
    """
    if not isinstance(answer, type):
        return [name] if is_stub(answer) else []
    methods = {key: it for key, it in vars(answer).items() if isinstance(it, FunctionType)}
    stubs = [key for key, method in methods.items() if is_stub(method)]
    done = [key for key in methods if key not in stubs and not key.startswith("__")]
    return [f"{name}.{key}" for key in stubs] if done else [name] if stubs else []


def is_stub(answer: Any) -> bool:
    """Say whether an answer is `...`, or a function that does nothing."""
    if not isinstance(answer, FunctionType):
        return answer is ...
    return all(
        step.opname in NOTHING
        or (step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval is None)
        for step in dis.get_instructions(answer)
    )
