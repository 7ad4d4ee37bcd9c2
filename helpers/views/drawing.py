"""What the pictures share: their width, how one begins, and how a text is broken into lines."""

from __future__ import annotations

import unicodedata
from html import escape
from typing import Any

from helpers.views.widgets import bundle_of

WIDTH = 720  # of a picture, in pixels
CLOSING = "，。；：、！？）”"  # signs that may not begin a line


def picture(height: float, title: str, parts: list[str]) -> str:
    """Return an SVG picture, WIDTH pixels wide and `height` high, on white; `title` is read aloud."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}" '
            'font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            *parts,
            "</svg>",
        ]
    )


def bundle(svg: str, said: str, live: Any = None) -> dict[str, Any]:
    """Return what a picture's `_repr_mimebundle_` returns: a widget, and the SVG for a saved page.

    JupyterLab makes of an SVG output an image without a name, so that a screen reader has nothing
    to read; in a widget, `live` or a new one, the picture keeps its title.
    """
    import ipywidgets

    shown = live or ipywidgets.HTML(svg)
    return {**bundle_of(shown), "image/svg+xml": svg, "text/plain": said}


def columns(text: str) -> int:
    """Return how wide a text is, in columns, of which Han characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def wrap(text: str, limit: int) -> list[str]:
    """Break `text` into lines of at most `limit` columns; Han characters may end a line."""
    lines, line, width, space = [], "", 0, 0
    for char in text.replace("\n", " "):
        size = columns(char)
        if width + size > limit and char not in CLOSING:
            cut = space if space else len(line)
            lines.append(line[:cut].rstrip())
            line = line[cut:].lstrip()
            width = columns(line)
            space = 0
        line += char
        width += size
        if char == " " or size == 2:
            space = len(line)
    return [*lines, line] if line else lines
