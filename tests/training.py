"""Skips what needs the packages for training where they are missing."""

from __future__ import annotations

import os

import pytest

from helpers import trained


def required(at: str = "") -> None:
    """Skip the test, or the module that is being read, where the packages for training are missing."""
    if names := trained.missing():
        reason = f"{at}needs {', '.join(names)}: python3 -m helpers training"
        # Where everything is to be tested, a test that is skipped would go unnoticed.
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason, allow_module_level=True)
