"""Every lesson in every language, opened in JupyterLab and run by the menu."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from helpers import browser
from helpers.browser import Course
from tests.test_notebooks import EACH

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from helpers.source import Lesson


@pytest.mark.parametrize(("lesson", "lang"), EACH)
def test_a_lesson_runs(lesson: Lesson, lang: str, course: Course, page: Page) -> None:
    if lesson.training:
        pytest.skip("this lesson trains a network")
    path = f"notebooks/{lang}/{lesson.name}.ipynb"
    browser.open_notebook(page, course, path)
    browser.run_all(page)
    browser.close_notebook(course, path)
