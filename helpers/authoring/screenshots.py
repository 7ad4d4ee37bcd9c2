"""Makes the pictures of the three READMEs: lesson 04 in JupyterLab, all in the reader's language."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.authoring import browser
from helpers.i18n import LANGUAGES, _
from helpers.setup import ROOT, CourseError
from helpers.setup.jupyter import LOCALES
from helpers.setup.processes import typed

if TYPE_CHECKING:
    from playwright.sync_api import Browser

IMAGES = ROOT / "notebooks" / "images"
LESSON = "04-stream"
UPPER, ACTIVE = "time-to-first", "watch"  # the cell at the upper edge, and the one that is chosen
WIDTH, HEIGHT = 960, 680  # of a picture on the page, in pixels
STATUS_BAR = 24  # pixels at the lower edge that are cut off: what they say changes all the time
SCALE = 2  # pixels of the file for one on the page, so that it is sharp on fine screens too
LANGUAGE = "/lab/api/settings/@jupyterlab/translation-extension:plugin"


def check_browser() -> None:
    """Raise CourseError where there is no browser to take pictures with."""
    if browser.find() is None:
        text = _(
            "The pictures cannot be made: no browser was found that can be driven from here.\n"
            "Install Chromium, Chrome or Edge, and type:\n\n    {command}"
        )
        raise CourseError(text.format(command=typed("screenshots")))


def make(folder: Path) -> list[Path]:
    """Write the picture for each language to `folder`, all or none, and return their paths.

    Raises CourseError where JupyterLab or the browser does not start, and playwright's errors.
    """
    from playwright.sync_api import sync_playwright

    try:
        with (
            tempfile.TemporaryDirectory() as work,
            browser.running(Path(work)) as course,
            sync_playwright() as playwright,
        ):
            chromium = playwright.chromium.connect(course.browser)
            pictures = {lang: picture(chromium, course, lang) for lang in LANGUAGES}
    except browser.BrowserError as error:
        text = _(
            "The pictures were not made: JupyterLab or the browser did not start. It said:\n\n{said}"
        )
        raise CourseError(text.format(said=error)) from error
    paths = {lang: folder / f"lesson-{lang}.png" for lang in LANGUAGES}
    for lang, path in paths.items():
        new = path.with_suffix(".new")
        new.write_bytes(pictures[lang])
        new.replace(path)
    return list(paths.values())


def picture(chromium: Browser, course: browser.Course, lang: str) -> bytes:
    """Return the picture in `lang`, a PNG; JupyterLab's interface is in that language from then on."""
    chosen = json.dumps({"locale": LOCALES[lang]})
    browser.ask(course, "PUT", LANGUAGE, {"raw": chosen})
    page = chromium.new_page(
        viewport={"width": WIDTH, "height": HEIGHT + STATUS_BAR},
        device_scale_factor=SCALE,
        color_scheme="light",
    )
    path = f"notebooks/{lang}/{LESSON}.ipynb"
    browser.open_notebook(page, course, path)
    browser.run_all(page)
    page.evaluate(
        """async ([upper, active]) => {
            const {shell} = window.jupyterapp;
            const {content, context} = shell.currentWidget;
            shell.collapseLeft();
            await context.save();
            const place = id => content.widgets.findIndex(cell => cell.model.id === id);
            content.activeCellIndex = place(active);
            const {node} = content.widgets[place(upper)];
            // What stands above it gets its final height only little by little.
            for (let last = null, now; last !== (now = node.offsetTop); last = now) {
                await new Promise(requestAnimationFrame);
                await new Promise(requestIdleCallback);
            }
            node.scrollIntoView({block: "start"});
            document.activeElement.blur();
            await document.fonts.ready;
        }""",
        [UPPER, ACTIVE],
    )
    taken: bytes = page.screenshot(clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT})
    browser.close_notebook(page, course, path)
    page.close()
    return taken
