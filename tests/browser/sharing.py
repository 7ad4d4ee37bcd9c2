"""Lets all workers of a test run use one JupyterLab and one browser, which the first that asks starts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from helpers.authoring import browser
from helpers.setup import ROOT
from helpers.setup.files import write_whole
from helpers.training import trained
from tests.browser import keeper

FOLDER_VARIABLE = "COURSE_BROWSER"  # the folder of this run, named by the process that ends it all
OWNER = "owner"  # the file in it that holds that process's number
KEEPER = "keeper"  # the file in it that holds the number of the process that runs the two


def begin(config: pytest.Config) -> None:
    """Name the folder that this run's workers share, and see to it that all ends with the run."""
    if FOLDER_VARIABLE not in os.environ:
        folder = Path(tempfile.mkdtemp(prefix="course-browser-"))
        os.environ[FOLDER_VARIABLE] = str(folder)
        write_whole(folder / OWNER, str(os.getpid()))
        config.add_cleanup(lambda: end(folder))


def end(folder: Path) -> None:
    """End the JupyterLab and the browser of this run, if there are any, and delete their folder."""
    (folder / keeper.END).touch()
    if (folder / KEEPER).exists():
        number = int((folder / KEEPER).read_text(encoding="utf-8"))
        if psutil.pid_exists(number):
            psutil.Process(number).wait(30)
    shutil.rmtree(folder, ignore_errors=True)


def required() -> None:
    """Skip the test where there is no browser or nothing to drive it with."""
    if reason := browser.missing():
        # Where everything is to be tested, a test that is skipped would go unnoticed.
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def course() -> browser.Course:
    """Return where JupyterLab and the browser are, started if they are not running."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    with trained.lock(folder / "lock"):
        if not (folder / keeper.ADDRESSES).exists():
            start(folder)
    return browser.Course(**json.loads((folder / keeper.ADDRESSES).read_text(encoding="utf-8")))


def start(folder: Path) -> None:
    """Start JupyterLab and the browser, and wait until both answer."""
    owner = (folder / OWNER).read_text(encoding="utf-8")
    with (folder / "keeper.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.keeper", str(folder), owner],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that what ends this run lets it end the others in order
        )
    write_whole(folder / KEEPER, str(process.pid))
    while not (folder / keeper.ADDRESSES).exists():
        if process.poll() is not None:
            pytest.fail((folder / "keeper.log").read_text(encoding="utf-8", errors="replace"))
        time.sleep(0.1)
