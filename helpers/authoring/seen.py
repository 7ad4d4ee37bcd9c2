"""Keeps with which versions, and on which day, each page and snippet was last seen as it is committed."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from datetime import date
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from helpers.i18n import _, language, listed
from helpers.setup import ROOT
from helpers.setup.files import write_whole

FILE = ROOT / "notebooks" / "seen.json"
# What the lessons teach: these versions are named, and which of two sets is newer goes by them.
TAUGHT = ("langchain-core", "langchain-openai", "openai", "pydantic")
PATIENCE = 7  # days that a day may be old before it alone is a reason to change the file


class Run(NamedTuple):
    """What `fresh` has found with one set of versions: names of pages (`04-stream`) and snippets
    (`17-cheat-sheet/stream`) that were as they are committed, and those that were not."""

    day: str  # as 2026-12-01
    versions: dict[str, str]
    alike: list[str]
    different: list[str]

    def newness(self) -> tuple[tuple[int, ...], ...]:
        """Return what tells which of two runs had the newer packages."""
        return tuple(
            tuple(map(int, re.findall(r"\d+", self.versions.get(name, "0")))) for name in TAUGHT
        )


def read(path: Path = FILE) -> list[Run]:
    """Return the runs that are kept, from the oldest packages to the newest."""
    if not path.exists():
        return []
    return [Run(**run) for run in json.loads(path.read_text(encoding="utf-8"))["runs"]]


def note(new: Run, path: Path = FILE) -> bool:
    """Keep what `new` has found, and say whether the file has changed.

    With the versions of an earlier run it takes that run's place for the names in it. A day alone
    is written once a week. What says nothing any more goes: see `telling`.
    """
    runs = read(path)
    before = next((run for run in runs if run.versions == new.versions), None)
    if before is not None:
        looked_at = {*new.alike, *new.different}
        new = new._replace(
            alike=[*new.alike, *(name for name in before.alike if name not in looked_at)],
            different=[
                *new.different,
                *(name for name in before.different if name not in looked_at),
            ],
        )
        runs.remove(before)
    new = new._replace(alike=sorted(new.alike), different=sorted(new.different))
    if before is not None and before[1:] == new[1:] and _days(before.day, new.day) < PATIENCE:
        return False
    kept = telling(sorted([*runs, new], key=Run.newness))
    content = {"runs": [run._asdict() for run in kept]}
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return True


def _days(first: str, second: str) -> int:
    return (date.fromisoformat(second) - date.fromisoformat(first)).days


def telling(runs: list[Run]) -> list[Run]:
    """Return the runs, in their order, which are the newest of all, or the first or last for a name."""
    kept = runs[-1:]
    for name in {name for run in runs for name in run.alike}:
        having = [run for run in runs if name in run.alike]
        kept += [having[0], having[-1]]
    return [run for run in runs if run in kept]


def span(name: str, runs: Collection[Run]) -> tuple[Run, Run] | None:
    """Return the runs with the oldest and the newest versions in which `name` was alike, if any."""
    having = [run for run in runs if name in run.alike]
    return (having[0], having[-1]) if having else None


def pins(requirements: Path = ROOT / "requirements.txt") -> dict[str, str]:
    """Return the versions that are pinned for this Python, with which the pages were made."""
    lines = requirements.read_text(encoding="utf-8").splitlines()
    pinned = [Requirement(line) for line in lines if re.match(r"\w", line)]
    return {
        pin.name: str(pin.specifier).removeprefix("==")
        for pin in pinned
        if pin.marker is None or pin.marker.evaluate()
    }


def named(versions: dict[str, str], packages: Iterable[str] = TAUGHT[:3]) -> list[str]:
    """Return packages and their versions as people write them, `openai 3.57.0`."""
    return [f"{name} {versions[name]}" for name in packages if name in versions]


def foot(name: str, runs: Collection[Run]) -> str:
    """Return what a page or a snippet was made with, and what it was last seen alike with.

    It is in the current language, for wherever the notebooks, which stay the same, are shown.
    """
    made = named(pins())
    parts = [_("Made with {versions}.").format(versions=listed(made))]
    if seen := span(name, runs):
        last = named(seen[1].versions)
        text = _("On {day} it still gave the same results with {versions}.")
        if last == made:
            text = _("On {day} it still gave the same results.")
        parts.append(text.format(versions=listed(last), day=seen[1].day))
        if seen[0].newness() < seen[1].newness():
            text = _("The oldest versions seen to give the same: {versions}.")
            parts.append(text.format(versions=listed(named(seen[0].versions))))
    return ("" if language() == "zh" else " ").join(parts)
