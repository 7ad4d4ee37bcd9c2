"""Tests of what is kept of a learner's exercises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import helpers
from helpers import backend, i18n
from helpers.exercises import exercise, lessons, overview, progress
from helpers.setup import ROOT


@pytest.mark.parametrize("content", ["{", '{"version": 0, "exercises": {}}', "[]", '{"version": 1, "exercises": {"a": 1}}', '{"version": 1, "exercises": {"a": {"attempts": "1", "solved": null}}}'])  # fmt: skip
def test_a_damaged_or_older_progress_file_is_set_aside(own_progress: Path, content: str) -> None:
    own_progress.mkdir()
    (own_progress / "progress.json").write_text(content, encoding="utf-8")
    progress.record("04-stream/first-token", solved=True)
    (aside,) = own_progress.glob("progress-*.json")
    assert aside.read_text("utf-8") == content
    assert list(progress.read()) == ["04-stream/first-token"]


def test_progress_counts_attempts_keeps_success_and_starts_over(
    own_progress: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, solved in [
        ("04-stream/first-token", True),
        ("04-stream/first-token", False),
        ("00-start/ask", True),
    ]:
        progress.record(name, solved)
    entry = progress.read()["04-stream/first-token"]
    assert entry["attempts"] == 2 and re.fullmatch(r"\d{4}-\d\d-\d\d", entry["solved"])
    helpers.show_progress()
    shown = capsys.readouterr().out
    assert re.search(r"04-stream +1 of 4", shown) and re.search(r"00-start +1 of 3", shown)
    i18n.use("fr")
    assert "04-stream" in lessons() and " sur " in overview()
    progress.reset("04-stream")
    assert list(progress.read()) == ["00-start/ask"]
    progress.reset()
    assert progress.read() == {}


@pytest.mark.parametrize("failing", ["read_text", "replace"])
def test_what_cannot_be_read_is_not_written_over(
    failing: str,
    own_progress: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Neither a file that the system will not open, nor a damaged one that cannot be moved."""
    own_progress.mkdir()
    file = own_progress / "progress.json"
    content = '{"version": 1, "exercises": {}}' if failing == "read_text" else "{"
    file.write_text(content, encoding="utf-8")

    def refused(*_: Any, **__: Any) -> None:
        raise PermissionError("the file is in use")

    with monkeypatch.context() as patched:
        patched.setattr(Path, failing, refused)
        exercise("04-stream/first-token").check(lambda stream: 7)
        assert "could not be saved: the file is in use" in capsys.readouterr().out
        helpers.show_progress()
        assert "could not be read: the file is in use" in capsys.readouterr().out
        monkeypatch.setattr("helpers.exercises.session._states", {})
        exercise("04-stream/first-token").solution()  # as one who has not tried yet
        assert "Try first, the check will say what is missing." in capsys.readouterr().out
        with pytest.raises(progress.ProgressError):
            progress.reset()
    assert file.read_text(encoding="utf-8") == content


def test_two_notebooks_at_once_lose_nothing(own_progress: Path) -> None:

    code = (
        "from helpers.exercises import progress\nimport sys\n"
        "for i in range(25): progress.record(f'{sys.argv[1]}/{i}', True)\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("a", "b")]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0]
    assert len(progress.read()) == 50
    assert not list(own_progress.glob("progress-*.json"))


def test_nothing_is_kept_while_building(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend.without_real_model()[progress.FOLDER_VARIABLE] == os.devnull
    monkeypatch.setenv(progress.FOLDER_VARIABLE, os.devnull)
    progress.record("04-stream/first-token", solved=True)
    assert progress.read() == {}


def test_progress_needs_the_standard_library_only(own_progress: Path) -> None:
    """So it can be asked for before anything is installed, or with no package at hand (-S)."""
    code = "from helpers.exercises import lessons, overview, progress; progress.reset(); print(overview(), lessons())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=ROOT, capture_output=True, text=True
    )
    assert "04-stream" in done.stdout, done.stderr
