"""Tests of what is kept of a learner's exercises."""

from __future__ import annotations

import errno
import json
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
from helpers.exercises.texts import all_texts
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
        "from helpers.exercises import progress, texts\nimport sys\n"
        "for name in sorted(texts.all_texts())[int(sys.argv[1]) :: 2]:\n"
        "    progress.record(name, True)\n"
        "    progress.keep_prediction(name, 'two')\n"
    )
    kernels = [subprocess.Popen([sys.executable, "-c", code, half]) for half in ("0", "1")]
    assert [kernel.wait(60) for kernel in kernels] == [0, 0]
    kept = progress.read_all()
    assert set(kept["exercises"]) == set(kept["predictions"]) == set(all_texts())
    assert not list(own_progress.glob("progress-*.json"))


def test_what_was_solved_in_old_lessons_counts_where_it_lives_on(
    own_progress: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under today's name, added to what is there; what lives on nowhere is kept, and told."""
    renamed = tmp_path / "renamed.json"
    renamed.write_text('{"03-birds/count": "04-stream/collect"}', encoding="utf-8")
    monkeypatch.setattr(progress, "RENAMED_FILE", renamed)
    progress.record("04-stream/first-token", solved=True)
    file = own_progress / "progress.json"
    data = json.loads(file.read_text("utf-8"))
    data["exercises"]["03-birds/count"] = {"attempts": 3, "solved": "2025-01-02"}
    data["exercises"]["04-stream/collect"] = {"attempts": 1, "solved": None}
    data["exercises"]["03-birds/sing"] = {"attempts": 2, "solved": "2025-01-03"}
    file.write_text(json.dumps(data), encoding="utf-8")
    for _time in range(2):
        assert progress.read()["04-stream/collect"] == {"attempts": 4, "solved": "2025-01-02"}
        shown = overview()
        assert re.search(r"04-stream +2 of 4", shown)
        assert "No longer in the course, and kept all the same: 03-birds/sing." in shown
        progress.record("04-stream/first-token", solved=False)
    kept = json.loads(file.read_text("utf-8"))
    assert kept["earlier"] == {"03-birds/sing": {"attempts": 2, "solved": "2025-01-03"}}
    renamed.write_text('{"03-birds/sing": "04-stream/pieces"}', encoding="utf-8")
    assert progress.read()["04-stream/pieces"]["solved"], "it has come back"


def test_exercises_are_renamed_to_such_that_there_are() -> None:
    renamed = json.loads(progress.RENAMED_FILE.read_text("utf-8"))
    assert set(renamed.values()) <= set(all_texts()) and not set(renamed) & set(all_texts())


def test_a_full_disk_is_told_and_nothing_is_lost(
    own_progress: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress.record("04-stream/first-token", solved=True)
    before = (own_progress / "progress.json").read_bytes()

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    exercise("04-stream/first-token").check(lambda stream: 7)
    said = capsys.readouterr().out
    assert "**Not yet.**" in said and "could not be saved: the disk is full" in said
    assert (own_progress / "progress.json").read_bytes() == before
    assert {path.name for path in own_progress.iterdir()} == {"progress.json", "lock"}


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
