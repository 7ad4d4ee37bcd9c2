"""Installs packages with an environment's pip, shows how far it is, and explains how it failed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from helpers.i18n import N_, _
from helpers.setup import CourseError
from helpers.setup.processes import as_typed, child_environment, stop

# How far pip is, as `progress` counts it.
PHASES = (
    N_("Step 2 of 2: looking up packages, {done} of {total}"),
    N_("Step 2 of 2: downloading packages, {done} of {total}"),
    N_("Step 2 of 2: installing packages, {done} of {total}"),
)
# What pip says when it is the network that failed. It differs between versions, and may be no more
# than that it found no version at all of a package.
NETWORK_FAILURE = re.compile(
    r"(Connection|Timeout|Proxy|SSL|NameResolution|Protocol)Error"
    r"|onnection (broken|aborted|refused|reset)|timed out|from versions: none|Max retries"
)


def install(python: Path, site: Path, files: Sequence[Path], root: Path) -> None:
    """Install what the requirements `files` pin, and show how far it is.

    `python` is that of the environment under `root`, and `site` where it keeps its packages. Raises
    CourseError, OSError.
    """
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    required = sum(bool(line.strip()) and line.lstrip()[0] not in "#-" for line in lines)
    before = len(list(site.glob("*.dist-info")))
    log = log_of(root)
    command = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    command += ["--disable-pip-version-check"]
    command += [part for file in files for part in ("-r", str(file))]
    shown, shown_at = -1, 0.0
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(PIP_USER="0"),
            close_fds=False,  # the lock
        )
        try:
            while child.poll() is None:
                said = log.read_text(encoding="utf-8", errors="replace")
                added = len(list(site.glob("*.dist-info"))) - before
                phase, done, total = progress(said, required, added)
                line = _(PHASES[phase]).format(done=done, total=total)
                if sys.stdout.isatty():
                    print("\r" + line.ljust(60), end="", flush=True)
                elif phase != shown or time.monotonic() - shown_at > 15:
                    print(line, flush=True)
                    shown, shown_at = phase, time.monotonic()
                time.sleep(0.2)
        except BaseException:
            stop(child)
            raise
        finally:
            if sys.stdout.isatty():
                print()
    if child.returncode:
        raise failure(log.read_text(encoding="utf-8", errors="replace"), root)


def progress(log: str, required: int, added: int) -> tuple[int, int, int]:
    """Return how far pip is: the index into PHASES, packages done, packages in all.

    `log` is what pip has said, `required` the number of requirements, `added` the
    number of packages that have appeared since pip began (it says nothing while it installs).
    """
    lines = [line.strip() for line in log.splitlines()]
    for line in lines:
        if line.startswith("Installing collected packages: "):
            total = line.count(", ") + 1
            return 2, min(max(added, 0), total), total
    required -= sum(line.startswith("Ignoring ") for line in lines)
    wanted = sum(line.startswith("Collecting ") for line in lines)
    there = sum(line.startswith("Requirement already satisfied: ") for line in lines)
    if wanted + there < required or not wanted:
        return 0, wanted + there, required
    fetched = sum(
        line.startswith(("Downloading ", "Using cached ")) and ".metadata" not in line
        for line in lines
    )
    return 1, min(fetched, wanted), wanted


def is_whole(package: Path) -> bool:
    """Say whether pip finished installing the package whose .dist-info folder this is.

    The last thing that pip does is to add its own files, INSTALLER among them, to RECORD; a pip
    that was killed before takes the package for installed the next time.
    """
    record = package / "RECORD"
    return record.exists() and "/INSTALLER," in record.read_text(encoding="utf-8")


def remove_halves(site: Path) -> None:
    """Make pip forget the packages in `site` that it did not finish installing."""
    for package in site.glob("*.dist-info"):
        if not is_whole(package):
            shutil.rmtree(package)


def log_of(root: Path) -> Path:
    """Return the file that holds everything that pip said."""
    return root / ".venv" / "install.log"


def failure(said: str, root: Path) -> CourseError:
    """Return the error that explains what a failed pip or venv `said`."""
    if "[Errno 28]" in said:
        text = _(
            "The disk is full, so the environment is not complete (it takes about 550 MB, and 1.9 GB "
            "with what training needs).\n"
            "Free about 1 GB (3 GB for training) and go on with the same command:\n\n    {command}"
        )
    elif NETWORK_FAILURE.search(said):
        text = _(
            "The packages could not be downloaded: the connection failed.\n"
            "What was downloaded is kept. When the network is back, go on with the same command:\n\n"
            "    {command}\n\n"
            "Behind a proxy, first set HTTPS_PROXY to its address, for example "
            "http://proxy.example.org:3128.\nEverything that pip said: {log}"
        )
    else:
        text = _(
            "The environment could not be completed. The last lines are:\n\n{lines}\n\n"
            "If JupyterLab is open, close it, and type the same command again:\n\n    {command}\n\n"
            "If that does not help, delete the folder .venv first. Everything that pip said: {log}"
        )
    lines = "\n".join("    " + line for line in said.strip().splitlines()[-8:])
    return CourseError(text.format(lines=lines, command=as_typed(), log=log_of(root)))
