"""Says what `fresh` has found, old and new side by side: in Markdown for an issue, and for a terminal."""

from __future__ import annotations

import difflib
import html
import re
import shutil
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

from helpers.authoring import stable
from helpers.authoring.fresh import Difference, plain

CONTEXT = 1  # lines around those that differ
MOST_LINES = 24  # of one part of an output
MOST_CHARACTERS = 60_000  # an issue on GitHub holds 65,536


def changes(one: Difference) -> list[tuple[str, str]]:
    """Return the parts in which two outputs differ, old and new, with the lines around them.

    Lines that differ only in what does not count are taken for the same. Of a drawing its words are
    shown.
    """
    before, after = (
        stable.words_of_drawings(text, "\n").splitlines() for text in (one.old, one.new)
    )

    def counted(line: str) -> str:
        return re.sub(r"\d+", "0", plain(line)) if "varies" in one.tags else plain(line)

    compared = [counted(line) for line in before], [counted(line) for line in after]
    matcher = difflib.SequenceMatcher(None, *compared, autojunk=False)
    return [
        (_cut(before[group[0][1] : group[-1][2]]), _cut(after[group[0][3] : group[-1][4]]))
        for group in matcher.get_grouped_opcodes(CONTEXT)
    ] or [("(only the lines and colours of a drawing, or numbers)", "")]


def _cut(lines: list[str]) -> str:
    left_out = len(lines) - MOST_LINES
    more = [f"… {left_out} more lines"] if left_out > 0 else []
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join([*lines[:MOST_LINES], *more]))  # no colours


def by_cell(differences: Iterable[Difference]) -> Iterator[tuple[str, Difference]]:
    """Yield each cell that differs once: its heading, with the languages, and its first difference."""
    cells: dict[tuple[str, str, bool], list[Difference]] = {}
    for one in differences:
        cells.setdefault((one.lesson, one.cell, one.alone), []).append(one)
    for same in sorted(cells.values(), key=lambda same: same[0].lesson):
        first = same[0]
        what = "the snippet" if first.alone else "cell" if first.cell else "the whole page"
        place = f"{first.lesson}, {what} {first.cell}".rstrip()
        yield f"{place} ({', '.join(one.lang for one in same)})", first


def other_versions(made: Mapping[str, str], now: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return (package, the version that is pinned, the version it ran with), where they differ."""
    return [
        (name, made[name], now[name]) for name in made if name in now and made[name] != now[name]
    ]


def summary(differences: Iterable[Difference], pages: int, snippets: int) -> str:
    """Return in one sentence what was found among so many pages (all languages) and snippets."""
    found = list(differences)
    whole = len({(one.lesson, one.lang) for one in found if not one.alone})
    alone = sum(one.alone for one in found)
    if not found:
        return f"All of {pages} pages and {snippets} snippets show what is committed."
    return (
        f"{whole} of {pages} pages and {alone} of {snippets} snippets show something else than what "
        "is committed."
    )


def markdown(
    said: str, differences: Iterable[Difference], packages: Iterable[tuple[str, str, str]]
) -> str:
    """Return the report for an issue: the summary `said`, the versions, old and new in tables."""
    parts = [said, ""]
    if rows := list(packages):
        parts += ["| package | pinned | in this run |", "| --- | --- | --- |"]
        parts += [f"| {name} | {pinned} | {now} |" for name, pinned, now in rows] + [""]
    length = sum(map(len, parts))
    cells = list(by_cell(differences))
    for number, (heading, one) in enumerate(cells):
        table = ["<table>", "<tr><th>committed</th><th>in this run</th></tr>"]
        table += [
            f"<tr><td><pre>{html.escape(old)}</pre></td><td><pre>{html.escape(new)}</pre></td></tr>"
            for old, new in changes(one)
        ]
        part = "\n".join([f"### {heading}", "", *table, "</table>", ""])
        length += len(part)
        if length > MOST_CHARACTERS:
            parts.append(f"… and {len(cells) - number} more cells: run `python3 -m helpers fresh`.")
            break
        parts.append(part)
    return "\n".join(parts).rstrip() + "\n"


def terminal(differences: Iterable[Difference], width: int | None = None) -> str:
    """Return the differences in two columns that fill a terminal of `width` characters."""
    half = ((width or shutil.get_terminal_size().columns) - 3) // 2
    lines = []
    for heading, one in by_cell(differences):
        lines += [
            "",
            heading,
            _row("committed", "in this run", half),
            _row("-" * half, "-" * half, half),
        ]
        for old, new in changes(one):
            lefts = [part for line in old.splitlines() for part in _wrapped(line, half)]
            rights = [part for line in new.splitlines() for part in _wrapped(line, half)]
            lines += [
                _row(left, right, half) for left, right in zip_longest(lefts, rights, fillvalue="")
            ]
    return "\n".join(lines)


def _wide(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _wrapped(line: str, width: int) -> list[str]:
    """Return a line in pieces that a column holds; where there may be wide signs, in halves of it."""
    narrow = width if _wide(line) == len(line) else width // 2
    return textwrap.wrap(line, narrow, drop_whitespace=False) or [""]


def _row(left: str, right: str, half: int) -> str:
    return f"{left}{' ' * (half - _wide(left))} | {right}".rstrip()
