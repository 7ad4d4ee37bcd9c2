"""Tells whether a function and its arguments are the same as last time, by a hash of all they do."""

from __future__ import annotations

import builtins
import dataclasses
import dis
import inspect
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any

PLAIN = (bool, int, float, complex, str, bytes, range, PurePath, type(...))
# How a call is compiled depends on whether the import stands in the same cell.
SILENT = {"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL", "RESUME"}
CALLS = {"LOAD_METHOD": "LOAD_ATTR", "CALL_METHOD": "CALL", "CALL_FUNCTION": "CALL"}
JUMPS = {*dis.hasjabs, *dis.hasjrel}


def feed(digest: Any, value: Any) -> None:
    """Add to a hash all that makes `value` what it is. Raises TypeError where that cannot be said."""
    kind, parts = taken_apart(value)
    digest.update(f"{kind} {len(parts)}\n".encode())
    for part in parts:
        if isinstance(part, bytes):
            digest.update(b"%d\n%s" % (len(part), part))
        else:
            feed(digest, part)


def taken_apart(value: Any) -> tuple[str, Sequence[Any]]:
    """Return what kind of thing `value` is and what it consists of, in the end bytes."""
    kind = type(value).__name__
    if value is None or isinstance(value, PLAIN):
        return kind, [repr(value).encode()]
    if isinstance(value, Mapping):
        return "mapping", [part for pair in value.items() for part in pair]
    if isinstance(value, (list, tuple)):
        return kind, value
    if isinstance(value, (set, frozenset)):
        return "set", sorted(value, key=repr)
    if isinstance(value, CodeType):
        return kind, steps(value)
    if isinstance(value, FunctionType):
        return kind, [part for own in reached(value) for part in behaviour(own)]
    if isinstance(value, ModuleType) or hasattr(value, "__qualname__"):  # and classes
        return kind, [value.__name__]
    if hasattr(value, "to_json_string"):  # transformers' configurations
        return kind, [value.to_json_string()]
    if dataclasses.is_dataclass(value):
        return kind, [getattr(value, field.name) for field in dataclasses.fields(value)]
    if hasattr(value, "backend_tokenizer"):  # transformers' tokenizers
        return kind, [value.backend_tokenizer.to_str(), value.chat_template]
    if hasattr(value, "numpy"):  # a tensor
        return kind, taken_apart(value.detach().cpu().numpy())[1]
    if hasattr(value, "tobytes"):  # an array
        return kind, [str(value.dtype), value.shape, value.tobytes()]
    raise TypeError(
        f"a kept function cannot tell whether a {kind} is the same as last time: "
        "give it each network as an argument of its own, and beside them plain values"
    )


def reached(function: FunctionType) -> list[FunctionType]:
    """Return the function and all of its own module that it may call, those of classes among them.

    What comes from other modules is known by its name, and so is not looked into.
    """
    found = [function]
    for own in found:
        for value in globals_of(own).values():
            for other in vars(value).values() if isinstance(value, type) else [value]:
                other = inspect.unwrap(other) if callable(other) else other
                if (
                    isinstance(other, FunctionType)
                    and other.__module__ == function.__module__
                    and other not in found
                ):
                    found.append(other)
    return found


def behaviour(function: FunctionType) -> list[Any]:
    """Return what decides what a function does: its steps, its defaults, and what it reads."""
    values = {
        name: value.__qualname__ if isinstance(value, FunctionType) else value
        for name, value in globals_of(function).items()
    }
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [function.__code__, function.__defaults__, function.__kwdefaults__, values, cells]


def steps(code: CodeType) -> list[Any]:
    """Return what a piece of code does, step by step, without its docstring and its lines."""
    taken = [step for step in dis.get_instructions(code) if step.opname not in SILENT]
    offsets = [step.offset for step in taken]
    found: list[Any] = [code.co_varnames]
    for step in taken:
        given = step.argval
        if step.opcode in JUMPS:
            given = bisect_left(offsets, given)
        elif step.opcode in dis.hasconst and step.arg is not None:
            given = code.co_consts[step.arg]  # `dis` does not tell those of a call's names
        found += [CALLS.get(step.opname, step.opname), given]
    return found


def globals_of(function: FunctionType) -> dict[str, Any]:
    """Return the globals that a function, or one defined in it, reads.

    Without Python's own, of which notebooks have others in their place, such as `open`.
    """
    codes, names = [function.__code__], set()
    for code in codes:
        names |= {
            step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"
        }
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    known = function.__globals__
    return {name: known[name] for name in sorted(names & set(known) - set(dir(builtins)))}
