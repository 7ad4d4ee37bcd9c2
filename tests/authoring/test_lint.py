"""ruff and mypy find nothing in the helpers, in the tests and in the lessons' code."""

from __future__ import annotations

import subprocess
import sys
from textwrap import indent

import nbformat
import pytest

from helpers.authoring.builder import NOTEBOOKS
from helpers.setup import ROOT
from helpers.setup.files import write_whole


def run(*command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_ruff_finds_nothing() -> None:
    run("ruff", "check")
    run("ruff", "format", "--check")


def test_mypy_finds_nothing(cache: pytest.Cache) -> None:
    """Cells that fail on purpose are left out; one language is enough, the programs are the same.

    The lessons' modules stay where they are, so that mypy reads those alone that have changed.
    """
    lessons = cache.mkdir("course") / "lessons"
    lessons.mkdir(exist_ok=True)
    written = [lessons / "__init__.py"]
    written[0].touch()
    for path in NOTEBOOKS.glob("en/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        code = {
            cell.id: cell.source
            for cell in cells
            if cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", [])
        }
        alone = [cell.id for cell in cells if "standalone" in cell.metadata.get("tags", [])]
        programs = [code.pop(ident) for ident in alone]
        # In functions, because a notebook may `await` where a module may not.
        text = "MODEL = ''\n"
        for number, program in enumerate(["\n\n".join(code.values()), *programs]):
            text += f"\n\nasync def program_{number}() -> None:\n{indent(program, '    ')}\n"
        written.append(lessons / f"lesson_{path.stem.replace('-', '_')}.py")
        write_whole(written[-1], text)
    assert len(written) > 1
    run("mypy", "helpers", "tests", *map(str, written))
