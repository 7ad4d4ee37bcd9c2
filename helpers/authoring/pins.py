"""Makes the files of pinned requirements anew from what they are made of, with uv."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from helpers.i18n import _
from helpers.setup import ROOT, CourseError, environment
from helpers.setup.files import write_whole
from helpers.setup.python import OLDEST_PYTHON

# The extras of pyproject.toml that have another name than their file, and those in requirements.txt.
EXTRAS = {"training": "train"}
EVERYWHERE = ("lab", "build", "test")


def make(upgrade: bool, root: Path = ROOT) -> list[Path]:
    """Make all of them anew, with the newest releases if told to `upgrade`; return the files.

    An extra's file holds what it adds to requirements.txt, in the versions that go with it. Raises
    CourseError where there is no uv, or it finds no set of versions that go together.
    """
    newest = ["--upgrade"] if upgrade else []
    base, *extras = environment.requirements(root, set(environment.EXTRAS))
    everywhere = [f"--extra={extra}" for extra in EVERYWHERE]
    _compile(root, ["pyproject.toml", *everywhere, "-o", base.name, *newest])
    there = re.findall(r"^([\w.-]+)==", base.read_text(encoding="utf-8"), re.MULTILINE)
    for file in extras:
        added = [f"--no-emit-package={name}" for name in dict.fromkeys(there)]
        names = ["--extra", EXTRAS.get(file.stem, file.stem), "-c", base.name, *added]
        by = ["--custom-compile-command", "python3 -m helpers pins"]
        said = _compile(root, ["pyproject.toml", *names, *by])
        # After an empty line uv lists what it was told to leave out.
        write_whole(file, said.partition("\n\n")[0].rstrip("\n") + "\n")
    others = sorted(
        path for path in root.glob("tests/**/requirements.in") if ".venv" not in path.parts
    )
    for path in others:
        source, target = (file.relative_to(root) for file in (path, path.with_suffix(".txt")))
        _compile(root, [source.as_posix(), "-o", target.as_posix(), *newest])
    return [base, *extras, *(path.with_suffix(".txt") for path in others)]


def _compile(root: Path, arguments: list[str]) -> str:
    """Let uv pin for every system and every Python that the course supports; return what it prints."""
    uv = shutil.which("uv")
    if uv is None:
        text = _("This needs uv. Install it with:\n\n    {command}")
        raise CourseError(text.format(command="pip install uv"))
    oldest = ".".join(map(str, OLDEST_PYTHON))
    command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", oldest]
    done = subprocess.run([*command, *arguments], cwd=root, capture_output=True, encoding="utf-8")
    if done.returncode:
        text = _("uv finds no versions that go together:\n\n{lines}")
        raise CourseError(text.format(lines=done.stderr.strip()))
    return done.stdout
