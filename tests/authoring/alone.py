"""Runs programs alone, with some packages and what these need, and nothing else that is installed.

`python -I tests/authoring/alone.py FOLDER PACKAGE…` runs every *.py file of the folder and prints, as JSON,
each one's exit code; what NAME.py printed is in NAME.out and NAME.err. Importing the packages takes
a second of processor time, so that it is done once: where the system can fork, each program has a
process and a `__main__` of its own, begun at the moment when an interpreter has imported the
packages and nothing has happened yet. Elsewhere each program has an interpreter of its own.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import subprocess
import sys
import traceback
from collections.abc import Sequence
from importlib import metadata
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType


def needed(packages: Sequence[str]) -> set[str]:
    """Return the names of the packages and of all that they require, extras left out."""
    found: set[str] = set()
    queue = list(packages)
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:  # required on another system only
            continue
        queue += [re.split(r"[^\w.-]", line)[0] for line in requirements if "extra ==" not in line]
    return found


class Hidden(MetaPathFinder):
    """Finds nothing, and lets nobody after it find a module outside of `packages` and Python itself."""

    def __init__(self, packages: set[str]) -> None:
        self.known = {*sys.stdlib_module_names, "__main__"} | {
            module
            for module, owners in metadata.packages_distributions().items()
            if packages & {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners}
        }

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> None:
        # sysconfig, a part of Python, imports a module whose name says what it was built for.
        if name.partition(".")[0] not in self.known and not name.startswith("_sysconfigdata"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def run(program: Path) -> int:
    """Run a program in this process, its output in files; return its exit code."""
    for descriptor, ending in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(program.with_suffix(ending), os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    code = 0
    try:
        runpy.run_path(str(program), run_name="__main__")
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def run_all(folder: Path, packages: Sequence[str]) -> dict[str, int]:
    """Run every program of the folder, one after the other; return the exit codes by name."""
    codes = {}
    for program in sorted(folder.glob("*.py")):
        if not hasattr(os, "fork"):
            command = [sys.executable, "-I", __file__, str(program), *packages]
            codes[program.stem] = subprocess.run(command).returncode
            continue
        child = os.fork()
        if not child:
            os._exit(run(program))
        codes[program.stem] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return codes


if __name__ == "__main__":
    place, names = Path(sys.argv[1]), sys.argv[2:]
    sys.meta_path.insert(0, Hidden(needed(names)))
    if place.is_file():
        sys.exit(run(place))
    for package in names:
        importlib.import_module(package.replace("-", "_"))
    print(json.dumps(run_all(place, names)))
