"""Tests of the buttons, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.exercises import exercise
from helpers.exercises.drilling import drills_of
from helpers.exercises.verdict import INCORRECT, Result, shorten

RIGHT = drills_of("04-stream/first-token")[0]


def test_the_buttons_check_the_names_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressed again after the cell was changed, Check judges what the name holds then."""
    held: dict[str, Any] = {}
    shell = type("Shell", (), {"user_ns": held})
    monkeypatch.setattr("IPython.core.interactiveshell.InteractiveShell.instance", lambda: shell)
    panel = exercise("04-stream/first-token")._panel(Result("", ""))
    buttons, letters, message = panel.children
    check, hint, solution, drill = buttons.children
    labels = [button.description for button in buttons.children]
    assert labels == ["Check", "Hint", "Solution", "Drill"]
    check.click()
    assert "Not attempted" in message.value and 'role="status"' in message.value
    assert "○" in message.value
    held["first_token"] = lambda stream: next(stream).text
    check.click()
    assert "<strong>Not yet.</strong>" in message.value and "✗" in message.value
    assert "<strong>Next:</strong> change your answer" in message.value
    held["first_token"] = lambda stream: next(c.text for c in stream if c.text)
    check.click()
    assert "<strong>Correct.</strong>" in message.value and "✓" in message.value
    assert "04-stream/collect" in message.value, "what is next"
    hint.click()
    assert "Hint 1 of 2" in message.value
    solution.click()
    assert "<code" in message.value and "chunk.text" in message.value
    assert letters.layout.display == "none"
    drill.click()
    assert letters.layout.display == "flex" and "What is wrong here?" in message.value
    (right,) = (item for item in letters.children if item.description == f"({RIGHT.right})")
    right.click()
    assert letters.layout.display == "flex", "the focus stays where it is"
    assert "<strong>Correct.</strong>" in message.value and "mend it" in message.value
    check.click()
    assert letters.layout.display == "none"


def test_where_a_letter_is_asked_for_there_is_no_drill() -> None:
    panel = exercise("04-stream/pieces")._panel(Result("", ""))
    assert len(panel.children[0].children) == 3


def test_what_a_learner_answers_cannot_become_markup() -> None:
    from helpers.exercises.panel import render  # which needs Jupyter

    shown = render(Result(INCORRECT, shorten("<script>`x`</script>")))
    assert "<script>" not in shown
    assert shorten("a" * 300).endswith("…") and len(shorten("a" * 300)) == 200


def test_a_panel_is_shown_with_ipywidgets_7_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Colab has it; its widgets know no `_repr_mimebundle_`, and a check was lost for that."""
    from helpers.exercises import panel

    class Box:
        model_id = "5f1c9a2e"

        def _ipython_display_(self) -> None:
            raise AssertionError

    displayed: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.core.interactiveshell.InteractiveShell.initialized", lambda: True)
    monkeypatch.setattr(panel, "display", lambda bundle, raw: displayed.append(bundle))
    panel.show("**Correct.**", lambda: Box())
    (bundle,) = displayed
    assert bundle["text/markdown"] == bundle["text/plain"] == "**Correct.**"
    (view,) = (held for form, held in bundle.items() if "widget-view" in form)
    assert view["model_id"] == "5f1c9a2e"
