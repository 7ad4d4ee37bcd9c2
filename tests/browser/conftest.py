"""What the tests in a browser share: one JupyterLab, one browser, and a page for each test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from helpers.authoring.browser import Course
from tests.browser import sharing

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page


@pytest.fixture(scope="session")
def course() -> Course:
    """The running JupyterLab and browser; the first worker that asks starts them for all."""
    sharing.required()
    return sharing.course()


@pytest.fixture(scope="package")
def context(course: Course) -> Iterator[BrowserContext]:
    """A window of the shared browser, with its own cache and cookies.

    It goes with the last of these tests: while it is there, no other test can use asyncio.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.connect(course.browser)
        yield browser.new_context(viewport={"width": 1180, "height": 1000})
        browser.close()


@pytest.fixture(scope="package")
def kept(context: BrowserContext) -> list[Page]:
    """Pages that tests have left in order."""
    return []


@pytest.fixture
def page(
    context: BrowserContext, kept: list[Page], request: pytest.FixtureRequest
) -> Iterator[Page]:
    """A page that is empty, or shows a JupyterLab with no notebook open: it takes long to open one.

    What a test that fails leaves behind, no other gets to see.
    """
    failed = request.session.testsfailed
    page = kept.pop() if kept else context.new_page()
    yield page
    if request.session.testsfailed == failed:
        kept.append(page)
    else:
        page.close()
