"""Makes a notebook byte-stable: what a cell printed stays, what only this run knew goes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import nbformat

from helpers.backend import without_keys

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
    notebook.metadata = nbformat.from_dict(
        {"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO}
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
                cell.outputs = nbformat.from_dict(_without_keys(cell.outputs))
        model["content"] = notebook


def _without_keys(part: Any) -> Any:
    """Return a part of a notebook without the learner's keys."""
    if isinstance(part, dict):
        return {name: _without_keys(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_without_keys(value) for value in part]
    return without_keys(part) if isinstance(part, str) else part


def differences(expected: Any, actual: Any) -> list[tuple[str, str]]:
    """Compare the outputs of two stabilized notebooks with the same cells.

    Returns (cell id, what differs) pairs. In a cell tagged `varies` (timings, measured numbers)
    digits do not count.
    """
    found = []
    for old, new in zip(expected.cells, actual.cells, strict=True):
        if old.cell_type == "code":
            varies = "varies" in old.metadata.get("tags", [])
            before, after = outputs_text(old, varies), outputs_text(new, varies)
            if before != after:
                found.append((old.id, f"the page shows\n{before}\nbut the code gives\n{after}"))
    return found


def outputs_text(cell: Any, varies: bool) -> str:
    """Return a code cell's outputs as one text, with runs of digits masked where they vary."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(f"[{output.name}] {output.text}")
        elif output.output_type == "error":
            parts.append("\n".join(output.traceback))
        else:
            parts += [f"[{kind}] {value}" for kind, value in sorted(output.data.items())]
    text = "\n".join(parts)
    return re.sub(r"\d+", "0", text) if varies else text


def unexpected(notebook: Any) -> list[tuple[str, str]]:
    """Return (cell id, what is wrong) for cells that should have raised and the first that raised unasked."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            errors = [out for out in cell.outputs if out.output_type == "error"]
            asked = "raises-exception" in cell.metadata.get("tags", [])
            if errors and not asked:
                found.append((cell.id, f"raised {errors[0].ename}: {errors[0].evalue}"))
                break  # what follows may raise for want of this cell's result
            if asked and not errors:
                found.append((cell.id, "is tagged raises-exception and raised nothing"))
    return found
