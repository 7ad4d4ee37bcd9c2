"""What can be wrong with a saved notebook, which is shown where nothing runs, on GitHub for one."""

from __future__ import annotations

import re
from typing import Any

from helpers.backend.saving import WIDGET_VIEW

SCRIPT = re.compile(r"<script|<iframe|\bon\w+\s*=\s*[\"']|javascript:", re.IGNORECASE)
BARE = re.compile(r"\s*(<[\w. ]+( object)? at 0x\w+>|\w+\(.*\))\s*", re.DOTALL)  # a repr
STANDING_IN = ("text/markdown", "text/html", "image/svg+xml", "image/png", "text/plain")


def wrong(notebook: Any) -> list[str]:
    """Return what a saved notebook holds that only a running one can show."""
    found = ["widget state"] if "widgets" in notebook.metadata else []
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and SCRIPT.search(cell.source):
            found.append(f"cell {cell.id}: a script in the text")
        for output in cell.get("outputs", []):
            for kind, value in output.get("data", {}).items():
                if kind == WIDGET_VIEW or "javascript" in kind:
                    found.append(f"cell {cell.id}: {kind}")
                elif kind in ("text/html", "image/svg+xml") and SCRIPT.search(value):
                    found.append(f"cell {cell.id}: a script in {kind}")
    return found


def without_stand_in(live: Any, notebook: Any) -> list[str]:
    """Return the cells that show a view while they run, and nothing in its place when saved.

    A picture or a text stands in for a view; the bare repr of an object does not.
    """
    found = []
    for running, kept in zip(live.cells, notebook.cells, strict=True):
        views = [out for out in running.get("outputs", []) if WIDGET_VIEW in out.get("data", {})]
        instead = [out for out in kept.get("outputs", []) if stands_in(out)]
        if len(instead) < len(views):
            found.append(f"cell {running.id}: {len(views)} views, {len(instead)} shown when saved")
    return found


def stands_in(output: Any) -> bool:
    """Say whether an output of a saved notebook shows something to its reader."""
    if output.output_type == "stream":
        return bool(output.text.strip())
    shown = [output.get("data", {}).get(kind, "") for kind in STANDING_IN]
    return any(text.strip() and not BARE.fullmatch(text) for text in shown)
