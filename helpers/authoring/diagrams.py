"""Draws the diagrams of the lessons: mermaid in a source, on the page a picture that every reader sees.

GitHub and most other viewers do not draw mermaid inside a notebook. JupyterLab draws it here, once.
"""

from __future__ import annotations

import hashlib
import html
import re
import tempfile
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import nbformat

from helpers.authoring import browser
from helpers.authoring.source import Lesson, SourceError
from helpers.i18n import LANGUAGES, _
from helpers.i18n.typography import typeset_french
from helpers.setup import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = ROOT / "notebooks" / "images"
FENCE = re.compile(r"^```mermaid\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
ALTERNATIVE = re.compile(r"^ *accDescr: (?P<text>\S.*)$", re.MULTILINE)  # mermaid's own word
# Words as text and not as HTML inside the picture, which GitHub would take out.
SETTINGS = (
    '%%{init: {"theme": "neutral", "htmlLabels": false, "flowchart": {"htmlLabels": false}, '
    '"fontFamily": "Helvetica, Arial, sans-serif"}}%%\n'
)
# Each cell of the notebook that is shown, as JupyterLab has drawn it: a picture's address, or nothing.
DRAWN = """async count => {
    const {content} = window.jupyterapp.shell.currentWidget;
    const drawn = [];
    for (let number = 0; number < count; number++) {
        await content.scrollToItem(number);
        const {node} = content.widgets[number];
        let image = null;
        for (let tries = 0; tries < 100 && !image?.src; tries++) {
            image = node.querySelector(".jp-RenderedMermaid img");
            await new Promise(resolve => setTimeout(resolve, 50));
        }
        drawn.push(image?.src ?? "");
    }
    return drawn;
}"""


def wanted(lesson: Lesson) -> dict[Path, str]:
    """Return the mermaid code of a lesson's pictures, by the file where each belongs."""
    return {
        IMAGES / f"{lesson.number}-{cell.id}-{lang}.svg": found["code"]
        for cell in lesson.cells
        if cell.kind == "markdown"
        for lang in LANGUAGES
        if (found := FENCE.search(cell.text.get(lang, "")))
    }


def with_picture(text: str, name: str, lang: str) -> str:
    """Return a cell's text with the picture `name`, in `lang`, in the place of its mermaid code."""

    def image(found: re.Match[str]) -> str:
        said = ALTERNATIVE.search(found["code"])
        alternative = said["text"] if said else ""
        if lang == "fr":  # the rest of the text is typeset already, but for code
            alternative = typeset_french(alternative)
        return f"![{alternative}](../images/{name}-{lang}.svg)"

    return FENCE.sub(image, text)


def wrong_with(text: str) -> list[str]:
    """Return what is wrong with the diagrams of a cell's text."""
    found = [match["code"] for match in FENCE.finditer(text)]
    wrong = [
        "has a diagram without its text alternative, a line `accDescr: one sentence`"
        for code in found
        if len(ALTERNATIVE.findall(code)) != 1
    ]
    several = "has more than one diagram: give each a cell of its own"
    return [*wrong, several] if len(found) > 1 else wrong


def stamp(code: str) -> str:
    """Return the line of a picture that says from which code it was drawn."""
    return f"<!-- mermaid {hashlib.sha256((SETTINGS + code).encode()).hexdigest()[:16]} -->"


def stale(pictures: Mapping[Path, str]) -> dict[Path, str]:
    """Return those of `pictures` of which there is no file, or one drawn from other code."""
    return {
        path: code
        for path, code in pictures.items()
        if not path.exists() or stamp(code) not in path.read_text(encoding="utf-8")
    }


def draw(codes: list[str]) -> list[str]:
    """Return the picture of each diagram, an SVG, as the JupyterLab of this environment draws it.

    Raises SourceError where there is no browser, or where mermaid cannot read a diagram.
    """
    if lacking := browser.missing():
        raise SourceError(_("Diagrams are drawn in a browser: {what}").format(what=lacking))
    from playwright.sync_api import sync_playwright

    with (
        tempfile.TemporaryDirectory() as work,
        browser.running(Path(work)) as course,
        sync_playwright() as playwright,
    ):
        return draw_in(playwright.chromium.connect(course.browser).new_page(), course, codes)


def draw_in(page: Page, course: browser.Course, codes: list[str]) -> list[str]:
    """Return the picture of each diagram, drawn in a page. Raises SourceError as `draw` does."""
    cells = [nbformat.v4.new_markdown_cell(f"```mermaid\n{SETTINGS}{code}```") for code in codes]
    notebook = nbformat.v4.new_notebook(
        cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    path = "notebooks/diagrams.ipynb"
    Path(course.root, path).write_text(nbformat.writes(notebook), encoding="utf-8")
    browser.open_notebook(page, course, path)
    drawn = page.evaluate(DRAWN, len(codes))
    browser.close_notebook(page, course, path)
    for code, address in zip(codes, drawn, strict=True):
        if not address:
            raise SourceError(_("mermaid cannot read this diagram:\n\n{code}").format(code=code))
    return [
        tidy(urllib.parse.unquote(address.partition(",")[2]), code)
        for code, address in zip(codes, drawn, strict=True)
    ]


def tidy(drawn: str, code: str) -> str:
    """Return JupyterLab's SVG as a file of its own: with a size, a ground, and its stamp."""
    svg = drawn[drawn.index("<svg") :].rstrip() + "\n"
    named = r"&(?!amp;|lt;|gt;|quot;|apos;|#)\w+;"  # such as &nbsp;, which XML does not know
    svg = re.sub(named, lambda entity: html.unescape(entity[0]), svg)
    svg = re.sub(r"jp-mermaid-\d+", "diagram", svg)
    box = ElementTree.fromstring(svg).attrib["viewBox"].split()
    width, height = (f"{float(length):.0f}" for length in box[2:])
    svg = svg.replace('width="100%"', f'width="{width}" height="{height}"', 1)
    ground = f'<rect x="{box[0]}" y="{box[1]}" width="{box[2]}" height="{box[3]}" fill="#fff"/>'
    opening = svg.index(">") + 1
    return f"{svg[:opening]}{stamp(code)}{ground}{svg[opening:]}"
