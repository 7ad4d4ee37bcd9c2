"""What the tests of setting up share."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> str:
    """The command that the errors should ask for."""
    monkeypatch.setattr(sys, "argv", ["helpers", "lab", "--port", "9"])
    return "-m helpers lab --port 9"
