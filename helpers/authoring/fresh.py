"""Runs the committed pages and snippets with other versions of their packages, and compares.

The other versions are in an environment of their own, `.fresh`, made anew for each run.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from nbclient.exceptions import CellTimeoutError, DeadKernelError

from helpers.authoring import pins, snippet, stable
from helpers.authoring.builder import NOTEBOOKS, execute, read_notebook
from helpers.authoring.source import SourceError, lesson_paths, read_head
from helpers.backend import without_real_model
from helpers.builtin import MODEL, server
from helpers.i18n import LANGUAGES, _
from helpers.setup import ROOT, CourseError
from helpers.setup.pip import pip_environment
from helpers.setup.processes import child_environment, python_of

FOLDER = ROOT / ".fresh"
REPORT = FOLDER / "report.md"
SHEET = snippet.SHEET.partition(".")[0]  # the lesson whose cells are the snippets
SNIPPET_LANGUAGE = "en"  # the programs are the same in all, and each page runs them in its own
SNIPPET_TIMEOUT = 60  # seconds

# What does not count: the version of a package, a day, a time of the day, and what stands before a unit
# of time; and the line of `doctor` that says whether the packages are those that are pinned.
UNCOUNTED = [
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "<day>"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?(\.\d+)?\b"), "<time>"),
    (
        re.compile(r"(?<![\w.])v?\d+\.\d+(\.\w+)+\b|(?<=errors\.pydantic\.dev/)\d+\.\d+"),
        "<version>",
    ),
    (re.compile(r"\b\d+(?:[.,]\d+)?(?=\s?(?:ms|s|min|秒|毫秒|分钟)(?!\w))"), "<number>"),
    (re.compile(r"^(\[\w+\] )?(ok|!!) .*requirements\.txt.*$", re.MULTILINE), "<packages>"),
]


class Difference(NamedTuple):
    """A cell or a snippet that does not show what is committed."""

    lesson: str
    cell: str
    lang: str
    old: str
    new: str
    tags: tuple[str, ...] = ()  # of the cell
    alone: bool = False  # a snippet, which ran as a program of its own

    @property
    def name(self) -> str:
        """Return the name under which `seen` knows it."""
        return f"{self.lesson}/{self.cell}" if self.alone else self.lesson


def required(training: bool = False, root: Path = ROOT) -> list[str]:
    """Return the requirements that pyproject.toml states, with those of training if they are wanted."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [*pins.EVERYWHERE, *(["train"] if training else [])]
    added = [one for extra in extras for one in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *added]


def make(packages: Sequence[str], options: Sequence[str] = (), folder: Path = FOLDER) -> Path:
    """Make the environment anew with the newest releases of `packages`; return its interpreter.

    `options` are pip's. Raises CourseError where pip finds no set that goes together, or no network.
    """
    python = python_of(folder)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--no-input", *options, *packages],
    ):
        env = child_environment() if "venv" in command else pip_environment(python, ROOT)
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=env,
        )
        if done.returncode:
            said = done.stdout.decode("utf-8", "replace").strip().splitlines()[-8:]
            text = _("An environment with other versions could not be made:\n\n{lines}")
            raise CourseError(text.format(lines="\n".join(f"    {line}" for line in said)))
    site = subprocess.check_output(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        env=child_environment(),
    )
    there = Path(site.decode("utf-8").strip())
    (there / "course.pth").write_text(os.path.relpath(ROOT, there) + "\n", encoding="utf-8")
    return python


