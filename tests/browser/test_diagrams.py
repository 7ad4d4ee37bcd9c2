"""The diagrams of the lessons, drawn by JupyterLab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers.authoring import diagrams
from helpers.authoring.browser import Course
from helpers.authoring.source import SourceError

if TYPE_CHECKING:
    from playwright.sync_api import Page

CODE = "flowchart LR\n  accDescr: One leads to two.\n  A[一] -- d'eau --> B[\u00e9t\u00e9]\n"


def test_the_same_code_is_the_same_picture_and_what_is_none_is_named(
    course: Course, page: Page
) -> None:
    first, second = diagrams.draw_in(page, course, [CODE, CODE])
    assert first == second
    assert "été" in first and "foreignObject" not in first
    with pytest.raises(SourceError, match="flowchart"):
        diagrams.draw_in(page, course, ["flowchart ((\n"])
