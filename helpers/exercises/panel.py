"""How a verdict is shown: as text anywhere, in Jupyter with buttons above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from markdown_it import MarkdownIt

from helpers.exercises.verdict import CORRECT, INCORRECT, UNTOUCHED, Result
from helpers.views.widgets import bundle_of

MARKDOWN = MarkdownIt("commonmark", {"html": False})  # what a learner answered is no markup


# By the outcome of a check: a sign, and a colour that says the same.
SIGNS = {
    CORRECT: ("✓", "var(--jp-success-color1, green)"),
    INCORRECT: ("✗", "var(--jp-error-color1, firebrick)"),
    UNTOUCHED: ("○", "var(--jp-border-color1, gray)"),
}


def show(text: str, panel: Callable[[], Any] | None = None) -> None:
    """Show Markdown: as a widget where the front end has widgets, as text everywhere else."""
    if not InteractiveShell.initialized():
        print(text)
        return
    bundle = {"text/plain": text, "text/markdown": text}
    if panel is not None:
        bundle = {**bundle_of(panel()), **bundle}
    display(bundle, raw=True)


def render(result: Result) -> str:
    """Return a result as HTML that a screen reader announces when it changes.

    The text of a verdict says what its sign and its colour say, so neither is read aloud.
    """
    text = f'<div style="min-width: 0">{MARKDOWN.render(result.text)}</div>'
    style = "display: flex; gap: 0.75em"
    if result.outcome in SIGNS:
        sign, colour = SIGNS[result.outcome]
        text = f'<b aria-hidden="true">{sign}</b>{text}'
        style += f"; border-left: 4px solid {colour}; padding-left: 0.75em"
    return f'<div role="status" class="jp-RenderedHTMLCommon" style="{style}">{text}</div>'


def with_buttons(
    result: Result,
    buttons: Mapping[str, Callable[[], Result]],
    drill: Mapping[str, Callable[[], Result]],
    letters: Mapping[str, Callable[[], Result]],
) -> Any:
    """Return a widget: buttons by their labels, and below them `result` or what the last one answered.

    A row of `letters` is there as long as the answer is that of `drill` or of one of them.
    """
    message = ipywidgets.HTML(render(result))
    second = ipywidgets.HBox(layout={"display": "none"})

    def button(label: str, answer: Callable[[], Result], drilling: bool) -> Any:
        def press(pressed: Any) -> None:
            message.value = render(answer())
            second.layout.display = "flex" if drilling else "none"

        made = ipywidgets.Button(description=label)
        made.on_click(press)
        return made

    second.children = [button(f"({label})", answer, True) for label, answer in letters.items()]
    row = [button(label, answer, False) for label, answer in buttons.items()]
    row += [button(label, answer, True) for label, answer in drill.items()]
    return ipywidgets.VBox([ipywidgets.HBox(row), second, message])


def values_now(names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what the notebook's names hold at this moment, a stub for one that is not there."""
    held = InteractiveShell.instance().user_ns
    return tuple(held.get(name, ...) for name in names)
