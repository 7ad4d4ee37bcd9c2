"""Keeps what a learner has solved and predicted, in a file of this folder and nowhere else."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from helpers.exercises.texts import all_texts, lessons
from helpers.i18n import _, listed
from helpers.setup.files import learners, try_lock, write_whole

FOLDER_VARIABLE = "COURSE_PROGRESS"  # another folder; os.devnull: keep nothing (building, testing)
RENAMED_FILE = Path(__file__).with_name("renamed.json")  # exercises' names, old -> today's
VERSION = 1
PATIENCE = 5.0  # seconds to wait for another notebook that is writing


class ProgressError(Exception):
    """Progress could not be kept or read; the work in the notebook is not affected."""


def folder() -> Path:
    """Return the folder that holds the progress file."""
    return Path(os.environ.get(FOLDER_VARIABLE) or learners(".progress"))


def read() -> dict[str, dict[str, Any]]:
    """Return what is known of each exercise: {"attempts": int, "solved": "2026-11-21" or None}.

    Raises ProgressError as `read_all` does.
    """
    return read_all()["exercises"]


def read_all() -> dict[str, dict[str, Any]]:
    """Return all that is kept: "exercises", "predictions" (their texts) and "earlier".

    Exercises have today's names; what is under "earlier" lives on nowhere. A file that is damaged or
    of another version is moved aside, and its new name printed. Raises ProgressError where the file
    is there and cannot be read or moved.
    """
    path = folder() / "progress.json"
    nothing: dict[str, dict[str, Any]] = {"exercises": {}, "predictions": {}, "earlier": {}}
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        kept = {**nothing, **{key: data[key] for key in nothing if key in data}}
        if data["version"] == VERSION and is_sound(kept):
            return by_todays_names(kept)
    except (FileNotFoundError, NotADirectoryError):
        return nothing
    except OSError as error:  # what could not be read must not be written over
        raise ProgressError(reason(error)) from error
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
        raise ProgressError(reason(error)) from error
    return nothing


def is_sound(kept: dict[str, Any]) -> bool:
    """Say whether the parts of a progress file have the form that `read_all` promises."""
    if not all(isinstance(part, dict) for part in kept.values()):
        return False
    return all(isinstance(text, str) for text in kept["predictions"].values()) and all(
        isinstance(entry, dict)
        and isinstance(entry.get("attempts"), int)
        and isinstance(entry.get("solved"), (str, type(None)))
        for part in ("exercises", "earlier")
        for entry in kept[part].values()
    )


def by_todays_names(kept: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what is kept with each exercise under today's name, and the rest under "earlier".

    What was kept of several that are one today is added up.
    """
    renamed: dict[str, str] = json.loads(RENAMED_FILE.read_text(encoding="utf-8"))
    exercises: dict[str, Any] = {}
    earlier: dict[str, Any] = {}
    for old, entry in [*kept["exercises"].items(), *kept["earlier"].items()]:
        name = renamed.get(old, old)
        part = exercises if name in all_texts() else earlier
        other = part.get(name, {"attempts": 0, "solved": None})
        days = [day for day in (entry["solved"], other["solved"]) if day]
        attempts = entry["attempts"] + other["attempts"]
        part[name] = {"attempts": attempts, "solved": min(days, default=None)}
    return {**kept, "exercises": exercises, "earlier": earlier}


def reason(error: OSError) -> str:
    """Return why a file could not be read or written, as a learner can understand it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _("the disk is full; what was kept before is still there")
    return str(error)


@contextlib.contextmanager
def changing() -> Iterator[dict[str, dict[str, Any]]]:
    """Give what `read_all` returns to change, alone, and write it atomically afterwards.

    Raises ProgressError where the folder cannot be written to, or the file not be read.
    """
    if str(folder()) == os.devnull:
        yield {"exercises": {}, "predictions": {}, "earlier": {}}
        return
    try:
        folder().mkdir(parents=True, exist_ok=True)
        with (folder() / "lock").open("a", encoding="utf-8") as file:
            deadline = time.monotonic() + PATIENCE
            while not try_lock(file):
                if time.monotonic() > deadline:
                    raise ProgressError(f"{folder()} is locked")
                time.sleep(0.02)
            kept = read_all()
            yield kept
            text = json.dumps(
                {"version": VERSION, **kept}, indent=1, sort_keys=True, ensure_ascii=False
            )
            write_whole(folder() / "progress.json", text + "\n")
    except OSError as error:
        raise ProgressError(reason(error)) from error


def record(name: str, solved: bool) -> None:
    """Note an attempt at the exercise `name`, and that it is solved. Raises ProgressError."""
    with changing() as kept:
        entry = kept["exercises"].setdefault(name, {"attempts": 0, "solved": None})
        entry["attempts"] += 1
        if solved and not entry["solved"]:
            entry["solved"] = f"{datetime.now():%Y-%m-%d}"


def reset(lesson: str | None = None) -> None:
    """Forget what is kept of one lesson ("04-stream"), or all. Raises ProgressError."""
    with changing() as kept:
        for part in kept.values():
            for name in list(part):
                if lesson in (None, name.partition("/")[0]):
                    del part[name]


def keep_prediction(name: str, text: str) -> None:
    """Keep what a learner thinks the cell `name` will show. Raises ProgressError."""
    with changing() as kept:
        kept["predictions"][name] = text


def not_kept(error: ProgressError) -> str:
    """Return what a learner is told where progress could not be kept."""
    return _("(Your progress could not be saved: {error}.)").format(error=error)


def overview() -> str:
    """Return how many exercises of each lesson are solved, a line each."""
    try:
        kept = read_all()
    except ProgressError as error:
        return _("Your progress could not be read: {error}.").format(error=error)
    done = kept["exercises"]
    width = max(map(len, lessons()), default=0)
    lines = []
    for lesson in lessons():
        names = [name for name in all_texts() if name.partition("/")[0] == lesson]
        solved = sum(bool(done.get(name, {}).get("solved")) for name in names)
        text = _("{lesson}  {solved} of {count}")
        lines.append(text.format(lesson=f"{lesson:{width}}", solved=solved, count=len(names)))
    if kept["earlier"]:
        text = _("No longer in the course, and kept all the same: {names}.")
        lines.append(text.format(names=listed(kept["earlier"])))
    return "\n".join(lines) or _("No exercise yet.")
