"""What the pictures share: their width, how one begins, and how a text is broken into lines."""

from __future__ import annotations

import unicodedata
from html import escape
from typing import Any

from helpers import backend

WIDTH = 720  # of a picture, in pixels
CLOSING = "，。；：、！？）”"  # signs that may not begin a line


def decimal(value: float, form: str = ".2f") -> str:
    """Return a number as text in Python's format `form`, with a decimal comma in French."""
    return f"{value:{form}}".replace(".", "," if backend.language == "fr" else ".")


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


def live(svg: str) -> Any:
    """Return a picture as a widget.

    JupyterLab shows an SVG output as an image, of which nothing is read aloud. In a widget the
    picture is part of the page: its title is read, and those of its parts appear under the mouse.
    """
    import ipywidgets

    return ipywidgets.HTML(svg)


def bundle(shown: Any, svg: str, text: str) -> dict[str, Any]:
    """Return what Jupyter shows of a picture: the widget, and where there are none, SVG or text."""
    widget: dict[str, Any] = shown._repr_mimebundle_()
    return {**widget, "image/svg+xml": svg, "text/plain": text}


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
