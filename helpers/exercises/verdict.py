"""What a check can say of an answer, and how the check of an exercise is found."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from helpers.exercises.texts import all_texts
from helpers.i18n import N_

CORRECT, INCORRECT, UNTOUCHED = "correct", "incorrect", "not attempted"


# What is said of mistakes that many exercises know, where an exercise says nothing of its own.
SHARED = {
    "none": N_("The function returned nothing. Is there a `return`?"),
    "printed": N_(
        "The function printed its result instead of returning it. Put `return` where `print` stands."
    ),
    "message": N_("This is the whole message; its `.text` was asked for."),
    "messages": N_("These are whole messages; the text of each was asked for."),
    "string": N_("A string was expected; this is of type `{got}`."),
    "other": N_("`{expected}` was expected; this came: `{got}`"),
    "model": N_(
        "The function did not call the model it was given. Use its argument `model`, not a model of "
        "the lesson."
    ),
    "parameter": N_(
        "Given something else, the function returned the same: `{got}`. Use its parameter, not "
        "`{name}`, which is a variable of the lesson."
    ),
    "instance": N_(
        "Hand over the class itself, `{name}`, without brackets: the check makes an object of it."
    ),
    "one-by-one": N_(
        "The answers are right, but only one call was under way at a time. Ask all at once."
    ),
    "plain": N_(
        "Keep the `async def`: what the function returned was no coroutine, so there was nothing to "
        "`await`."
    ),
    "generator": N_(
        "A function with `yield` is a generator and cannot be awaited. Collect the results and "
        "`return` them."
    ),
    "unawaited": N_(
        "Something in the result is still waiting to be awaited: `{got}`. Is an `await` missing?"
    ),
    "used-unawaited": N_(
        "Your code raised `{error}`: it used something that was still to be awaited. Is an `await` "
        "missing?"
    ),
    "misspelt": N_("A chat model has no parameter `{got}`. Is `{meant}` meant?"),
    "foreign": N_(
        "The function never uses its parameter `{parameter}`. It uses `{name}` instead, which is a "
        "variable of the lesson."
    ),
    "new-list": N_(
        "The list that was handed over is as empty as before. Change that very list, with `append`: "
        "`{name} = {name} + [...]` makes another one, which is gone when the function ends."
    ),
    "blocked": N_("A call without `a` (`invoke`, `batch`, `stream`) blocked the event loop."),
    "choices": N_("Answer with one of the letters {letters}, for example `answer = {example!r}`."),
}

# The same mistakes in few words, as what a drill lets one choose from.
SHARED_NAMES = {
    "none": N_("Returns nothing"),
    "printed": N_("Prints the result instead of returning it"),
    "message": N_("Returns the whole message instead of its text"),
    "messages": N_("Returns whole messages instead of their texts"),
    "string": N_("Returns something that is no string"),
    "model": N_("Does not call the model that was handed over"),
    "parameter": N_("Uses a variable of the lesson instead of the parameter"),
    "instance": N_("Is an object instead of the class itself"),
    "one-by-one": N_("Asks one question after the other"),
    "plain": N_("Is no coroutine function"),
    "generator": N_("Yields the results instead of returning them"),
    "unawaited": N_("Forgets an `await`"),
    "used-unawaited": N_("Forgets an `await`"),
    "misspelt": N_("Misspells a parameter of the model"),
    "foreign": N_("Uses a variable of the lesson instead of the parameter"),
    "new-list": N_("Leaves the list that was handed over as it was"),
    "blocked": N_("Blocks the event loop"),
}
UNNAMED = ("other", "choices")  # these say that no mistake was recognized, so nothing to choose


class WrongAnswer(Exception):
    """What a check raises: the key of the message for the learner, and what to fill into it."""

    def __init__(self, key: str, **fields: object) -> None:
        super().__init__(key)
        self.key = key
        self.fields = fields


@dataclass(frozen=True)
class Result:
    """CORRECT, INCORRECT or UNTOUCHED, the text for the learner (Markdown), and what it was made of.

    That is the key of a message of the exercise, and the fields that were filled into it.
    """

    outcome: str
    text: str
    key: str = ""
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """How an exercise is judged: the names that hold the answer, and a function of their values."""

    names: tuple[str, ...]
    judge: Callable[..., None]


CHECKS: dict[str, Check] = {}  # a lesson's module of checks adds its own when it is loaded


def check_of(name: str) -> Check:
    """Return how the exercise `name` is judged; its lesson's checks are loaded, and no other's.

    Raises LookupError, naming the exercises there are, for a name that none has.
    """
    if name not in all_texts():
        known = ", ".join(sorted(all_texts()))
        raise LookupError(f"There is no exercise {name!r}. There are: {known}.")
    importlib.import_module(f"helpers.exercises.checks.lesson_{name[:2]}")
    return CHECKS[name]


def safely(show: Callable[[Any], str], value: object) -> str:
    """Return `show(value)`, str or repr, or the type's name where a learner's class fails at it."""
    try:
        return show(value)
    except Exception:
        return type(value).__name__


def shorten(value: object, limit: int = 200) -> str:
    """Return a value as text of at most `limit` characters, on one line, fit for inline code."""
    plain = isinstance(value, str) and value.strip() == value != ""
    text = str(value) if plain else safely(repr, value)
    text = " ".join(text.split()).replace("`", "'").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"
