"""Exercises that check themselves: check, hint, solution, as text anywhere and as buttons in Jupyter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.exercises.progress import overview
from helpers.exercises.texts import lessons

if TYPE_CHECKING:
    from helpers.exercises.session import Exercise

__all__ = ["exercise", "lessons", "overview"]


def exercise(name: str) -> Exercise:
    """Return the exercise `name`, for example "04-stream/first-token".

    Raises LookupError, naming the exercises there are, for a name that none has.
    """
    from helpers.exercises.session import Exercise  # it needs Jupyter, which the others do not

    return Exercise(name)
