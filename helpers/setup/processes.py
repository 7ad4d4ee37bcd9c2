"""Starts and ends other processes, and knows how this one is called."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from helpers.setup import ROOT

# Of Python's own variables, those that say how it prints, warns and caches. All others may change
# what is imported or run, and reach no child.
HARMLESS = {
    *("PYTHONASYNCIODEBUG", "PYTHONCOERCECLOCALE", "PYTHONDEBUG", "PYTHONDEVMODE"),
    *("PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED", "PYTHONIOENCODING"),
    *("PYTHONLEGACYWINDOWSSTDIO", "PYTHONNODEBUGRANGES", "PYTHONPYCACHEPREFIX"),
    *("PYTHONTRACEMALLOC", "PYTHONUNBUFFERED", "PYTHONVERBOSE", "PYTHONWARNDEFAULTENCODING"),
    *("PYTHONWARNINGS", "PYTHON_COLORS", "PYTHON_KEYRING_BACKEND"),
}


def typed(*arguments: str) -> str:
    """Return what a person types to run this command line with `arguments`."""
    name = "py" if os.name == "nt" and shutil.which("py") else Path(sys.executable).name
    if name == "python" and is_inside(ROOT / ".venv"):  # known as such in there only
        name = "python3"
    return subprocess.list2cmdline([name, "-m", "helpers", *arguments])


def as_typed() -> str:
    """Return what was typed to run this command, for a person who is to type it again."""
    return typed(*sys.argv[1:])


def python_of(venv: Path) -> Path:
    """Return the path of the interpreter in the environment `venv`, whether it exists or not."""
    return venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def is_inside(venv: Path) -> bool:
    """Say whether the running Python is that of the environment `venv`."""
    return Path(sys.prefix).resolve() == venv.resolve()


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment variables for a child process: ours, UTF-8 everywhere, and `more`.

    Python's own do not reach it unless they are HARMLESS, or PYTHONPATH names the course and nothing
    else, nor do the packages that the user installed for himself. Where there is no home folder to
    write to, as in a container whose user the system does not know, .venv is it.
    """
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON")
        or name in HARMLESS
        or (name, value) == ("PYTHONPATH", str(ROOT))
    }
    home = os.path.expanduser("~")  # noqa: PTH111  where Path.home() raises, this returns "~"
    if not (Path(home).is_dir() and os.access(home, os.W_OK)):
        ours["HOME"] = str(ROOT / ".venv")
    return {**ours, "PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", **more}


def stop(child: subprocess.Popen[bytes], patience: float = 0) -> int:
    """Let `child`, which Ctrl-C may have reached too, end within `patience` seconds; then end it.

    Returns its exit code. This process is about to end too, and hears no further Ctrl-C: pressing
    it twice must not leave the child behind.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(patience)
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        return child.wait(10)
    child.kill()
    return child.wait()


def run(command: Sequence[str], cwd: Path | None = None) -> int:
    """Run `command` in this terminal and return its exit code; Ctrl-C is the child's to answer."""
    child = subprocess.Popen(command, cwd=cwd, env=child_environment())
    try:
        code = child.wait()
    except KeyboardInterrupt:
        code = stop(child, patience=10)
    except BaseException:
        stop(child)
        raise
    return code if code >= 0 else 128 - code
