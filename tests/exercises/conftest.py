"""What the tests of exercises share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.exercises import exercise, progress

if TYPE_CHECKING:
    from helpers.exercises.session import Exercise


@pytest.fixture(autouse=True)
def own_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A progress folder of the test's own, and no memory of hints; returns the folder."""
    monkeypatch.setenv(progress.FOLDER_VARIABLE, str(tmp_path / "progress"))
    monkeypatch.setattr("helpers.exercises.session._states", {})
    return tmp_path / "progress"


@pytest.fixture
def stream_exercise() -> Exercise:
    """An exercise whose answer is a function of one parameter."""
    return exercise("04-stream/first-token")
