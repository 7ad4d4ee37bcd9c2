"""Runs the JupyterLab and the browser that all workers of a test run share: keeper.py FOLDER OWNER."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import psutil

from helpers.authoring import browser
from helpers.setup.files import write_whole

ADDRESSES = "course.json"  # where they are, once they answer
END = "end"  # a file that asks them to end


def main(folder: Path, owner: int) -> None:
    """Run them in `folder` until it holds END, or the process `owner` is no more, however it ended."""
    process = psutil.Process(owner)
    with browser.running(folder) as course:
        write_whole(folder / ADDRESSES, json.dumps(dataclasses.asdict(course)))
        while process.is_running() and not (folder / END).exists():
            time.sleep(0.2)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
