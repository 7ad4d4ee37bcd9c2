"""Tests of tests.plugin: a run that is not what the page shows is an error, though nbmake passes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers.setup import ROOT
from helpers.training import trained
from tests import needs
from tests.plugin import page_error

ERROR = {"ename": "KeyError", "evalue": "'a'", "traceback": ["KeyError: 'a'"]}


def page(text: str, tags: tuple[str, ...] = ()) -> Any:
    output = new_output("error", **ERROR) if text == "error" else new_output("stream", text=text)
    cell = new_code_cell("1", id="one", metadata={"tags": list(tags)}, outputs=[output])
    return new_notebook(cells=[cell])


def test_a_notebook_that_trains_is_skipped_where_that_cannot_be_and_fails_where_all_is_to_be_tested(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trains = page("x")
    trains.metadata["training"] = True
    monkeypatch.setattr(trained, "PACKAGES", ("nowhere_to_be_found",))
    needs.needed_by_page(page("x"))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(
        pytest.skip.Exception, match="needs nowhere_to_be_found: python3 -m helpers"
    ):
        needs.needed_by_page(trains)
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="needs nowhere_to_be_found"):
        needs.needed_by_page(trains)
    monkeypatch.setattr(trained, "PACKAGES", ())
    needs.needed_by_page(trains)


@pytest.mark.parametrize("all_is_to_be_tested", [True, False])
def test_all_workers_keep_trained_networks_in_one_folder_which_goes_where_all_is_to_be_tested(
    all_is_to_be_tested: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "1" if all_is_to_be_tested else "")
    where = tmp_path / "where"
    (tmp_path / "test_where.py").write_text(
        "import os, pytest\n@pytest.mark.parametrize('n', range(8))\ndef test(n):\n"
        f"    open({str(where)!r}, 'a').write(os.environ['COURSE_TRAINED'] + '\\n')\n"
        "    os.makedirs(os.environ['COURSE_TRAINED'] + '/shop', exist_ok=True)\n",
        encoding="utf-8",
    )
    code, said = pytest_on(tmp_path, "-n", "2")
    assert code == 0, said
    (folder,) = set(where.read_text("utf-8").splitlines())
    stays = not all_is_to_be_tested and not trained.missing()
    assert Path(folder).exists() is stays and not folder.startswith(str(ROOT))
    if stays:
        (tmp_path / "test_where.py").write_text("def test(): pass", encoding="utf-8")
        pytest_on(tmp_path)
        assert Path(folder).exists() and not Path(folder, "shop").exists()


def pytest_on(folder: Path, *options: str) -> tuple[int, str]:
    """Run pytest, with the plugin and what it needs alone, on a folder; return its exit code and output."""
    clean = {k: v for k, v in os.environ.items() if k != "COURSE_TRAINED" and "PYTEST" not in k}
    command = [sys.executable, "-m", "pytest", "-q", "--disable-plugin-autoload"]
    command += ["-p", "nbmake", "-p", "xdist", "-p", "tests.plugin", "-c", os.devnull]
    command += ["--rootdir", str(folder), str(folder)]
    ran = subprocess.run([*command, *options], cwd=ROOT, env=clean, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def test_what_nbmake_lets_pass_fails(tmp_path: Path) -> None:
    cells = {
        "same": new_code_cell("print(1)", id="one", outputs=[new_output("stream", text="1\n")]),
        "other": new_code_cell("print(2)", id="one", outputs=[new_output("stream", text="1\n")]),
        "quiet": new_code_cell("1;", id="one", metadata={"tags": ["raises-exception"]}),
    }
    for name, cell in cells.items():
        kernel = {"name": "python3", "display_name": "Python 3"}
        notebook = new_notebook(cells=[cell], metadata={"kernelspec": kernel})
        nbformat.write(notebook, tmp_path / f"{name}.ipynb")
    code, said = pytest_on(tmp_path, "--nbmake")
    assert code == 1 and "2 failed, 1 passed" in said, said
    assert "the page shows" in said and "raised nothing" in said


def test_a_run_that_gives_what_the_page_shows_is_no_error() -> None:
    assert page_error(page("at 0x0"), page("at 0x7f63340eba90")) is None
    assert page_error(page("1 s", ("varies",)), page("2 s", ("varies",))) is None


@pytest.mark.parametrize(
    ("committed", "executed", "says"),
    [
        (page("old"), page("new"), "the page shows"),
        (page("1 s"), page("2 s"), "the page shows"),
        (page("x"), page("error"), "raised KeyError"),
        (page("error", ("raises-exception",)), page("x", ("raises-exception",)), "raised nothing"),
    ],
)
def test_a_run_that_does_not_is_an_error_and_names_the_cell(
    committed: Any, executed: Any, says: str
) -> None:
    error = page_error(committed, executed)
    assert error is not None and error.failing_cell_index == 0
    assert error.summary.startswith("cell 'one'") and says in error.summary
