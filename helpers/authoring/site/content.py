"""Turns the committed pages into what Sphinx reads: notebooks whose cells can be linked to."""

from __future__ import annotations

import html
import re
from typing import Any

from helpers.authoring import seen
from helpers.authoring.site.course import LESSON_LINK, Page, prose
from helpers.authoring.site.folds import Mistakes, of_exercise
from helpers.authoring.source import LINKS
from helpers.i18n import _

CHECK = re.compile(r'^exercise\("([^"]+)"\)\.check\(', re.MULTILINE)
DIAGRAM = re.compile(r"!\[(?P<text>[^]]*)\]\(\.\./images/(?P<name>[\w-]+\.svg)\)")
HEADING = re.compile(r"#{1,6} ")


def notebook(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a notebook of these cells, as JSON."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    language = {"language_info": {"name": "python", "pygments_lexer": "python"}}
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {**kernel, **language},
        "cells": cells,
    }


def markdown(ident: str, text: str) -> dict[str, Any]:
    """Return a cell of prose that can be linked to by its id."""
    anchor = f'<div class="anchor" data-cell="{ident}"></div>'
    text = f"{anchor}\n\n{text}"
    return {"id": ident, "cell_type": "markdown", "metadata": {}, "source": text}


def code(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a code cell of a page, which can be linked to by its id too.

    Drawings stand in the page itself, so that they keep their text and their description.
    """
    outputs = []
    for output in cell["outputs"]:
        data = output.get("data", {})
        if drawing := "".join(data.get("image/svg+xml", "")):
            output = {**output, "data": {"text/html": f'<div class="drawing">{drawing}</div>'}}
        outputs.append(output)
    return {**cell, "outputs": outputs, "metadata": {**cell["metadata"], "cell": cell["id"]}}


def linked(text: str, up: str = "") -> str:
    """Return Markdown whose links to lessons' notebooks lead to their pages; `up` leads to their folder.

    Diagrams are shown as they are, from the folder that the languages share.
    """

    def target(link: re.Match[str]) -> str:
        slug = link["name"][3:]
        other = f"{up}../{link['lang']}/{slug}.html"
        return other if link["lang"] else f"{up}{slug}.html"

    def picture(found: re.Match[str]) -> str:
        text = html.escape(found["text"])
        return f'<img class="diagram" src="{up}../images/{found["name"]}" alt="{text}">'

    parts = prose(text)
    parts[::2] = [DIAGRAM.sub(picture, LESSON_LINK.sub(target, part)) for part in parts[::2]]
    return "".join(parts)


def lesson(page: Page, wrong: Mistakes) -> dict[str, Any]:
    """Return the notebook that a lesson's page on the site is made of, with what is folded away."""
    name = _("Lesson {number}", page.lang).format(number=page.name[:2])
    length = _("About {minutes} minutes", page.lang).format(minutes=page.minutes)
    facts = [name, _("To look things up", page.lang) if page.minutes is None else length]
    head = f'# {page.title}\n\n<p class="facts">{" · ".join(facts)}</p>\n\n{linked(page.goal)}'
    cells = [markdown("title", head)]
    for cell in page.cells[1:]:
        if cell["id"] == LINKS:
            continue
        if cell["cell_type"] == "markdown":
            cells.append(markdown(cell["id"], linked(cell["source"])))
            continue
        cells.append(code(cell))
        if check := CHECK.search(cell["source"]):
            folds = of_exercise(check[1], page.lang, wrong)
            cells.append(markdown(f"{cell['id']}-help", folds))
    made = html.escape(seen.foot(page.name, seen.read()))
    return notebook([*cells, markdown("made-with", f'<p class="facts">{made}</p>')])


def plain(text: str) -> str:
    """Return one line of Markdown as plain text, as it stands in a description or a list."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[`*]|\\(?=[|_*])", "", re.sub(r"[ \t\n]+", " ", text).strip())
