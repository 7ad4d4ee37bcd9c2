"""Compares the packages that a Python has with what requirements files pin.

It is run by the Python that it looks at: python -m helpers.setup.packages FILE…
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from helpers.setup import ROOT
from helpers.setup.processes import child_environment


def compare_packages(requirements: Path) -> tuple[int, list[str]]:
    """Return how many packages `requirements` pins for this machine, and those installed otherwise."""
    try:
        from packaging.requirements import Requirement
    except ModuleNotFoundError:  # where it is not installed, pip has one of its own
        from pip._vendor.packaging.requirements import Requirement  # type: ignore[assignment]

    count, wrong = 0, []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        pinned = Requirement(line)
        if pinned.marker is not None and not pinned.marker.evaluate():
            continue
        count += 1
        try:
            installed = importlib.metadata.version(pinned.name)
        except importlib.metadata.PackageNotFoundError:
            installed = ""
        if not installed or not pinned.specifier.contains(installed, prereleases=True):
            wrong.append(pinned.name)
    return count, wrong


def compare_in(python: Path, files: Sequence[Path]) -> tuple[int, list[str]]:
    """Return the sums of what `compare_packages` says of `files` where `python` runs it.

    The packages are those that the course would have: without PYTHONPATH and the user's own. Raises
    OSError, and CalledProcessError where `python` cannot say.
    """
    said = subprocess.run(
        [str(python), "-m", __name__, *map(str, files)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=child_environment(PYTHONIOENCODING="utf-8"),
        check=True,
    )
    count, wrong = json.loads(said.stdout)
    return count, wrong


def main(files: Sequence[str]) -> None:
    """Print what `compare_packages` says of all `files`, as JSON."""
    found = [compare_packages(Path(file)) for file in files]
    print(
        json.dumps(
            [sum(count for count, _ in found), [name for _, names in found for name in names]]
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
