"""Predict, then run: asks what a cell will show, and puts the answer beside what it has shown."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from IPython.lib.pretty import pretty

from helpers import i18n
from helpers.exercises import progress
from helpers.exercises.panel import MARKDOWN
from helpers.exercises.running import Printed
from helpers.exercises.texts import predictions
from helpers.i18n import _
from helpers.views.widgets import bundle_of

LATE = 1.0  # seconds after a cell's end in which the end of a prediction may arrive
LABEL = "-predict"  # what the id of a cell that asks has behind that of the cell it asks about


class Heard:
    """Stands in for a stream, and keeps the beginning of what is written to it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.printed = Printed()

    def write(self, text: str) -> int:
        self.printed.write(text)
        return int(self.stream.write(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Watch:
    """Waits for the cell that was asked about, hears what it shows, and compares.

    That is the next cell that runs once there is a prediction. Where the front end tells the ids of a lesson's cells, as
    JupyterLab does, it is the one of that id, and others in between do not count.
    """

    def __init__(self, shell: InteractiveShell, name: str, guess: Callable[[], str]) -> None:
        self.shell = shell
        self.name = name
        self.guess = guess
        ident = name.partition("/")[2]
        self.ident = ident if own_cell(shell) == f"{ident}{LABEL}" else None
        self.heard: Heard | None = None
        self.came = ""
        self.compared: Any = None
        self.ended = 0.0
        shell.events.register("pre_run_cell", self.begin)
        shell.events.register("post_run_cell", self.end)

    def begin(self, info: Any) -> None:
        """Listen to the cell that begins, if it is the one."""
        asked = self.ident is None or info.cell_id == self.ident
        if asked and info.store_history and self.guess().strip():
            self.heard = Heard(sys.stdout)
            sys.stdout = self.heard

    def end(self, result: Any) -> None:
        """Compare, if the cell that ends is the one."""
        heard, self.heard = self.heard, None
        if heard is None:
            return
        if sys.stdout is heard:
            sys.stdout = heard.stream
        self.stop()
        self.came = shown(heard.printed.getvalue(), result)
        self.compared = display(self.comparison(), raw=True, display_id=True)
        self.ended = time.monotonic()

    def arrive(self, change: Any) -> None:
        """Compare anew with a prediction whose end arrives late.

        A field sends on what was typed when what it sent before has been taken, and ipykernel 7 takes
        that in another thread than cells: either may be when the cell has ended.
        """
        if self.compared is not None and time.monotonic() - self.ended < LATE:
            self.compared.update(self.comparison(), raw=True)

    def comparison(self) -> dict[str, str]:
        """Return a prediction beside what came, with what to look for, and keep the prediction."""
        guess = self.guess().strip()
        look = predictions()[self.name][i18n.language()]
        look = _("**Look at this:** {text}").format(text=look)
        try:
            progress.keep_prediction(self.name, guess)
        except progress.ProgressError as error:
            look += "\n\n" + progress.not_kept(error)
        both = {_("Your prediction:"): guess, _("What the cell showed:"): self.came}
        plain = [f"{title}\n{indented(text)}" for title, text in both.items()]
        return {
            "text/plain": "\n\n".join([*plain, look]),
            "text/html": side_by_side(both, look),
        }

    def stop(self) -> None:
        """Listen no more."""
        del _watches[self.name]
        self.shell.events.unregister("pre_run_cell", self.begin)
        self.shell.events.unregister("post_run_cell", self.end)


_watches: dict[str, Watch] = {}


def predict(name: str, guess: str | None = None) -> None:
    """Ask what the code cell `name` ("04-stream/add-up") will show, in a field where there are widgets.

    Where there are none, `guess` is the answer. It is kept with the progress, and never judged; once
    the cell has run, both stand side by side. Raises LookupError, naming those there are, for a cell
    about which no lesson asks.
    """
    if name not in predictions():
        known = ", ".join(sorted(predictions()))
        raise LookupError(f"No lesson asks about a cell {name!r}. There are: {known}.")
    before = guess or kept(name)
    text = question(name, before)
    if not InteractiveShell.initialized():
        print(text)
        return
    shell = InteractiveShell.instance()
    if name in _watches:
        _watches[name].stop()
    field = ipywidgets.Textarea(
        value=before,
        description=_("Prediction"),
        rows=3,
        style={"description_width": "initial"},
        layout={"width": "40em", "max_width": "98%"},
    )
    asked = ipywidgets.HTML(MARKDOWN.render(_("**What will the next cell show?** Write it down.")))
    box = ipywidgets.VBox([asked, field])
    watch = _watches[name] = Watch(shell, name, lambda: str(field.value))
    field.observe(watch.arrive, names="value")
    bundle = {"text/plain": text, "text/markdown": text}
    display({**bundle_of(box), **bundle}, raw=True)


def question(name: str, guess: str) -> str:
    """Return the question as text that says how to answer it without a field."""
    text = _(
        "**What will the next cell show?** Write it down, then run that cell. Where there is no field: "
        '`predict("{name}", "...")`.'
    ).format(name=name)
    if guess:
        text += "\n\n" + _("Your prediction:") + "\n\n" + indented(guess)
    return text


def kept(name: str) -> str:
    """Return the prediction of an earlier time, "" where there is none."""
    try:
        return str(progress.read_all()["predictions"].get(name, ""))
    except progress.ProgressError:
        return ""


def own_cell(shell: InteractiveShell) -> str:
    """Return the id of the cell that is running, as the front end calls it, "" where it tells none."""
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(parent.get("metadata", {}).get("cellId", ""))


def shown(printed: str, result: Any) -> str:
    """Return as text what a cell printed, what its last line gave, and how it ended."""
    parts = [printed.rstrip("\n")]
    if result.result is not None:
        parts.append(pretty(result.result))
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        parts.append(f"{type(error).__name__}: {error}")
    return "\n".join(filter(None, parts)) or _("(nothing that is text)")


def indented(text: str) -> str:
    """Return text as a block of code in Markdown."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def side_by_side(texts: dict[str, str], look: str) -> str:
    """Return texts under their titles in columns, one below the other where the room is narrow."""
    column = "flex: 1 1 20em; min-width: 0"
    block = "white-space: pre-wrap; overflow-wrap: anywhere; border-left: 4px solid; padding-left: 0.75em"
    columns = "".join(
        f'<div style="{column}"><b>{escape(title)}</b><pre style="{block}">{escape(text)}</pre></div>'
        for title, text in texts.items()
    )
    return (
        '<div role="status" class="jp-RenderedHTMLCommon">'
        f'<div style="display: flex; flex-wrap: wrap; gap: 1em">{columns}</div>'
        f"{MARKDOWN.render(look)}</div>"
    )
