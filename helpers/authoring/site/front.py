"""The first page of a language: what one will have at the end, for whom it is, and the lessons by part."""

from __future__ import annotations

import functools
import html
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from helpers.authoring.site.content import plain
from helpers.authoring.site.course import Course, Page
from helpers.i18n import _, ngettext
from helpers.i18n.typography import typeset_french

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """Lessons that belong together, under a title."""

    title: str
    pages: list[Page]


@functools.cache
def texts() -> dict[str, Any]:
    """Return the words of the first page, and where each part begins."""
    words = yaml.safe_load((HERE / "front.yaml").read_text(encoding="utf-8"))
    return {**words, "words": {**words["words"], "fr": typeset(words["words"]["fr"])}}


def typeset(words: Any) -> Any:
    """Return French texts, in lists and dictionaries, as French is set."""
    if isinstance(words, dict):
        return {key: typeset(value) for key, value in words.items()}
    return [typeset(one) for one in words] if isinstance(words, list) else typeset_french(words)


def parts(course: Course, lang: str) -> list[Part]:
    """Return the course's parts. One begins at the first lesson whose address begins as one of `from`."""
    beginnings = {begin: part["title"][lang] for part in texts()["parts"] for begin in part["from"]}
    found: list[Part] = []
    for page in course.in_language(lang):
        title = next((beginnings[b] for b in beginnings if page.slug.startswith(b)), None)
        if found and (title is None or any(part.title == title for part in found)):
            found[-1].pages.append(page)
        else:
            found.append(Part(title or "", [page]))
    return found


def titled(title: str) -> str:
    """Return a title, Markdown, as HTML."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(title, quote=False))


def tree(part: Part) -> str:
    """Return the part for the list of pages at the side, Markdown."""
    pages = [f"{one.name[:2]} · {plain(one.title)} <{one.slug}>" for one in part.pages]
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {part.title}", "", *pages, "```"])


def page(course: Course, lang: str, lookup: list[str]) -> str:
    """Return the first page, Markdown; `lookup` are the pages that are no lessons."""
    words = texts()["words"][lang]
    minutes = sum(one.minutes or 0 for one in course.in_language(lang))
    count = sum(one.minutes is not None for one in course.in_language(lang))
    hours = round(minutes / 60)
    found = parts(course, lang)
    lessons = ngettext("{count} lesson", "{count} lessons", count).format(count=count)
    length = ngettext("about {hours} hour", "about {hours} hours", hours).format(hours=hours)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True
    )
    body = environment.get_template("front.html").render(
        words=words,
        parts=found,
        first=course.in_language(lang)[0],
        length=f"{lessons} · {length}",
        lang=lang,
        titled=titled,
        plain=plain,
        minutes=_("{minutes} min"),
    )
    aside = Part(_("Look up"), [])
    trees = [tree(part) for part in found]
    trees.append("\n".join([tree(aside).removesuffix("```").rstrip(), "", *lookup, "```"]))
    raw = f"````{{raw}} html\n{body}\n````"
    return "\n\n".join(["---\nhide-toc: true\n---", f"# {words['title']}", raw, *trees]) + "\n"
