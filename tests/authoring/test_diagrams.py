"""Tests of helpers.authoring.diagrams: what stands as mermaid in a source is a picture on the page."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from helpers.authoring import builder, diagrams

CODE = "flowchart LR\n  accDescr: Que d'eau ; tout l'eau.\n  A --> B\n"
CELL = f"Before.\n\n```mermaid\n{CODE}```\n\nAfter."


def test_the_page_has_a_picture_with_its_alternative() -> None:
    shown = diagrams.with_picture(CELL, "07-tree", "en")
    assert shown == "Before.\n\n![Que d'eau ; tout l'eau.](../images/07-tree-en.svg)\n\nAfter."
    french = diagrams.with_picture(CELL, "07-tree", "fr")
    assert "![Que d’eau\u00a0; tout l’eau.](../images/07-tree-fr.svg)" in french
    assert diagrams.with_picture("```python\nmermaid\n```", "x", "en") == "```python\nmermaid\n```"


def test_a_diagram_without_alternative_and_two_in_a_cell_are_wrong() -> None:
    assert diagrams.wrong_with(CELL) == []
    (said,) = diagrams.wrong_with(CELL.replace("accDescr", "note"))
    assert "accDescr" in said
    (said,) = diagrams.wrong_with(CELL + "\n\n" + CELL)
    assert "more than one" in said


def test_a_picture_is_stale_when_its_code_has_changed(tmp_path: Path) -> None:
    svg = diagrams.tidy(
        '<svg id="jp-mermaid-7" width="100%" viewBox="0 1 20.4 10">&nbsp;</svg>', CODE
    )
    path = tmp_path / "07-tree-en.svg"
    assert diagrams.stale({path: CODE}) == {path: CODE}
    path.write_text(svg, encoding="utf-8")
    assert diagrams.stale({path: CODE}) == {}
    assert diagrams.stale({path: CODE + "  B --> C\n"})
    root = ElementTree.fromstring(svg)
    assert (root.get("width"), root.get("height"), root.get("id")) == ("20", "10", "diagram")


def test_every_picture_is_there_and_none_too_many(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (lessons, _) = builder.read_course()
    wanted = {path for lesson in lessons for path in diagrams.wanted(lesson)}
    assert wanted == set(diagrams.IMAGES.glob("*.svg"))
    for path in wanted:
        text = path.read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert "foreignObject" not in text and "<script" not in text, path.name
    monkeypatch.setattr(diagrams, "IMAGES", tmp_path)
    (tmp_path / "00-lost-en.svg").write_text("<svg/>", encoding="utf-8")
    monkeypatch.setattr(builder, "ROOT", tmp_path)
    said = [str(problem) for problem in builder.check([])]
    assert any("00-lost-en.svg: no source" in one for one in said)
    assert sum("drawn from other code" in one for one in said) == len(wanted)
