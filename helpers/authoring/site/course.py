"""Reads the committed pages for the site, and says what is wrong with them before anything is built."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.authoring.source import LINKS
from helpers.i18n import LANGUAGES, _
from helpers.i18n.typography import CODE, FLAGS
from helpers.setup import ROOT, CourseError
from helpers.setup.processes import typed

NOTEBOOKS = ROOT / "notebooks"
LESSON_LINK = re.compile(r"(?<=\]\()(?:\.\./(?P<lang>\w\w)/)?(?P<name>\d\d-[\w-]+)\.ipynb")


class SiteError(CourseError):
    """The site cannot be built or served; the message says why, and what to do."""


@dataclass(frozen=True)
class Page:
    """One lesson in one language, as it was committed."""

    name: str  # "04-stream"
    lang: str
    cells: list[dict[str, Any]]  # as in a notebook, each source one string

    @property
    def slug(self) -> str:
        """The lesson's address; its number may change, the address may not."""
        return self.name[3:]

    @property
    def title(self) -> str:
        """The title, Markdown, without the number."""
        return str(self.cells[0]["source"]).partition("\n")[0].partition("·")[2].strip()

    @property
    def minutes(self) -> int | None:
        """How long it takes, None for a page to look things up."""
        facts = self.cells[0]["source"].split("\n\n")[1].partition(" · ")[0]
        number = re.search(r"\d+", facts)
        return int(number[0]) if number else None

    @property
    def goal(self) -> str:
        """What one can do at the end, Markdown: what the builder put between the facts and the links."""
        return "\n\n".join(self.cells[0]["source"].split("\n\n")[2:-1])


@dataclass(frozen=True)
class Course:
    """All pages; `lessons` are their names in order, each of which has a page in every language."""

    lessons: list[str]
    pages: dict[tuple[str, str], Page]

    def in_language(self, lang: str) -> list[Page]:
        """Return the pages in `lang`, in order."""
        return [self.pages[name, lang] for name in self.lessons]


def read(folder: Path = NOTEBOOKS) -> Course:
    """Read the notebooks below `folder`.

    Raises SiteError where there are none, one is missing in a language or damaged, or a link leads
    nowhere.
    """
    lessons = sorted({path.stem for lang in LANGUAGES for path in (folder / lang).glob("*.ipynb")})
    if not lessons:
        text = _("There is no notebook in {path}, so there is nothing to make a site of.")
        raise SiteError(text.format(path=folder))
    pages: dict[tuple[str, str], Page] = {}
    problems = []
    for name in lessons:
        for lang in LANGUAGES:
            path = folder / lang / f"{name}.ipynb"
            page = read_page(path, name, lang)
            if page:
                pages[name, lang] = page
            else:
                text = _("{path} is missing or damaged.")
                problems.append(text.format(path=path.relative_to(folder.parent)))
    if problems:
        text = _("Build these pages, or take them from Git again, for example by\n\n    {command}")
        problems.append(text.format(command=typed("build")))
        raise SiteError("\n".join(problems))
    if problems := [what for page in pages.values() for what in dead_links(page, lessons)]:
        raise SiteError("\n".join(problems))
    return Course(lessons, pages)


def read_page(path: Path, name: str, lang: str) -> Page | None:
    """Return a committed page, None where there is none or it is not as the builder writes it."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]
        page = Page(name, lang, cells)
        whole = all(cell["id"] and cell["cell_type"] in ("markdown", "code") for cell in cells)
        whole = whole and cells[0]["id"] == "title" and bool(page.title and page.goal)
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return None
    return page if whole else None


def prose(text: str) -> list[str]:
    """Split Markdown so that what stands at odd places is code."""
    return re.split(f"({CODE})", text, flags=FLAGS)


def dead_links(page: Page, lessons: list[str]) -> list[str]:
    """Return a sentence for each link of a page that leads to a lesson which is not there."""
    return [
        _("{lesson}, cell {cell}, {lang}: the link to {name}.ipynb leads nowhere.").format(
            lesson=page.name, cell=cell["id"], lang=page.lang, name=link["name"]
        )
        for cell in page.cells
        if cell["cell_type"] == "markdown" and cell["id"] not in ("title", LINKS)
        for text in prose(cell["source"])[::2]
        for link in LESSON_LINK.finditer(text)
        if link["name"] not in lessons or (link["lang"] or page.lang) not in LANGUAGES
    ]