def versions(python: Path) -> dict[str, str]:
    """Return the version of each package that `python` has, and its own."""
    command = [str(python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    found = json.loads(subprocess.check_output(command, env=child_environment()))
    own = [str(python), "-c", "import platform; print(platform.python_version())"]
    mine = subprocess.check_output(own, env=child_environment()).decode().strip()
    names = {
        re.sub(r"[-_.]+", "-", package["name"]).lower(): package["version"] for package in found
    }
    return {"python": mine, **names}


def plain(text: str) -> str:
    """Return what a cell shows without what does not count."""
    for pattern, name in UNCOUNTED:
        text = pattern.sub(name, text)
    return text


def page_differences(lesson: str, lang: str, committed: Any, executed: Any) -> list[Difference]:
    """Return in which cells an execution shows something else than the committed notebook.

    After a cell that raised unasked nothing is compared: what follows may lack its result.
    """
    found = []
    for out in (out for cell in executed.cells for out in cell.get("outputs", [])):
        if out.output_type == "error":  # the way to it through other people's code helps nobody
            out.traceback = [f"{out.ename}: {out.evalue}"]
    stop = next((cell for cell, _what in stable.unexpected(executed)), None)
    for old, new in zip(committed.cells, executed.cells, strict=True):
        if old.cell_type != "code":
            continue
        before, after = stable.outputs_text(old), stable.outputs_text(new)
        tags = tuple(old.metadata.get("tags", []))
        if not stable.same(plain(before), plain(after), tags):
            found.append(Difference(lesson, old.id, lang, before, after, tags))
        if old.id == stop and any(out.output_type == "error" for out in new.outputs):
            break
    return found


async def run_page(lesson: str, lang: str, python: Path) -> list[Difference]:
    """Run a committed notebook with `python`; return what is different."""
    committed = read_notebook(lesson, lang)
    notebook = copy.deepcopy(committed)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    try:
        await execute(notebook, NOTEBOOKS / lang, python)
    except (CellTimeoutError, DeadKernelError) as error:
        return [Difference(lesson, "", lang, "(the page runs to its end)", str(error))]
    return page_differences(lesson, lang, committed, notebook)


def run_pages(lessons: Sequence[str], python: Path) -> list[Difference]:
    """Run the pages of `lessons` in all languages, some at a time; return what is different.

    The first time the built-in model does not wait, which may change the order of what happens at the
    same time. What is different is run again at the pace at which pages are made, and counts if it
    still is.
    """

    async def run(lesson: str, lang: str, free: asyncio.Semaphore) -> list[Difference]:
        async with free:
            found = await run_page(lesson, lang, python)
        print(f"{lesson} {lang}: {'different' if found else 'alike'}", flush=True)
        return found

    async def run_all(pages: Iterable[tuple[str, str]]) -> list[Difference]:
        free = asyncio.Semaphore(os.cpu_count() or 1)
        found = await asyncio.gather(*(run(lesson, lang, free) for lesson, lang in pages))
        return [one for differences in found for one in differences]

    os.environ["COURSE_PACE"] = "0"
    first = asyncio.run(run_all((lesson, lang) for lesson in lessons for lang in LANGUAGES))
    del os.environ["COURSE_PACE"]
    return asyncio.run(run_all(dict.fromkeys((one.lesson, one.lang) for one in first)))


def snippet_difference(
    name: str, code: str, shown: str, python: Path, url: str
) -> Difference | None:
    """Run a snippet as a program of its own at the model `url`; return what is different, if anything.

    It is to print what its page shows, and to complain of nothing.
    """
    env = {
        **without_real_model(),
        **{"OPENAI_API_KEY": "no-key-needed", "OPENAI_BASE_URL": url, "OPENAI_MODEL": MODEL},
        **{"PYTHONUTF8": "1", "NO_PROXY": "127.0.0.1"},
    }
    with tempfile.TemporaryDirectory(prefix="course-snippet-") as folder:
        program = Path(folder, f"{name}.py")
        program.write_text(code, encoding="utf-8")
        command = [str(python), "-I", "-X", "utf8", str(program)]
        try:
            done = subprocess.run(
                command, cwd=folder, env=env, capture_output=True, timeout=SNIPPET_TIMEOUT
            )
        except subprocess.TimeoutExpired as error:
            said, complained = "", str(error)
        else:
            said, complained = (
                part.decode("utf-8", "replace") for part in (done.stdout, done.stderr)
            )
    if not complained and stable.same(plain(shown), plain(said), []):
        return None
    said += "\n".join(complained.splitlines()[-3:])  # of a traceback, what it says
    return Difference(SHEET, name, SNIPPET_LANGUAGE, shown, said, alone=True)


def run_snippets(python: Path) -> list[Difference]:
    """Run every snippet of the cheat sheet; return what is different."""
    page = read_notebook(SHEET, SNIPPET_LANGUAGE)
    cells = {cell.id: cell for cell in page.cells if cell.cell_type == "code"}
    started = server.serve(0)

    def run(name: str, code: str) -> Difference | None:
        cell = cells[name]
        shown = "".join(out.text for out in cell.outputs if out.output_type == "stream")
        return snippet_difference(name, code, shown, python, started.url)

    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            programs = snippet.snippets(SNIPPET_LANGUAGE).items()
            found = list(pool.map(lambda item: run(item[0], item[1].code), programs))
    finally:
        started.close()
    print(f"{len(found)} snippets, {sum(map(bool, found))} different", flush=True)
    return [one for one in found if one is not None]


def chosen(names: Sequence[str], training: bool) -> list[str]:
    """Return the lessons named (none named: all), those that train only if they are wanted.

    Raises SourceError for an unknown name, and where only lessons that are not wanted are named.
    """
    paths = lesson_paths(list(names))
    lessons = [path.stem for path in paths if training or not read_head(path).get("training")]
    if not lessons:
        raise SourceError(_("What you name trains a network: add --training."))
    return lessons
