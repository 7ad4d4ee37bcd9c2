"""Keeps which exercises a learner has solved, in a file of this folder and nowhere else."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from helpers.exercises.texts import all_texts, lessons
from helpers.i18n import _
from helpers.setup.files import learners, try_lock, write_whole

FOLDER_VARIABLE = "COURSE_PROGRESS"  # another folder; os.devnull: keep nothing (building, testing)
VERSION = 1
PATIENCE = 5.0  # seconds to wait for another notebook that is writing


class ProgressError(Exception):
    """Progress could not be kept or read; the work in the notebook is not affected."""


def folder() -> Path:
    """Return the folder that holds the progress file."""
    return Path(os.environ.get(FOLDER_VARIABLE) or learners(".progress"))


def read() -> dict[str, dict[str, Any]]:
    """Return what is known of each exercise: {"attempts": int, "solved": "2026-11-21" or None}.

    A file that is damaged or of another version is moved aside, and its new name printed. Raises
    ProgressError where the file is there and cannot be read or moved.
    """
    path = folder() / "progress.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        if data["version"] == VERSION and is_sound(data["exercises"]):
            exercises: dict[str, dict[str, Any]] = data["exercises"]
            return exercises
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:  # what could not be read must not be written over
        raise ProgressError(str(error)) from error
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    aside = path.with_name(f"progress-{datetime.now():%Y%m%d-%H%M%S-%f}.json")
    try:
        path.replace(aside)
        text = _(
            "The progress file {path} could not be read. It was kept as {aside}, and a new one begun."
        )
        print(text.format(path=path.name, aside=aside))
    except FileNotFoundError:  # another notebook has moved it just now
        pass
    except OSError as error:
        raise ProgressError(str(error)) from error
    return {}


def is_sound(exercises: Any) -> bool:
    """Say whether the exercises' part of a progress file has the form that `read` promises."""
    return isinstance(exercises, dict) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("attempts"), int)
        and isinstance(entry.get("solved"), (str, type(None)))
        for entry in exercises.values()
    )


@contextlib.contextmanager
def changing() -> Iterator[dict[str, dict[str, Any]]]:
    """Give the exercises to change, alone, and write them atomically afterwards.

    Raises ProgressError where the folder cannot be written to, or the file not be read.
    """
    if str(folder()) == os.devnull:
        yield {}
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with (folder() / "lock").open("a", encoding="utf-8") as file:
            deadline = time.monotonic() + PATIENCE
            while not try_lock(file):
                if time.monotonic() > deadline:
                    raise ProgressError(f"{folder()} is locked")
                time.sleep(0.02)
            exercises = read()
            yield exercises
            text = json.dumps(
                {"version": VERSION, "exercises": exercises}, indent=1, sort_keys=True
            )
            write_whole(folder() / "progress.json", text + "\n")
    except OSError as error:
        raise ProgressError(str(error)) from error


def record(name: str, solved: bool) -> None:
    """Note an attempt at the exercise `name`, and that it is solved. Raises ProgressError."""
    with changing() as exercises:
        entry = exercises.setdefault(name, {"attempts": 0, "solved": None})
        entry["attempts"] += 1
        if solved and not entry["solved"]:
            entry["solved"] = f"{datetime.now():%Y-%m-%d}"


def reset(lesson: str | None = None) -> None:
    """Forget one lesson's exercises ("04-stream"), or all. Raises ProgressError."""
    with changing() as exercises:
        for name in list(exercises):
            if lesson in (None, name.partition("/")[0]):
                del exercises[name]


def not_kept(error: ProgressError) -> str:
    """Return what a learner is told where progress could not be kept."""
    return _("(Your progress could not be saved: {error}.)").format(error=error)


def overview() -> str:
    """Return how many exercises of each lesson are solved, a line each."""
    try:
        done = read()
    except ProgressError as error:
        return _("Your progress could not be read: {error}.").format(error=error)
    width = max(map(len, lessons()), default=0)
    lines = []
    for lesson in lessons():
        names = [name for name in all_texts() if name.partition("/")[0] == lesson]
        solved = sum(bool(done.get(name, {}).get("solved")) for name in names)
        text = _("{lesson}  {solved} of {count}")
        lines.append(text.format(lesson=f"{lesson:{width}}", solved=solved, count=len(names)))
    return "\n".join(lines) or _("No exercise yet.")
