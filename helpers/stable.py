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


def differences(expected: Any, actual: Any) -> list[tuple[str, str]]:
    """Compare the outputs of two stabilized notebooks with the same cells.

    Returns (cell id, what differs) pairs.
    """
    found = []
    for old, new in zip(expected.cells, actual.cells, strict=True):
        if old.cell_type == "code" and not alike(old, new):
            before, after = outputs_text(old), outputs_text(new)
            found.append((old.id, f"the page shows\n{before}\nbut the code gives\n{after}"))
    return found


def alike(old: Any, new: Any) -> bool:
    """Say whether two code cells show the same, as far as the tags of the first one ask for it.

    `varies` (timings, measured numbers): digits do not count. `trained` (what a trained network
    gives, which depends on the processor): a number with a decimal point may differ by 0.05, from
    1 on by 5 %, a percentage by 5 points, and what stands before a unit (`3 s`, `900 MB`) by
    anything; a text in quotation marks, what a network wrote, counts only as being there; of a
    picture only the words in it count. All else must be equal, and so the rows, columns and names
    of a table, and whole numbers.
    """
    tags = old.metadata.get("tags", [])
    before, after = outputs_text(old), outputs_text(new)
    if "trained" in tags:
        before, after = without_written(before), without_written(after)
    if "varies" in tags:
        before, after = (re.sub(r"\d+", "0", text) for text in (before, after))
    if "trained" not in tags:
        return before == after
    words, numbers = NUMBER.split(before), NUMBER.findall(before)
    others = NUMBER.findall(after)
    return words == NUMBER.split(after) and all(map(close, numbers, others))


# A number with a decimal point or comma, or a percentage; a comma before three digits is none.
NUMBER = re.compile(r"(?<![\w.,])-?\d+(?:\.\d+|,\d{1,2}(?!\d))(?:\s?%)?|(?<![\w.,])\d+\s?%")
MEASURED = re.compile(
    r"\d+(?:[.,]\d+)?(?=\s?(?:ms|s|min|[kM]B|[kM]o|GB|Go|秒|分钟|tokens/s)(?!\w))"
)
QUOTED = [
    re.compile(r'"(?:\\.|[^"\\\n])*"|“[^”\n]*”|«[^»\n]*»'),
    re.compile(r"(?<!\w)'(?:\\.|[^'\\\n])*'(?!\w)"),  # not an apostrophe
]


def close(one: str, other: str) -> bool:
    """Say whether two texts that NUMBER matches are as near to each other as `alike` wants."""
    if one.endswith("%") != other.endswith("%"):
        return False
    first, second = (float(text.rstrip("%").strip().replace(",", ".")) for text in (one, other))
    allowed = 5 if one.endswith("%") else 0.05 * max(1, abs(first))
    return abs(first - second) <= allowed + 1e-9


def without_written(text: str) -> str:
    """Return outputs without what a network wrote, the lines of a drawing, and the gaps of columns."""
    text = re.sub(r"^\[image/png\].*", "[image/png]", text, flags=re.MULTILINE)
    text = re.sub(
        r"<svg\b.*?</svg>",
        lambda svg: " ".join(re.findall(r">([^<]*\w[^<]*)<", svg[0])),
        text,
        flags=re.DOTALL,
    )
    for pattern in QUOTED:
        text = pattern.sub('"…"', text)
    text = MEASURED.sub("…", text)
    return re.sub(r"-{3,}", "---", re.sub(r"[ \t]+", " ", text))


def outputs_text(cell: Any) -> str:
    """Return a code cell's outputs as one text."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            parts.append(f"[{output.name}] {output.text}")
        elif output.output_type == "error":
            parts.append("\n".join(output.traceback))
        else:
            parts += [f"[{kind}] {value}" for kind, value in sorted(output.data.items())]
    return "\n".join(parts)


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
