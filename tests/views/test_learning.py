"""Tests of helpers.views.learning: loss curves and the table of what networks can do."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from helpers import i18n
from helpers.views import LossCurves, ScoreTable

POINTS = [(0, 7.6), (10, 2.0), (20, 0.5)]
SCORES = {"before": {"en": {"exact": 0.0, "perplexity": 61.25}}}


def test_curves_go_down_where_the_loss_goes_down_and_are_named() -> None:
    picture = LossCurves({"train": POINTS, "a < b": [(0, 7.0), (20, 1.0)]}).svg()
    root = ET.fromstring(picture)
    lines = [element for element in root.iter() if element.tag.endswith("polyline")]
    assert len(lines) == 2 and lines[0].get("stroke-dasharray") != lines[1].get("stroke-dasharray")
    heights = [float(point.split(",")[1]) for point in str(lines[0].get("points")).split()]
    assert heights == sorted(heights) and len(heights) == 3
    words = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert "train" in words and "a < b" in words and "20" in words


def test_a_reader_without_the_picture_gets_the_ends_of_each_curve() -> None:
    assert repr(LossCurves({"train": POINTS})) == "train goes from 7.60 to 0.50"
    i18n.use("fr")
    assert repr(LossCurves({"train": POINTS})) == "train va de 7,60 à 0,50"


@pytest.mark.parametrize("bad", [{}, {"a": []}, {"a": [(1, 2)]}, {"a": 3}, [1], {"a": ["x", "y"]}])
def test_what_is_no_curve_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="LossCurves"):
        LossCurves(bad)


def test_the_table_has_a_row_for_each_network_and_language() -> None:
    table = ScoreTable(SCORES, plain=["perplexity"])._repr_markdown_()
    assert table.splitlines()[0] == "|  |  | exact | perplexity |"
    assert table.splitlines()[2] == "| before | en | 0% | 61.25 |"
    i18n.use("fr")
    table = ScoreTable(SCORES, plain=["perplexity"])._repr_markdown_()
    assert table.splitlines()[2] == "| before | en | 0\u00a0% | 61,25 |"


@pytest.mark.parametrize("bad", [{}, {"a": 3}, {"a": {"en": {"exact": "x"}}}, [1]])
def test_what_is_no_table_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="ScoreTable"):
        ScoreTable(bad)
