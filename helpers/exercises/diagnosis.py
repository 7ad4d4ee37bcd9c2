"""Recognizes mistakes that occur in every exercise, where the judge of one could not say what is wrong."""

from __future__ import annotations

import difflib
import dis
import inspect
import re
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from langchain_openai import ChatOpenAI

from helpers.exercises.awaiting import close
from helpers.exercises.verdict import WrongAnswer, safely

SAYS_SO = (
    "parameter",
    "model",
)  # keys of verdicts that tell of a variable of the lesson themselves
UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
UNAWAITED = re.compile(
    r"'(coroutine|async_generator|_GatheringFuture|Task|Future)' object (?!is not callable)"
)


def of_verdict(wrong: WrongAnswer) -> WrongAnswer:
    """Return the verdict of a judge, or a better one where what came is still to be awaited."""
    waiting = [value for value in wrong.fields.values() if inspect.isawaitable(value)]
    for value in filter(inspect.iscoroutine, waiting):
        close(value)
    return WrongAnswer("unawaited", got=type(waiting[0]).__name__) if waiting else wrong


def of_error(error: BaseException, answers: Iterable[Any]) -> WrongAnswer | None:
    """Return why an answer raised, where that is one of the mistakes known here.

    Coroutines that nobody will await are closed, for else Python warns of them below another cell.
    """
    for answer in filter(inspect.iscoroutine, answers):
        close(answer)
    said = safely(str, error)
    if isinstance(error, (AttributeError, TypeError)) and (found := UNAWAITED.search(said)):
        held = getattr(error, "obj", None)
        if inspect.iscoroutine(held):
            close(held)
        return WrongAnswer("used-unawaited", got=found[1], error=f"{type(error).__name__}: {said}")
    if isinstance(error, TypeError) and (unknown := UNEXPECTED.search(said)):
        settings = names_of_settings()
        meant = difflib.get_close_matches(unknown[1], settings, n=1, cutoff=0.8)
        if meant and unknown[1] not in settings:
            return WrongAnswer("misspelt", got=unknown[1], meant=meant[0])
    return None


def names_of_settings() -> list[str]:
    """Return what a call of a chat model may be given, as its class knows it."""
    fields = ChatOpenAI.model_fields
    aliases = [field.alias for field in fields.values() if field.alias]
    return [*fields, *aliases, "tools", "tool_choice", "response_format"]


def unused_parameter(answers: Iterable[Any]) -> WrongAnswer | None:
    """Return what is wrong where a function leaves a parameter alone and takes a variable of the lesson.

    It is said besides what a judge says, which knows what came of it.
    """
    for function in answers:
        if not isinstance(function, FunctionType):
            continue
        code = function.__code__
        count = code.co_argcount + code.co_kwonlyargcount
        unused = [name for name in code.co_varnames[:count] if name not in used(code)]
        foreign = [
            name
            for name in names_read(code)
            if not name.isupper() and is_variable(function.__globals__.get(name))
        ]
        if unused and foreign:
            return WrongAnswer("foreign", parameter=unused[0], name=foreign[0])
    return None


def is_variable(value: object) -> bool:
    """Say whether a global name holds what a lesson makes and works with, and no tool of the trade."""
    tools = (type(None), type, FunctionType, ModuleType)
    return not isinstance(value, tools) and not inspect.isroutine(value)


def codes(code: CodeType) -> Iterator[CodeType]:
    """Give the code of a function and of those inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def used(code: CodeType) -> set[str]:
    """Return the local names that a function reads, those that it hands to inner ones included."""
    steps = [step for inner in codes(code) for step in dis.get_instructions(inner)]
    read = {step.argval for step in steps if "LOAD_FAST" in step.opname}
    pairs = {name for names in read if isinstance(names, tuple) for name in names}  # Python 3.13
    return {name for name in read if isinstance(name, str)} | pairs | set(code.co_cellvars)


def names_read(code: CodeType) -> list[str]:
    """Return the global names that a function reads, in the order of the code."""
    return [
        step.argval
        for inner in codes(code)
        for step in dis.get_instructions(inner)
        if step.opname == "LOAD_GLOBAL"
    ]
