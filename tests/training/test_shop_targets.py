"""Tests of what lesson 15 promises: what its page reports, and what the network that it trained does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from helpers.setup import ROOT
from helpers.training import shop_data, trained
from helpers.training.shop_data import LANGUAGES
from tests import needs
from tests.cells import run

KNOWN, NEW, NUMBER = 95, 80, 90  # per cent of the replies, and of the numbers copied


def notebook() -> Any:
    return nbformat.read(ROOT / "notebooks" / "en" / "15-train-your-own.ipynb", as_version=4)


def page_scores(name: str) -> dict[tuple[str, str], dict[str, int]]:
    """Return the percentages of the table that a cell of the page shows."""
    cell = next(cell for cell in notebook().cells if cell.id == name)
    tables = [output.data["text/markdown"] for output in cell.outputs if "data" in output]
    head, _, *rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in tables[0].splitlines()]
    return {
        (row[0], row[1]): {
            measure: int(value.removesuffix("%"))
            for measure, value in zip(head[-4:-1], row[2:5], strict=True)
        }
        for row in rows
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_reports_what_was_aimed_at(language: str) -> None:
    scores = page_scores("after")
    assert scores["before, new wordings", language]["exact"] < 5
    assert scores["after, known wordings", language]["exact"] >= KNOWN
    assert scores["after, new wordings", language]["exact"] >= NEW
    assert scores["after, known wordings", language]["number"] >= NUMBER
    assert scores["after, new wordings", language]["number"] >= NUMBER


@pytest.fixture(scope="module")
def network() -> Path:
    """The folder of the network that lesson 15 trains; runs the lesson where no test has done so."""

    needs.required()
    names = {"__name__": "__main__"}
    for cell in notebook().cells:
        if trained.shop() is None and cell.cell_type == "code":
            run(cell.source, names)
    folder = trained.shop()
    assert folder is not None
    return folder


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("part", "least"), [("known", KNOWN - 10), ("test", NEW - 10)])
def test_the_trained_network_answers_through_langchain(
    network: Path, language: str, part: str, least: int
) -> None:
    from helpers.models.chat_shop import ChatShop

    chat = ChatShop.load(network)
    asked = shop_data.dialogues(part, 40, seed=9)
    asked = [dialogue for dialogue in asked if dialogue.language == language]
    right = [
        chat.invoke(dialogue.messages[:-1]).text == dialogue.messages[-1]["content"]
        for dialogue in asked
    ]
    assert 100 * sum(right) / len(right) >= least
