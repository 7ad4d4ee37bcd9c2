"""Makes a notebook byte-stable: what a cell printed stays, what only this run knew goes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import nbformat

from helpers.backend.keys import without_keys

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# What the kernel reports, but for Python's version, which changes from one machine to the next.
LANGUAGE_INFO = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
BUILDERS = ("execution", "training")  # metadata that the builder writes: how to run this notebook
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# Addresses, the kernel's temporary files, and the random identifiers of runs and messages.
SCRUBBED = [
    (re.compile(r"\b0x[0-9a-f]{6,16}\b"), "0x0"),
    (re.compile(r"[^\s\"'(<]*ipykernel_\d+[/\\]\d+\.py"), "<cell>"),
    (
        re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"),
        "0" * 8 + "-0000" * 3 + "-" + "0" * 12,
    ),
]


def scrub(text: str) -> str:
    """Return `text` without addresses, temporary paths and random identifiers."""
    for pattern, replacement in SCRUBBED:
        text = pattern.sub(replacement, text)
    return text


def stabilize(notebook: Any) -> None:
    """Change `notebook` (an nbformat node) in place so that the next run writes the same bytes.

    Goes: time stamps, widget state and views, addresses, run ids, and all but the last line of
    a traceback that a cell raises on purpose (tag `raises-exception`).
    """
    kept = {key: notebook.metadata[key] for key in BUILDERS if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO, **kept}
    )
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        if cell.cell_type == "code":
            cell.outputs = _joined(out for out in cell.outputs if _stabilize_output(out, tags))


def _stabilize_output(output: Any, tags: list[str]) -> bool:
    """Scrub one output in place; return False where nothing is left to show."""
    if output.output_type == "stream":
        output.text = scrub(output.text)
    elif output.output_type == "error":
        output.evalue = scrub(output.evalue)
        if "raises-exception" in tags:
            output.traceback = [f"{output.ename}: {output.evalue}"]
        else:
            output.traceback = [scrub(line) for line in output.traceback]
    else:
        # A widget cannot be shown on a saved page; its text form ("VBox(…)") says nothing.
        if output.data.pop(WIDGET_VIEW, None) is not None and list(output.data) == ["text/plain"]:
            return False
        for kind, value in output.data.items():
            if isinstance(value, str) and (kind.startswith("text/") or kind == "image/svg+xml"):
                output.data[kind] = scrub(value)
    return True


def _joined(outputs: Iterable[Any]) -> list[Any]:
    """Join neighbouring pieces of the same stream, whose cuts are chance."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if (
            last is not None
            and output.output_type == last.output_type == "stream"
            and output.name == last.name
        ):
            last.text += output.text
        else:
            joined.append(output)
    return joined


def dumps(notebook: Any) -> str:
    """Return the notebook's file content as nbformat, and so JupyterLab, writes it."""
    text: str = nbformat.writes(notebook, version=4)
    return text.rstrip("\n") + "\n"


def before_save(model: dict[str, Any], **_: Any) -> None:
    """Jupyter's `pre_save_hook`: saving leaves a diff for real changes only, and no key in an output."""
    if model["type"] == "notebook" and model["content"]["nbformat"] == 4:
        notebook = nbformat.from_dict(model["content"])
        stabilize(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = [nbformat.from_dict(_harmless(output)) for output in cell.outputs]
        model["content"] = notebook


# Where what a learner's code says stands in an output; the rest of it is nbformat's.
SAID = ("text", "ename", "evalue", "traceback", "data", "metadata")
BINARY = re.compile(r"(image|audio|video)/(?!svg)|application/(pdf|octet-stream)")


def _harmless(output: Any) -> dict[str, Any]:
    """Return an output without the learner's keys, its pictures and the like untouched."""
    cleaned = {name: _without_keys(value) for name, value in output.items() if name in SAID}
    for kind, value in output.get("data", {}).items():
        if BINARY.match(kind):
            cleaned["data"][kind] = value
    return {**output, **cleaned}


def _without_keys(part: Any) -> Any:
    """Return a part of a notebook without the learner's keys."""
    if isinstance(part, dict):
        return {name: _without_keys(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_without_keys(value) for value in part]
    return without_keys(part) if isinstance(part, str) else part
