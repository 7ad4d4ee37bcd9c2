"""The course's pages, for tests that go through them: known by name while tests are collected."""

from __future__ import annotations

from typing import Any

import nbformat

from helpers.authoring.source import lesson_paths
from helpers.setup import ROOT

LESSONS = [path.stem for path in lesson_paths()]


def page(lesson: str, lang: str) -> Any:
    """Return the committed notebook of a lesson."""
    return nbformat.read(ROOT / "notebooks" / lang / f"{lesson}.ipynb", as_version=4)
