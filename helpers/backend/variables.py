"""Sets environment variables of this process, and remembers what the learner had set."""

from __future__ import annotations

import os

# Name -> what was put there and what stood there before; None is a variable that is not set.
_changed: dict[str, tuple[str | None, str | None]] = {}


def put(**variables: str | None) -> None:
    """Set environment variables, or take them away (None), and remember what stood there before."""
    for name, value in variables.items():
        _changed[name] = (value, learners(name))
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def learners(name: str) -> str | None:
    """Return a variable as the learner set it, whatever `put` set in its place."""
    now = os.environ.get(name)
    ours, before = _changed.get(name, (None, None))
    return before if now == ours else now


def ours(name: str) -> str | None:
    """Return what `put` set last, whatever stands there now."""
    return _changed.get(name, (None, None))[0]


def give_back(name: str) -> None:
    """Let a variable be again as the learner set it."""
    put(**{name: learners(name)})
