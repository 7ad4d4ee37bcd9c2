"""Writes files whole, and locks them: what several windows and notebooks share is never half there."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from helpers.i18n import _
from helpers.setup import ROOT, CourseError
from helpers.setup.processes import as_typed

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PAUSES = (0.02, 0.1, 0.5)  # seconds


def learners(name: str, root: Path = ROOT) -> Path:
    """Return where a learner keeps the file or folder `name`; it need not exist.

    That is the course's folder, if it is the learner's own and can be written to. Else, and on a hub,
    where a folder may be everybody's, it is in the user's data folder.
    """
    if "JUPYTERHUB_USER" not in os.environ and is_course(root) and is_own(root):
        return root / name
    from platformdirs import user_data_path

    return user_data_path("langchain-chat-models-course", appauthor=False) / name


def is_course(root: Path) -> bool:
    """Say whether `root` is the course, and not where pip has put `helpers` alone."""
    return (root / "requirements.txt").is_file()


def is_own(folder: Path) -> bool:
    """Say whether a folder belongs to this user, who can write to it."""
    mine = sys.platform == "win32" or folder.stat().st_uid == os.getuid()
    return mine and os.access(folder, os.W_OK)


def write_whole(path: Path, text: str) -> None:
    """Write `text` as UTF-8 with \\n line ends; `path` holds the old or the new text, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _replace(new, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            new.unlink()


def _replace(new: Path, path: Path) -> None:
    """Give `new` the name `path`. Windows refuses that while another program reads what has it."""
    for pause in PAUSES if sys.platform == "win32" else ():
        try:
            new.replace(path)
            return
        except PermissionError:
            time.sleep(pause)
    new.replace(path)


def is_writable(path: Path) -> bool:
    """Say whether this user can change the file `path`, or make files in the folder `path`."""
    if not path.is_dir():
        return os.access(path, os.W_OK)
    try:
        tempfile.TemporaryFile(dir=path).close()  # what the file system says, whatever the modes
    except OSError:
        return False
    return True


def read_only(folder: Path) -> CourseError:
    """Return the error that says that `folder`, the course or a part of it, cannot be written to."""
    text = _(
        "This folder cannot be written to, so nothing can be saved in it:\n\n    {folder}\n\n"
        "Copy the course into your home folder, change to the copy and type:\n\n    {command}"
    )
    return CourseError(text.format(folder=folder, command=as_typed()))


def refused(error: OSError) -> CourseError:
    """Return the error that says which file or folder the system refused, and why."""
    text = _(
        "The system refuses {file}: {reason}.\n"
        "If another user made it, for example with sudo, delete it or make it yours. Then type the same "
        "command again:\n\n    {command}"
    )
    file = error.filename2 or error.filename
    return CourseError(text.format(file=file, reason=error.strerror, command=as_typed()))


def check_savable(root: Path, lang: str) -> None:
    """Raise CourseError where the notebooks in `lang` of the course `root` cannot be saved."""
    folder = root / "notebooks" / lang
    if not all(map(is_writable, [folder, *folder.glob("*.ipynb")])):
        raise read_only(folder)


def try_lock(file: IO[str]) -> bool:
    """Lock `file` until it is closed; False where another process holds it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True
