"""Every lesson, opened in JupyterLab, run by the menu, looked at, and saved.

That takes about ten seconds each, so a lesson is seen in one language, by turns;
`COURSE_LANGUAGES=all` has each seen in every language.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from helpers.authoring import browser
from helpers.authoring.browser import Course
from helpers.i18n import LANGUAGES
from helpers.training import trained
from tests.browser import looking, saved
from tests.pages import LESSONS
from tests.pages import page as committed

if TYPE_CHECKING:
    from playwright.sync_api import Page


def findings(page: Page, course: Course, path: str, lang: str) -> dict[str, list[str]]:
    """Open a notebook, run all its cells, look at it, save and close it; return what is wrong, by kind."""
    page.emulate_media(color_scheme="light")
    with looking.listening(page, course) as (requests, complaints):
        browser.open_notebook(page, course, path)
        try:
            browser.run_all(page)
            found = {
                "drawn": looking.not_drawn(page),
                "exercises": looking.exercises_without_buttons(page, lang),
                "clipped": looking.clipped(page),
                "barriers": looking.barriers(page),
            }
            live = looking.live(page)
            found["cells"] = looking.cells_not_run(live)
            page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => null)")
            page_saved = nbformat.read(Path(course.root, path), as_version=4)
            found["saved"] = saved.wrong(page_saved) + saved.without_stand_in(live, page_saved)
        finally:
            browser.close_notebook(page, course, path)
    found |= {"requests": requests, "console": complaints}
    return {kind: texts for kind, texts in found.items() if texts}


EACH = [
    pytest.param(lesson, lang, id=f"{lang}-{lesson}")
    for lesson in LESSONS
    for turn, lang in enumerate(LANGUAGES)
    if turn == int(lesson[:2]) % len(LANGUAGES) or os.environ.get("COURSE_LANGUAGES") == "all"
]


@pytest.mark.parametrize(("lesson", "lang"), EACH)
def test_a_lesson_as_a_learner_meets_it(lesson: str, lang: str, course: Course, page: Page) -> None:
    if committed(lesson, lang).metadata.get("training") and (
        trained.missing() or trained.shop() is None
    ):
        pytest.skip("no network that this lesson trains is kept")
    found = findings(page, course, f"notebooks/{lang}/{lesson}.ipynb", lang)
    assert not found, "\n".join(
        f"{kind}: {text}" for kind, texts in found.items() for text in texts
    )
