"""The pytest plugin of the course: pages held against what nbmake runs, `--quick`, and how many workers."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbmake.nb_result import NotebookError, NotebookResult
from nbmake.nb_run import NotebookRun
from nbmake.pytest_items import NotebookFailedException, NotebookFile, NotebookItem

from helpers.authoring import stable
from helpers.authoring.source import SOURCE, read_head
from helpers.backend import saving, without_real_model
from helpers.setup import ROOT
from helpers.training import trained
from tests import needs, quick
from tests.browser import sharing

ENVIRONMENT = pytest.StashKey[dict[str, str]]()  # without what leads to a real model
CHOICE = pytest.StashKey[quick.Choice]()  # there with --quick


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of those who wait for the result."""
    group = parser.getgroup("course")
    group.addoption("--quick", action="store_true", help="only what is near to what was changed")


def pytest_configure(config: pytest.Config) -> None:
    """Keep the tests away from real models, keys and accounts, and from networks of the learner."""
    if trained.FOLDER_VARIABLE not in os.environ:
        os.environ[trained.FOLDER_VARIABLE] = str(folder_for_networks(config))
    sharing.begin(config)
    os.environ["COURSE_PACE"] = "0"
    # A network learns on one thread: beside other tests, two mostly wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    # Options for this pytest are none for the one that lesson 14 starts.
    os.environ.pop("PYTEST_ADDOPTS", None)
    if config.getoption("quick"):
        config.stash[CHOICE] = quick.choose(quick.changed())
    config.stash[ENVIRONMENT] = without_real_model()
    set_environment(config.stash[ENVIRONMENT])


def folder_for_networks(config: pytest.Config) -> Path:
    """Return the folder, shared by all workers, for the networks that notebooks train.

    Where everything is to be tested it is one of this run, so that they are trained. Elsewhere it
    stays: a network is kept under a key of all the code and data that make it, and the folder under
    the versions of the packages. What a lesson saves under a plain name goes, so that it saves it.
    """
    cached = config.pluginmanager.hasplugin("cacheprovider")
    if os.environ.get("CI") or trained.missing() or not cached:
        folder = Path(tempfile.mkdtemp(prefix="course-trained-"))
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        return folder
    versions = "-".join(map(metadata.version, ("torch", "transformers", "peft")))
    folder = config.cache.mkdir("trained") / versions
    shutil.rmtree(folder / "shop", ignore_errors=True)
    return folder


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what --quick has chosen."""
    return [str(config.stash[CHOICE])] if CHOICE in config.stash else []


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the files that --quick has not chosen, so that they are not even read."""
    if CHOICE not in config.stash or collection_path.is_dir():
        return None
    chosen = config.stash[CHOICE].files
    return True if collection_path.relative_to(ROOT).as_posix() not in chosen else None


@pytest.hookimpl(tryfirst=True)  # before xdist's own
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return two workers for each processor: most tests wait for a kernel, a server or a clock.

    Workers take seconds to start: a single module runs in this process (0), and --quick in fewer.
    """
    if len(config.args) == 1 and config.args[0].partition("::")[0].endswith(".py"):
        return 0
    return (1 if config.getoption("quick") else 2) * (os.cpu_count() or 1)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests into an order in which no worker is left with a long one at the end.

    Of the tests that go through all lessons, --quick leaves those of the lessons it has chosen.
    """
    if CHOICE in config.stash:
        others = [item for item in items if config.stash[CHOICE].leaves_out(item.nodeid)]
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]
    training_lessons = [
        path.stem for path in SOURCE.glob("*.md") if read_head(path).get("training")
    ]

    def trains(item: pytest.Item) -> bool:
        named = any(name in item.nodeid for name in training_lessons)
        return named or "network" in getattr(item, "fixturenames", ())

    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = in_order(items, trains, workers)


def in_order(
    items: list[pytest.Item], trains: Callable[[pytest.Item], bool], workers: int
) -> list[pytest.Item]:
    """Return `items` as `workers` begin with them, each with its share of the list.

    A page that trains a network comes first of all, for it is the longest; in each share then the
    pages and what is done in a browser, then all else but the end of it, before which stands what
    needs that network: it is there by then, and what is quick comes last.
    """
    training = [item for item in items if trains(item)]
    rest = [item for item in items if item not in training]
    first = next((item for item in training if isinstance(item, PageItem)), None)
    long = [item for item in rest if isinstance(item, PageItem) or "browser" in item.path.parts]
    quick = [item for item in rest if item not in long]
    training = [item for item in training if item is not first]
    share = -(-len(quick) // workers)
    ordered: list[pytest.Item] = [first] if first else []
    for worker in range(workers):
        own = quick[worker * share : (worker + 1) * share]
        middle = len(own) * 2 // 3
        ordered += long[worker::workers] + own[:middle] + training[worker::workers] + own[middle:]
    return ordered


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(parent: pytest.Collector) -> Generator[None, list[Any], list[Any]]:
    """Put our own kind of file in the place of each that nbmake has found to be a notebook."""
    found = yield
    return [
        PageFile.from_parent(parent, path=file.path) if isinstance(file, NotebookFile) else file
        for file in found
    ]


def set_environment(variables: dict[str, str]) -> None:
    """Make `variables` this process's environment, which a new kernel inherits."""
    for name in {n for n in os.environ if not n.startswith("PYTEST_")} - set(variables):
        del os.environ[name]
    os.environ.update(variables)


class PageItem(NotebookItem):  # type: ignore[misc]
    """A notebook that nbmake runs, and in which what nbmake lets pass fails too.

    That is a cell tagged `raises-exception` that raises nothing, and outputs other than those on
    the committed page. The kernel gets a clean environment, whatever the tests before it left.
    """

    def runtest(self) -> None:
        """Run the notebook. Raises NotebookFailedException, which nbmake shows."""
        set_environment(self.config.stash[ENVIRONMENT])
        committed = nbformat.read(self.path, as_version=4)
        needs.needed_by_page(committed)
        result = NotebookRun(self.path, self.config.option.nbmake_timeout).execute()
        error = result.error or page_error(committed, result.nb)
        if error is not None:
            raise NotebookFailedException(NotebookResult(nb=result.nb, error=error))


class PageFile(NotebookFile):  # type: ignore[misc]
    """A file that holds such a notebook."""

    def collect(self) -> Iterator[PageItem]:
        yield PageItem.from_parent(self, filename=str(self.path))


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
