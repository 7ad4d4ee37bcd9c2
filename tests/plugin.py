"""The pytest plugin of the course: nbmake's run of a notebook is also held against the committed page."""

from __future__ import annotations

import copy
import functools
import os
import shutil
import tempfile
from typing import Any

import nbformat
import pytest
from nbmake.nb_result import NotebookError, NotebookResult
from nbmake.nb_run import NotebookRun

from helpers.authoring import stable
from helpers.authoring.source import SOURCE
from helpers.backend import saving, without_real_model
from helpers.training import trained
from tests import needs
from tests.browser import sharing


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from real models, keys and accounts, and make nbmake strict.

    The networks that notebooks train are kept in a folder of this run, which its workers share.
    """
    if trained.FOLDER_VARIABLE not in os.environ:
        folder = os.environ[trained.FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="course-trained-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    sharing.begin(config)
    os.environ["COURSE_PACE"] = "0"
    # A network learns on one thread: beside other tests, two mostly wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    # Options for this pytest are none for the one that lesson 14 starts.
    os.environ.pop("PYTEST_ADDOPTS", None)
    clean = without_real_model()
    set_environment(clean)
    if not hasattr(NotebookRun.execute, "__wrapped__"):
        NotebookRun.execute = strict(NotebookRun.execute, clean)


@pytest.hookimpl(tryfirst=True)  # before xdist's own
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return two workers for each processor: most tests wait for a kernel, a server or a clock."""
    return 2 * (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one notebook that trains a network come first, and what needs its network last."""
    heads = {path.stem: path.read_text(encoding="utf-8")[:200] for path in SOURCE.glob("*.md")}
    training_lessons = [name for name, head in heads.items() if "\ntraining: true\n" in head]

    def trains(item: pytest.Item) -> bool:
        named = any(name in item.nodeid for name in training_lessons)
        return named or "network" in getattr(item, "fixturenames", ())

    items.sort(key=trains)
    first = next((item for item in items if trains(item) and getattr(item, "nbmake", False)), None)
    if first:
        items.remove(first)
        items.insert(0, first)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a notebook that trains a network where the packages for it are missing."""
    if getattr(item, "nbmake", False):
        needs.needed_by_page(nbformat.read(item.path, as_version=4))


def set_environment(variables: dict[str, str]) -> None:
    """Make `variables` this process's environment, which a new kernel inherits."""
    for name in {n for n in os.environ if not n.startswith("PYTEST_")} - set(variables):
        del os.environ[name]
    os.environ.update(variables)


def strict(execute: Any, environment: dict[str, str]) -> Any:
    """Wrap `NotebookRun.execute` so that what nbmake lets pass fails too.

    That is a cell tagged `raises-exception` that raises nothing, and outputs other than those on
    the committed page. A kernel gets `environment`, whatever the tests before it left behind.
    """

    @functools.wraps(execute)
    def run(self: NotebookRun) -> NotebookResult:
        set_environment(environment)
        result = execute(self)
        if result.error is None:
            committed = nbformat.read(self.filename, as_version=4)
            result = NotebookResult(nb=result.nb, error=page_error(committed, result.nb))
        return result

    return run


def page_error(committed: Any, executed: Any) -> NotebookError | None:
    """Return the first way in which an execution is not what the page shows, None where it is."""
    stabilized = copy.deepcopy(executed)
    saving.stabilize(stabilized)
    wrong = stable.unexpected(stabilized) or stable.differences(committed, stabilized)
    if not wrong:
        return None
    ident, what = wrong[0]
    index = [cell.id for cell in executed.cells].index(ident)
    message = f"cell {ident!r}: {what}\n(python -m helpers build makes the page anew)"
    return NotebookError(summary=message.splitlines()[0], trace=message, failing_cell_index=index)
