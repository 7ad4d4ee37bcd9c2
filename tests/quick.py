"""Chooses what `--quick` runs: the tests that are near to what was changed, in well under a minute.

pytest-testmon, which chooses by what each test executed, sees neither what runs in a notebook's kernel
nor sources, catalogues and YAML files, which is most of what changes here. So it goes by names: a
lesson has its pages and exercises; a module those tests that import it; another file, what names it.
"""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers.authoring.source import EXERCISES
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT
from tests.pages import LESSONS

SAMPLE = "04-stream"  # stands for all lessons where a change concerns no one of them
OF_A_LESSON = ("tests/lessons/test_notebooks.py", "tests/exercises/test_lessons.py")
OF_CODE = ("tests/authoring/test_lint.py", "tests/authoring/test_words.py")
# Need half a minute before the first of them runs: only a change of their own chooses them.
SLOW = ("tests/browser/", "tests/backend/test_canary.py")


@dataclass
class Choice:
    """What is to be run: files, below ROOT, and of the tests that go through the lessons which lessons."""

    files: set[str]
    lessons: set[str]

    def leaves_out(self, nodeid: str) -> bool:
        """Say whether a test, in a chosen file, is one of a lesson that is not chosen."""
        if not nodeid.startswith(OF_A_LESSON):
            return False
        of = {lesson for lesson in LESSONS if f"{lesson}]" in nodeid}
        return bool(of) and not of & (self.lessons or {SAMPLE})

    def __str__(self) -> str:
        return f"quick: {', '.join(sorted(self.files)) or 'nothing has changed'}"


def changed() -> list[str]:
    """Return the files that are not as in the last commit, or where all are, those that it changed.

    Raises subprocess.CalledProcessError where this is no git repository.
    """

    def git(*command: str) -> list[str]:
        said = subprocess.check_output(["git", *command, "-z"], cwd=ROOT, encoding="utf-8")
        return [path for path in said.split("\0") if path]

    new = git("ls-files", "--others", "--exclude-standard")
    edited = git("diff", "--name-only", "--no-renames", "HEAD")
    return new + edited or git("show", "--first-parent", "--name-only", "--no-renames", "--format=")


def choose(paths: Iterable[str]) -> Choice:
    """Return what to run when the files at `paths`, below ROOT, have changed."""
    choice = Choice(set(), set())
    for path in paths:
        name = Path(path).stem.removesuffix(EXERCISES)
        number = name.removeprefix("lesson_")
        if path.startswith("notebooks/") and name in LESSONS:
            choice.lessons.add(name)
        elif path.startswith("helpers/exercises/checks/lesson_"):
            choice.lessons |= {lesson for lesson in LESSONS if lesson.startswith(number)}
        else:
            choice.files |= tests_of(path)
        if path.endswith((".py", ".po", ".mo")):
            choice.files |= set(OF_CODE)
    if choice.lessons:
        choice.files |= set(OF_A_LESSON)
        choice.files |= {f"notebooks/{x}/{one}.ipynb" for one in choice.lessons for x in LANGUAGES}
    elif any(path.startswith("helpers/") for path in paths):
        choice.files.add(f"notebooks/en/{SAMPLE}.ipynb")
        choice.lessons.add(SAMPLE)
    choice.files = {file for file in choice.files if (ROOT / file).exists()}
    return choice


def tests_of(path: str) -> set[str]:
    """Return the test modules that are near to a file which is no lesson: itself, importers, namers."""
    if Path(path).name.startswith("test_") and path.endswith(".py"):
        return {path}
    if path.endswith(".py"):
        module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        near = {file for file in tests() if module in imports(file)}
        near |= {file for file in tests() if Path(file).stem == f"test_{Path(path).stem}"}
    else:
        near = {file for file in tests() if Path(path).name in text(file)}
        for helper in sorted((ROOT / "helpers").rglob("*.py")):
            file = helper.relative_to(ROOT).as_posix()
            if Path(path).name in text(file):
                near |= tests_of(file)
    own = path.startswith(SLOW)
    return {file for file in near if own or not file.startswith(SLOW)}


@functools.cache
def tests() -> list[str]:
    """Return all test modules, below ROOT."""
    return [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]


@functools.cache
def text(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


@functools.cache
def imports(file: str) -> set[str]:
    """Return the full names of all modules that a file imports, and of what it imports from them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text(file))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
