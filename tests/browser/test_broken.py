"""A notebook in which everything is wrong that `looking` and `saved` look for: they find it all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from helpers.authoring.browser import Course
from helpers.backend import saving
from tests.browser import looking, saved
from tests.browser.test_lessons import findings

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMPORTS = """
from IPython.display import HTML, Javascript, display
import ipywidgets
"""
VIEW_OF_NOTHING = f"""
nothing = {{"model_id": "0123", "version_major": 2, "version_minor": 0}}
display({{"{saving.WIDGET_VIEW}": nothing, "text/markdown": "A view."}}, raw=True)
"""
NO_BUTTONS = """
class exercise:
    def __init__(self, name): self.name = name
    def check(self, answer): print(answer)
exercise("00-start/name").check(1)
"""
LONG = "This button says far more than has room on it, and nobody can read how it ends"
# Cell -> its code, and what is found in it: the kind, and words of the finding.
BROKEN: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "imports": (IMPORTS, []),
    "foreign": (
        'HTML(\'<img alt="Logo" src="https://example.org/logo.png">\')',
        [
            ("requests", "https://example.org/logo.png"),
            ("console", "ERR_NAME_NOT_RESOLVED"),
            ("drawn", "https://example.org/logo.png"),
        ],
    ),
    "console": (
        "display(Javascript(\"console.error('all is lost')\"))",
        [("console", "all is lost"), ("saved", "cell console: application/javascript")],
    ),
    "thrown": (
        'display(Javascript("setTimeout(() => { throw new Error(`out of the blue`) })"))',
        [("console", "out of the blue"), ("saved", "cell thrown: application/javascript")],
    ),
    "view": (
        VIEW_OF_NOTHING,
        [("drawn", "cell view, output 1"), ("console", "widget model not found")],
    ),
    "invisible": (
        'box = ipywidgets.HTML("x"); box.layout.display = "none"; box',
        [("drawn", "cell invisible, output 1"), ("saved", "cell invisible: 1 views, 0 shown")],
    ),
    "clipped": (
        f"ipywidgets.Button(description={LONG!r})",
        [("clipped", "cell clipped"), ("saved", "cell clipped: 1 views, 0 shown")],
    ),
    "low": (
        f"ipywidgets.HTML({LONG!r}, layout={{'width': '99px', 'height': '30px', 'overflow': 'hidden'}})",
        [("clipped", "cell low"), ("saved", "cell low: 1 views, 0 shown")],
    ),
    "choice": (
        f"ipywidgets.Dropdown(description='One', options=['a', {LONG!r}])",
        [("clipped", "cell choice"), ("saved", "cell choice: 1 views, 0 shown")],
    ),
    "light-only": (
        "HTML('<p style=\"color: #eee\">pale</p>')",
        [("barriers", 'light: color-contrast: <p style="color: #eee">pale')],
    ),
    "dark-only": (
        "HTML('<p style=\"color: #222\">gloomy</p>')",
        [("barriers", 'dark: color-contrast: <p style="color: #222">gloomy')],
    ),
    "no-name": (
        "HTML('<button></button>')",
        [("barriers", "light: button-name: <button>")],
    ),
    "exercise": (NO_BUTTONS, [("exercises", "exercise exercise: has the buttons []")]),
    "tame": ("1", [("cells", "cell tame: is tagged raises-exception and raised nothing")]),
    "error": ("nobody", [("cells", "cell error: raised NameError")]),
    "after": ("2", [("cells", "cell after: did not run")]),
}
# The words keep what comes after it from where something lies over it and axe can tell no colour.
PICTURE = "Words.\n\n" * 8 + "![a picture](data:image/svg+xml,nothing)"


def fits(wanted: tuple[str, str], text: tuple[str, str]) -> bool:
    """Say whether a finding is of the kind that is wanted, and has its words."""
    return wanted[0] == text[0] and wanted[1] in text[1]


def test_everything_that_is_broken_is_found_and_nothing_else(
    course: Course, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PATIENCE", 15)
    cells = [new_code_cell(code, id=name) for name, (code, _) in BROKEN.items()]
    cells.insert(1, new_markdown_cell(PICTURE, id="picture"))
    next(cell for cell in cells if cell.id == "tame").metadata["tags"] = ["raises-exception"]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": saving.KERNELSPEC})
    path = Path(course.root, "broken", "all.ipynb")
    path.parent.mkdir(exist_ok=True)
    path.write_text(saving.dumps(notebook), encoding="utf-8")
    found = findings(page, course, "broken/all.ipynb", "en")
    wanted = [("drawn", "picture <img"), *(each for _, some in BROKEN.values() for each in some)]
    texts = [(kind, text) for kind, some in found.items() for text in some]
    missed = [each for each in wanted if not any(fits(each, text) for text in texts)]
    other = [text for text in texts if not any(fits(each, text) for each in wanted)]
    assert not missed and not other, f"missed: {missed}\nfound beside: {other}"


def page_with(kind: str, value: Any) -> Any:
    """Return a notebook whose one cell has one output."""
    output = new_output("display_data", data={kind: value})
    return new_notebook(cells=[new_code_cell(id="one", outputs=[output])])


def test_a_saved_page_may_hold_nothing_that_has_to_run() -> None:
    assert saved.wrong(page_with("image/svg+xml", "<svg><text>one = 1</text></svg>")) == []
    for kind, value in {
        saving.WIDGET_VIEW: {"model_id": "1"},
        "application/javascript": "1",
        "text/html": "<p><script>1</script></p>",
        "image/svg+xml": '<svg onload="1"></svg>',
    }.items():
        (said,) = saved.wrong(page_with(kind, value))
        assert said.startswith("cell one: ") and kind in said
    assert saved.wrong(new_notebook(metadata={"widgets": {}})) == ["widget state"]
    assert saved.wrong(new_notebook(cells=[new_markdown_cell("<script>", id="two")]))


@pytest.mark.parametrize(
    ("kind", "value", "stands"),
    [
        ("text/plain", "VBox(children=(Button(), HTML()))", False),
        ("text/plain", "<helpers.views.Replay object at 0x0>", False),
        ("text/plain", "3 steps (of 4)", True),
        ("text/markdown", "| a | b |", True),
        ("text/markdown", " ", False),
        ("image/svg+xml", "<svg></svg>", True),
    ],
)
def test_a_picture_or_a_text_stands_in_for_a_view(kind: str, value: str, stands: bool) -> None:
    live = page_with(saving.WIDGET_VIEW, {"model_id": "1"})
    kept = page_with(kind, value)
    assert (saved.without_stand_in(live, kept) == []) is stands
    assert saved.without_stand_in(kept, new_notebook(cells=[new_code_cell(id="one")])) == []
    nbformat.validate(kept)
