"""Tests of the lessons as a whole; running each one is nbmake's part, see tests/plugin.py."""

from __future__ import annotations

import itertools
import re

import pytest

import helpers
from helpers.authoring import builder
from helpers.builtin import book
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT
from tests import needs
from tests.cells import run
from tests.pages import LESSONS, page

EACH = [
    pytest.param(lesson, lang, id=f"{lang}-{lesson}") for lesson in LESSONS for lang in LANGUAGES
]
SHEET = "17-cheat-sheet"
NOT_IN_THE_BOOK = ("unknown-question", "forged")  # cells that ask the book what it does not know
README = {"en": "README.md", "zh": "README.zh.md", "fr": "README.fr.md"}


def test_sources_and_notebooks_agree() -> None:
    assert len(LESSONS) >= 4
    assert builder.check([]) == []


# The programs of the three languages are the same but for their strings, and nbmake has run each of
# them in its page: what is not defined in a cell itself is found in one language, by turns. The cells
# of the cheat sheet run alone in tests/authoring/test_snippets.py.
@pytest.mark.parametrize(
    ("lesson", "lang"),
    [
        pytest.param(lesson, lang, id=f"{lang}-{lesson}")
        for lesson, lang in zip(LESSONS, itertools.cycle(LANGUAGES), strict=False)
        if lesson != SHEET
    ],
)
def test_a_cell_that_offers_itself_for_copying_runs_alone(lesson: str, lang: str) -> None:
    notebook = page(lesson, lang)
    cells = [c for c in notebook.cells if "standalone" in c.metadata.get("tags", [])]
    assert cells, "every lesson ends with lines to take along"
    needs.needed_by_page(notebook)
    for cell in cells:
        assert len([line for line in cell.source.splitlines() if line]) <= 12
        run(cell.source, {"MODEL": helpers.start(lang)})


@pytest.mark.parametrize(("lesson", "lang"), EACH)
def test_a_page_shows_nothing_that_means_nothing(lesson: str, lang: str) -> None:
    unknown = book.unknown(lang)
    for cell in page(lesson, lang).cells:
        shown = "".join(str(output) for output in cell.get("outputs", []))
        for nothing in (
            "VBox(",
            "HBox(",
            "model_id",
            "<Figure",
            "Ellipsis",
            str(ROOT),
            "site-packages",
        ):
            assert nothing not in shown, f"cell {cell.id!r} shows {nothing}"
        not_in_the_book = unknown in shown.replace("\\xa0", "\xa0")
        assert not_in_the_book is (cell.id in NOT_IN_THE_BOOK), f"cell {cell.id!r}"


@pytest.mark.parametrize("name", [*LESSONS, README["fr"]])
def test_french_prose_has_typographic_apostrophes(name: str) -> None:
    """A straight one joins letters in code, formulas and addresses alone."""
    if name in LESSONS:
        texts = [cell.source for cell in page(name, "fr").cells if cell.cell_type == "markdown"]
    else:
        texts = [(ROOT / name).read_text("utf-8")]
    not_prose = r"^ *```.*?^ *```|`[^`\n]+`|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|<[^>]*>"
    for text in texts:
        prose = re.sub(not_prose, "`", text, flags=re.DOTALL | re.MULTILINE)
        assert re.findall(r"\w+'[\w`*«]+", prose) == []


@pytest.mark.parametrize(("lesson", "lang"), EACH)
def test_every_link_to_a_file_leads_somewhere(lesson: str, lang: str) -> None:
    text = "\n".join(c.source for c in page(lesson, lang).cells if c.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert links
    for link in links:
        assert (builder.NOTEBOOKS / lang / link).is_file(), link


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_first_page_lists_the_lessons_and_its_links_lead_somewhere(lang: str) -> None:
    text = (ROOT / README[lang]).read_text("utf-8")
    for lesson in LESSONS:
        title = page(lesson, lang).cells[0].source.partition("\n")[0].partition(" · ")[2]
        length = re.search(
            r"\d+", page(lesson, lang).cells[0].source.split("\n\n")[1].split(" · ")[0]
        )
        row = f"[{title}](notebooks/{lang}/{lesson}.ipynb) | {length[0] if length else ''}"
        assert title and row in text, "python3 -m helpers status computes the minutes"
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        assert "://" in link or (ROOT / link).exists(), link
    for command in ("python3 -m helpers lab", "python3 -m helpers test"):
        assert command in text
