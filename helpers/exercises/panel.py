"""How a verdict is shown: as text anywhere, in Jupyter with buttons above it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from markdown_it import MarkdownIt

from helpers.views.widgets import bundle_of

MARKDOWN = MarkdownIt("commonmark", {"html": False})  # what a learner answered is no markup


def show(text: str, panel: Callable[[str], Any] | None = None) -> None:
    """Show Markdown: as a widget where the front end has widgets, as text everywhere else."""
    if not InteractiveShell.initialized():
        print(text)
        return
    bundle = {"text/plain": text, "text/markdown": text}
    if panel is not None:
        bundle = {**bundle_of(panel(text)), **bundle}
    display(bundle, raw=True)


def render(text: str) -> str:
    """Return Markdown as HTML that a screen reader announces when it changes."""
    return f'<div role="status" class="jp-RenderedHTMLCommon">{MARKDOWN.render(text)}</div>'


def with_buttons(text: str, buttons: dict[str, Callable[[], str]]) -> Any:
    """Return a widget: buttons by their labels, and below them `text` or what the last one answered."""
    message = ipywidgets.HTML(render(text))

    def button(label: str, answer: Callable[[], str]) -> Any:
        made = ipywidgets.Button(description=label)
        made.on_click(lambda pressed: setattr(message, "value", render(answer())))
        return made

    row = ipywidgets.HBox([button(label, answer) for label, answer in buttons.items()])
    return ipywidgets.VBox([row, message])


def values_now(names: tuple[str, ...]) -> tuple[Any, ...]:
    """Return what the notebook's names hold at this moment, a stub for one that is not there."""
    held = InteractiveShell.instance().user_ns
    return tuple(held.get(name, ...) for name in names)
