"""Compares what two runs of a notebook show, as far as a page promises that it stays the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any


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
    """Say whether two code cells show the same, as far as the tags of the first one ask for it."""
    return same(outputs_text(old), outputs_text(new), old.metadata.get("tags", []))


def same(before: str, after: str, tags: Sequence[str]) -> bool:
    """Say whether two texts that a cell with these tags shows are the same for a reader.

    `varies` (timings, measured numbers): digits do not count. `trained` (what a trained network
    gives, which depends on the processor): a number with a decimal point may differ by 0.05, from
    1 on by 5 %, a percentage by 5 points, and what stands before a unit (`3 s`, `900 MB`) by
    anything; a text in quotation marks, what a network wrote, counts only as being there; of a
    picture only the words in it count. All else must be equal, and so the rows, columns and names
    of a table, and whole numbers.
    """
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
    text = words_of_drawings(text)
    for pattern in QUOTED:
        text = pattern.sub('"…"', text)
    text = MEASURED.sub("…", text)
    return re.sub(r"-{3,}", "---", re.sub(r"[ \t]+", " ", text))


def words_of_drawings(text: str, between: str = " ") -> str:
    """Return `text` with, in the place of each SVG, the words in it."""
    return re.sub(
        r"<svg\b.*?</svg>",
        lambda svg: between.join(re.findall(r">([^<]*\w[^<]*)<", svg[0])),
        text,
        flags=re.DOTALL,
    )


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
