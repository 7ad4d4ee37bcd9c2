"""Tests of helpers.setup.python: what this Python lacks, and what to do about it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from helpers import i18n
from helpers.i18n import LANGUAGES
from helpers.setup import CourseError, environment
from helpers.setup.python import check_python


@pytest.mark.parametrize("lang", LANGUAGES)
def test_old_python_is_told_what_to_install(lang: str, typed: str) -> None:
    i18n.use(lang)
    check_python((3, 11, 0))
    with pytest.raises(CourseError) as caught:
        check_python((3, 9, 18))
    said = str(caught.value)
    assert "3.9" in said
    assert "https://www.python.org/downloads/" in said
    assert typed in said


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_ensurepip(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    i18n.use(lang)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError) as caught:
        environment.create(tmp_path)
    said = str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert "sudo apt install python{}.{}-venv\n".format(*sys.version_info[:2]) in said
    assert typed in said
