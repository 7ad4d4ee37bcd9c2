"""Says whether a Python can run the course, and where it keeps its packages."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.i18n import _
from helpers.setup import CourseError
from helpers.setup.pip import is_whole
from helpers.setup.processes import as_typed, child_environment

OLDEST_PYTHON = (3, 11)

# Prints where packages go, if this Python is new enough to be of use.
PROBE = (
    f"import sys, sysconfig; sys.exit(1) if sys.version_info < {OLDEST_PYTHON} "
    "else print(sysconfig.get_path('purelib'))"
)


def check_python(version: Sequence[Any] = sys.version_info) -> None:
    """Raise CourseError where `version` of Python is too old for the course."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        found, oldest = (".".join(map(str, pair)) for pair in (version[:2], OLDEST_PYTHON))
        name = "py -3" if os.name == "nt" else "python3.12"
        raise CourseError(
            _(
                "This is Python {found}; the course needs {oldest} or newer.\n"
                "Install a newer one from https://www.python.org/downloads/ and type, with its name:\n\n"
                "    {name} -m helpers {arguments}"
            ).format(
                found=found,
                oldest=oldest,
                name=name,
                arguments=subprocess.list2cmdline(sys.argv[1:]),
            )
        )


def check_ensurepip() -> None:
    """Raise CourseError where this Python cannot make an environment with pip in it."""
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise CourseError(
            _(
                "This Python comes without ensurepip, so it cannot make an environment of its own.\n"
                "On Debian and Ubuntu that is a package of its own (python3-venv). Type:\n\n"
                "    sudo apt install {package}\n    {command}\n\n"
                "Elsewhere, install Python from https://www.python.org/downloads/."
            ).format(package=package, command=as_typed())
        )


def site_packages(python: Path) -> Path | None:
    """Return where `python` keeps its packages; None where it does not run or has no pip."""
    command = [str(python), "-c", PROBE]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        environment = child_environment(PYTHONIOENCODING="utf-8")
        said = subprocess.check_output(command, stderr=subprocess.DEVNULL, env=environment)
        site = Path(said.decode("utf-8").strip())
        return site if any(map(is_whole, site.glob("pip-*.dist-info"))) else None
    return None
