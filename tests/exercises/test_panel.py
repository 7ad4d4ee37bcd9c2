"""Tests of the buttons, without a browser."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.exercises import exercise
from helpers.exercises.verdict import shorten


def test_the_buttons_check_the_names_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pressed again after the cell was changed, Check judges what the name holds then."""
    held: dict[str, Any] = {}
    shell = type("Shell", (), {"user_ns": held})
    monkeypatch.setattr("IPython.core.interactiveshell.InteractiveShell.instance", lambda: shell)
    panel = exercise("04-stream/first-token")._panel("")
    buttons, message = panel.children
    check, hint, solution = buttons.children
    assert [button.description for button in buttons.children] == ["Check", "Hint", "Solution"]
    check.click()
    assert "Not attempted" in message.value and 'role="status"' in message.value
    held["first_token"] = lambda stream: next(stream).text
    check.click()
    assert "<strong>Not yet.</strong>" in message.value
    held["first_token"] = lambda stream: next(c.text for c in stream if c.text)
    check.click()
    assert "<strong>Correct.</strong>" in message.value
    hint.click()
    assert "Hint 1 of 2" in message.value
    solution.click()
    assert "<code" in message.value and "chunk.text" in message.value


def test_what_a_learner_answers_cannot_become_markup() -> None:
    from helpers.exercises.panel import render  # which needs Jupyter

    shown = render(shorten("<script>`x`</script>"))
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
    panel.show("**Correct.**", lambda text: Box())
    (bundle,) = displayed
    assert bundle["text/markdown"] == bundle["text/plain"] == "**Correct.**"
    (view,) = (held for form, held in bundle.items() if "widget-view" in form)
    assert view["model_id"] == "5f1c9a2e"
