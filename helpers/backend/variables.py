"""Sets environment variables of this process, and remembers what the learner had set."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

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


def give_back(*names: str) -> None:
    """Let variables be again as the learner set them; without names, all that `put` changed."""
    for name in names or tuple(_changed):
        put(**{name: learners(name)})


@contextlib.contextmanager
def all_or_nothing() -> Iterator[None]:
    """Undo what the block did to the environment if it ends in an exception."""
    environment, changed = dict(os.environ), dict(_changed)
    try:
        yield
    except BaseException:
        os.environ.clear()
        os.environ.update(environment)
        _changed.clear()
        _changed.update(changed)
        raise
