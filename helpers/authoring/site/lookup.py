"""What somebody with an old line or an error message looks for: tables of them, and what the search knows."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from helpers.authoring import words
from helpers.authoring.site.content import plain
from helpers.authoring.site.course import Course, Page
from helpers.exercises.texts import all_texts
from helpers.i18n import _
from helpers.i18n.typography import typeset_french

WIDE = "---\nhide-toc: true\n---"
SHORTEST = 4  # words of a message that one would look for
ERROR = re.compile(r"\b([A-Z]\w*(?:Error|Exception|Warning)|Error code)\b(?:: (.+)|\('(.+)'\))?")
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FIELD = re.compile(r"\{\w*(![a-z])?(:[^}]*)?\}|%\(\w+\)[sr]|%[sr]")


@dataclass(frozen=True)
class Known:
    """What one may paste into the search, where it is explained, and what that place is called."""

    text: str
    href: str  # from the language's folder
    place: str


def cut(row: str) -> list[str]:
    """Return the columns of a table's row in Markdown."""
    return [column.strip() for column in re.split(r"(?<!\\)\|", row.strip())[1:-1]]


def tables(page: Page) -> list[tuple[list[str], list[list[str]]]]:
    """Return the tables from old lines to new of a page: cells called `table` with three columns.

    Each is its head and those rows that begin with code.
    """
    found = []
    for cell in page.cells:
        if cell["id"] == "table":
            rows = [cut(line) for line in cell["source"].splitlines() if line.startswith("|")]
            rows = [row for row in rows if len(row) == 3]
            if rows:
                found.append((rows[0], [row for row in rows[1:] if row[0].startswith("`")]))
    return found


def old_lines(course: Course, lang: str) -> tuple[str, list[Known]]:
    """Return the page with all old lines, Markdown, and its rows for the search."""
    title = _("From old lines to new", lang)
    intro = _(
        "Paste a line of an old program into the search: here is what it does today, and what to write "
        "instead. The course's tests run both columns.",
        lang,
    )
    head: list[str] = []
    rows: dict[str, list[str]] = {}
    for page in course.in_language(lang):
        for own_head, own_rows in tables(page):
            head = head or [*own_head, _("Lesson", lang)]
            for row in own_rows:
                link = f"[{page.name[:2]}]({page.slug}.html)"
                rows.setdefault(row[0], [*row, link])
    known = []
    lines = [f"| {' | '.join(head)} |", "| --- | --- | --- | --- |"] if head else []
    for number, row in enumerate(rows.values(), 1):
        anchor = f'<span id="line-{number}"></span>'
        lines.append(f"| {anchor}{' | '.join(row)} |")
        said = row[0] + (f" {row[1]}" if row[1].startswith("`") else "")
        known.append(Known(plain(said), f"old-lines.html#line-{number}", title))
    wide = '<div class="wide"></div>'
    return "\n\n".join([WIDE, f"# {title}", intro, wide, "\n".join(lines)]) + "\n", known


def printed(cell: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the errors in a code cell's outputs: the name of each class, and its message or ""."""
    found = []
    for output in cell.get("outputs", []):
        if output["output_type"] == "error":
            found.append((output["ename"], ANSI.sub("", output["evalue"])))
        elif output["output_type"] == "stream":
            for line in ANSI.sub("", "".join(output["text"])).splitlines():
                found += [(one[1], one[2] or one[3] or "") for one in ERROR.finditer(line)]
    return list(dict.fromkeys((name, " ".join(text.split())) for name, text in found))


def errors(course: Course, lang: str) -> tuple[str, list[Known]]:
    """Return the page with all errors that the lessons print, Markdown, and each for the search.

    What explains one is the prose below the cell that printed it.
    """
    rows: dict[str, dict[str, list[str]]] = {}
    known = []
    for page in course.in_language(lang):
        for cell, below in zip(page.cells, page.cells[1:], strict=False):
            for name, text in printed(cell) if cell["cell_type"] == "code" else ():
                place = f"{page.name[:2]} · {page.title}"
                link = f"[{place}]({page.slug}.html#{below['id']})"
                links = rows.setdefault(name, {}).setdefault(text, [])
                if link not in links:
                    links.append(link)
                    href = f"{page.slug}.html#{below['id']}"
                    known.append(Known(f"{name}: {text}", href, plain(place)))
    title = _("Errors, and where they are explained", lang)
    intro = _(
        "Each of these stands in a lesson because a program there really fails, on purpose. The link "
        "leads to the paragraph that says why, and what to do.",
        lang,
    )
    parts = [f"# {title}", intro]
    for name in sorted(rows):
        own = "\n".join(
            f"- {f'``{text[:300]}`` · ' if text else ''}{', '.join(links)}"
            for text, links in sorted(rows[name].items())
        )
        parts += [f"## `{name}`", own]
    return "\n\n".join(parts) + "\n", known


def messages(lang: str) -> tuple[str, list[Known]]:
    """Return the page with what the course's commands and checks print, Markdown, and each for the search.

    Only sentences are there, not what --help says; what is filled into one stands as an ellipsis.
    """
    rooms = {
        "cli": _("Commands", lang),
        "setup": _("Installing and opening the course", lang),
        "backend": _("The model and its settings", lang),
        "builtin": _("The built-in model", lang),
        "exercises": _("Exercises", lang),
        "views": _("Pictures and windows", lang),
        "training": _("Training", lang),
    }
    title = _("What the course says", lang)
    intro = _(
        "Every message of the course's commands, checks and views. Each says what happened and what "
        "to do; where something is filled in, there is an ellipsis here.",
        lang,
    )
    shown: dict[str, list[str]] = {}
    for entry in words.read("zh" if lang == "en" else lang):
        own = entry.id if lang == "en" else entry.string
        text = own if isinstance(own, str) else (own or [""])[-1]
        english = entry.id if isinstance(entry.id, str) else entry.id[0]
        if len(english.split()) < SHORTEST or english[0].islower():
            continue
        text = FIELD.sub("…", typeset_french(text) if lang == "fr" else text)
        room = entry.locations[0][0].split("/")[1].removesuffix(".py") if entry.locations else ""
        shown.setdefault(room, []).append(text)
    known = []
    parts = [f"# {title}", intro]
    number = 0
    for room, heading in rooms.items():
        parts.append(f"## {heading}")
        for text in shown.get(room, ()):
            number += 1
            parts.append(f'<div class="message" id="message-{number}">\n\n{text}\n\n</div>')
            known.append(Known(text, f"course-messages.html#message-{number}", title))
    return "\n\n".join(parts) + "\n", known


def exercise_messages(course: Course, lang: str) -> list[Known]:
    """Return what the exercises say of answers, for the search: it leads to the exercise."""
    found = []
    for name, texts in all_texts().items():
        lesson, _slash, exercise = name.partition("/")
        page = course.pages.get((lesson, lang))
        for key, text in texts.items() if page else ():
            if not key.startswith("hint-") and key != "correct":
                href = f"{lesson[3:]}.html#{exercise}-check"
                place = f"{lesson[:2]} · {plain(page.title)}" if page else ""
                found.append(Known(FIELD.sub("…", text[lang]), href, place))
    return found


def for_search(known: list[Known]) -> str:
    """Return what the search knows besides the pages, as JSON."""
    rows = [[one.text, one.href, one.place] for one in known]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")) + "\n"
