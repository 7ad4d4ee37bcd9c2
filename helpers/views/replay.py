"""A run played step by step: the patches of `astream_log`, or the events of `astream_events`."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

import jsonpatch
import jsonpointer
from langchain_core.messages import BaseMessage
from langchain_core.tracers.log_stream import RunLog, RunLogPatch

from helpers.i18n import _, ngettext, pgettext
from helpers.views.widgets import bundle_of

FIELDS = {"event", "name", "run_id", "parent_ids", "data"}  # of an event, as far as they are used
SIGNS = {"add": "+", "replace": "~", "remove": "-"}
FIRST, LAST = 12, 8  # steps at the beginning and the end that a table shows of a long run
LONGEST = 60  # characters of a value in a table
KEYS = 6  # of a dict that a table names
DEPTH = 2  # of a document, down to which all of it is shown
LIST_HEAD, LIST_TAIL = 1, 3  # entries of a long list that a document shows


class Replay:
    """A recorded run with a slider over its steps; as text and on a saved page, a table of them.

    `recorded` is the list of what `astream_log` or `astream_events` (v2) yielded. Raises TypeError
    for anything else, and ValueError for an empty list or for patches that do not fit together.
    """

    def __init__(self, recorded: Sequence[Any]) -> None:
        if inspect.isasyncgen(recorded):
            raise TypeError(
                _(
                    "This is an async generator, which has not run yet. Collect what it yields, "
                    "then hand over the list: "
                    "Replay([step async for step in chain.astream_events(question)])"
                )
            )
        if not isinstance(recorded, (list, tuple)):
            raise TypeError(
                _(
                    "Replay takes a list: all patches of one astream_log, or all events of one "
                    "astream_events. This is of type {type}."
                ).format(type=type(recorded).__name__)
            )
        if not recorded:
            raise ValueError(_("The list is empty: there is nothing to replay."))
        fits = _is_patch if _is_patch(recorded[0]) else _is_event
        for number, step in enumerate(recorded, 1):
            if isinstance(step, RunLog):
                raise TypeError(
                    _(
                        "Step {step} is a RunLog, the sum of several patches. Hand over the patches "
                        "themselves (astream_log without diff=False)."
                    ).format(step=number)
                )
            if _is_v3_event(step):
                raise TypeError(
                    _(
                        'These are events of version "v3", which tell of one message and not of '
                        "runs. Replay takes those of astream_events without version."
                    )
                )
            if not fits(step):
                raise TypeError(
                    _(
                        "All steps must be RunLogPatch, or all events of astream_events (v2, each "
                        "with event, name, run_id, parent_ids and data). Step {step} is of type "
                        "{type} and does not fit."
                    ).format(step=number, type=type(step).__name__)
                )
        self._run: _Run = _Patches(recorded) if fits is _is_patch else _Events(recorded)

    def __repr__(self) -> str:
        return "\n".join([self._run.title(), *("  ".join(row) for row in self._rows())])

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        lines = [
            " | ".join(map(_cell, row)) for row in [self._run.head(), ["---"] * 4, *self._rows()]
        ]
        table = "\n".join(f"| {line} |" for line in lines)
        return {
            **bundle_of(self._panel()),
            "text/plain": repr(self),
            "text/markdown": table,
        }

    def _rows(self) -> list[list[str]]:
        """Return the table's rows, without the middle of a long run."""
        count = self._run.count
        numbers = list(range(1, count + 1))
        if count <= FIRST + LAST:
            return [row for number in numbers for row in self._run.rows(number)]
        head = [row for number in numbers[:FIRST] for row in self._run.rows(number)]
        tail = [row for number in numbers[-LAST:] for row in self._run.rows(number)]
        hidden = count - FIRST - LAST
        left_out = ngettext("… {count} more step …", "… {count} more steps …", hidden)
        return [*head, ["", left_out.format(count=hidden), "", ""], *tail]

    def _panel(self) -> Any:
        """Return the slider, its two buttons and what they show, as a widget."""
        import ipywidgets

        count = self._run.count
        slider = ipywidgets.IntSlider(
            1, min=1, max=count, description=_("Step"), layout=ipywidgets.Layout(width="28em")
        )
        previous = ipywidgets.Button(description=_("← Previous"))
        following = ipywidgets.Button(description=_("Next →"))
        half = ipywidgets.Layout(flex="1 1 320px", min_width="0")
        panes = [ipywidgets.HTML(layout=half), ipywidgets.HTML(layout=half)]

        def show(change: Any = None) -> None:
            number = slider.value
            previous.disabled, following.disabled = number == 1, number == count
            for pane, (title, lines) in zip(panes, self._run.views(number), strict=True):
                pane.value = _pane(title, lines)

        def move(by: int) -> None:
            slider.value += by

        previous.on_click(lambda button: move(-1))
        following.on_click(lambda button: move(1))
        slider.observe(show, "value")
        show()
        return ipywidgets.VBox(
            [
                ipywidgets.HBox([slider, previous, following]),
                ipywidgets.HBox(panes, layout=ipywidgets.Layout(flex_flow="row wrap")),
            ]
        )


View = tuple[str, list[tuple[str, str]]]  # a title, and (sign, text) lines; a sign marks a line


class _Run(Protocol):
    """What was recorded, step by step; steps are numbered from 1."""

    count: int

    def title(self) -> str: ...

    def head(self) -> list[str]: ...

    def rows(self, number: int) -> list[list[str]]: ...

    def views(self, number: int) -> list[View]: ...


class _Patches:
    """The patches of `astream_log`, and the document that they build."""

    def __init__(self, patches: Sequence[RunLogPatch]) -> None:
        self.patches = patches
        self.count = len(patches)
        self.document(self.count)

    def title(self) -> str:
        return ngettext("{count} patch", "{count} patches", self.count).format(count=self.count)

    def head(self) -> list[str]:
        return _("step|op|path|value").split("|")

    def rows(self, number: int) -> list[list[str]]:
        return [
            ["" if place else str(number), op["op"], repr(op["path"]), _brief(op.get("value"))]
            for place, op in enumerate(self.patches[number - 1].ops)
        ]

    def document(self, number: int) -> tuple[Any, dict[str, str]]:
        """Return the document after step `number`, and a sign for each path that this step changed.

        Raises ValueError where a patch does not fit.
        """
        document: Any = None
        changed: dict[str, str] = {}
        for place, patch in enumerate(self.patches[:number], 1):
            changed = {}
            for op in patch.ops:
                try:
                    document = jsonpatch.apply_patch(document, [op], in_place=True)
                except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException):
                    raise ValueError(
                        _(
                            "Patch {step} does not fit the document. Hand over all patches of one "
                            "run, in order."
                        ).format(step=place)
                    ) from None
                path = op["path"]
                if path.endswith("/-"):  # the end of a list, where the new entry stands now
                    entries = jsonpointer.resolve_pointer(document, path[:-2])
                    path = f"{path[:-1]}{len(entries) - 1}"
                changed[path] = SIGNS.get(op["op"], "*")
        return document, changed

    def views(self, number: int) -> list[View]:
        document, changed = self.document(number)
        ops = []
        for op in self.patches[number - 1].ops:
            ops += [("", f"{name}: {_brief(value)}") for name, value in op.items()] + [("", "")]
        lines = [
            (next((sign for at, sign in changed.items() if _within(path, at)), ""), text)
            for path, text in _outline(document, list(changed))
        ]
        return [
            (_("What step {step} does").format(step=number), ops),
            (_("The document after it (+ added, ~ replaced)"), lines),
        ]


@dataclass
class _Heard:
    """A run as far as events have told of it; `line` is its ancestors and itself.

    `state` is how its last event ends: "end", "error", or anything else while it runs.
    """

    name: str
    line: tuple[str, ...]
    said: str = ""
    state: str = ""

    def title(self, over: bool) -> str:
        """Return its name and how it stands; where all is over, nothing ended one that still runs."""
        if self.state == "end":
            state = _("ended")
        elif self.state == "error":
            state = pgettext("several calls", "failed")
        else:
            state = _("no end recorded") if over else _("running")
        return _("{name} ({state})").format(name=self.name, state=state)


class _Events:
    """The events of `astream_events`, and the runs that they tell of."""

    def __init__(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.events = events
        self.count = len(events)

    def title(self) -> str:
        return ngettext("{count} event", "{count} events", self.count).format(count=self.count)

    def head(self) -> list[str]:
        return _("step|event|name|data").split("|")

    def rows(self, number: int) -> list[list[str]]:
        event = self.events[number - 1]
        data = event["data"]  # of an event of your own, whatever you sent along
        known = [
            key for key in ("chunk", "output", "input") if isinstance(data, dict) and key in data
        ]
        said = f"{known[0]}: {_brief(data[known[0]])}" if known else _brief(data) if data else ""
        nested = "· " * len(event["parent_ids"]) + event["event"]
        return [[str(number), nested, event["name"], said]]

    def runs(self, number: int) -> list[_Heard]:
        """Return the runs after event `number`, each below the run that it belongs to."""
        runs: dict[str, _Heard] = {}
        for event in self.events[:number]:
            key = event["run_id"]
            if key not in runs:  # a filter may have left out its parents
                parents = [parent for parent in event["parent_ids"] if parent in runs]
                runs[key] = _Heard(event["name"], (*parents, key))
            if event["event"] == "on_chat_model_stream":
                runs[key].said += event["data"]["chunk"].text
            runs[key].state = event["event"].rpartition("_")[2]
        order = {key: place for place, key in enumerate(runs)}
        return sorted(runs.values(), key=lambda run: [order[key] for key in run.line])

    def views(self, number: int) -> list[View]:
        event = self.events[number - 1]
        fields = [("", f"{name}: {_brief(value, depth=2)}") for name, value in event.items()]
        lines = []
        for run in self.runs(number):
            sign = "▶" if run.line[-1] == event["run_id"] else ""
            title = run.title(over=number == self.count)
            lines.append((sign, "    " * (len(run.line) - 1) + title))
            if run.said:
                lines.append((sign, "    " * len(run.line) + repr(run.said)))
        return [
            (_("Event {step}").format(step=number), fields),
            (_("The runs so far (▶ sent this event)"), lines),
        ]


def _is_patch(step: Any) -> bool:
    return type(step) is RunLogPatch


def _is_v3_event(step: Any) -> bool:
    return isinstance(step, dict) and not str(step.get("event", "on_")).startswith("on_")


def _is_event(step: Any) -> bool:
    return isinstance(step, dict) and step.keys() >= FIELDS


def _brief(value: Any, depth: int = 0) -> str:
    """Return a value on one line: texts in full as far as they are short, of objects the kind.

    Of a dict the keys, and its values where `depth` says how far to go down.
    """
    if isinstance(value, BaseMessage):
        return f"{type(value).__name__}({_brief(value.text)})"
    if isinstance(value, dict) and depth > 0:
        return (
            "{"
            + ", ".join(f"{key}: {_brief(part, depth - 1)}" for key, part in value.items())
            + "}"
        )
    if isinstance(value, dict):
        more = ["…"] if len(value) > KEYS else []
        return "{" + ", ".join([*map(str, list(value)[:KEYS]), *more]) + "}"
    if isinstance(value, list):
        parts = (_brief(part, depth - 1) for part in value)
        return "[" + (", ".join(parts) if depth > 0 else f"… {len(value)}" if value else "") + "]"
    if value is None or isinstance(value, (str, int, float)):
        text = repr(value)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return f"{type(value).__name__}(…)"


def _within(path: str, other: str) -> bool:
    """Say whether a JSON pointer leads to what `other` leads to, or to a part of it."""
    return f"{path}/".startswith(f"{other}/")


def _outline(
    value: Any, changed: list[str], path: str = "", label: str = "", indent: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield a document's lines, each with the JSON pointer of what it shows.

    What lies deep and holds none of the paths `changed` is folded; so is the middle of a long list.
    """
    shown = path.count("/") < DEPTH or any(_within(path, at) or _within(at, path) for at in changed)
    if not (shown and isinstance(value, (dict, list)) and value):
        yield path, f"{indent}{label}{_brief(value)}"
        return
    entries = (
        [
            (str(key), f"{json.dumps(key, ensure_ascii=False)}: ", part)
            for key, part in value.items()
        ]
        if isinstance(value, dict)
        else [(str(place), "", part) for place, part in enumerate(value)]
    )
    hidden = range(LIST_HEAD, len(value) - LIST_TAIL) if isinstance(value, list) else range(0)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield path, f"{indent}{label}{opening}"
    for place, (key, name, part) in enumerate(entries):
        if place not in hidden:
            below = f"{path}/{jsonpointer.escape(key)}"
            yield from _outline(part, changed, below, name, f"{indent}  ")
        elif place == LIST_HEAD:
            more = _("… {count} more").format(count=len(hidden))
            yield f"{path}/…", f"{indent}  {more}"
    yield path, f"{indent}{closing}"


def _cell(text: str) -> str:
    """Return a text as it may stand in a Markdown table."""
    return escape(text, quote=False).replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")


def _pane(title: str, lines: list[tuple[str, str]]) -> str:
    """Return lines as HTML; those with a sign have it in the margin, and are bold.

    Where one is broken, it goes on further to the right than it began.
    """
    shown = []
    for sign, text in lines:
        line = f"{sign or ' '} {escape(text)}"
        hang = len(text) - len(text.lstrip()) + 6
        shown.append(
            f'<span style="display: block; padding-left: {hang}ch; text-indent: -{hang}ch">'
            + (f"<b>{line}</b>" if sign else line)
            + "</span>"
        )
    style = "max-height: 32em; overflow: auto; line-height: 1.35; white-space: pre-wrap"
    return (
        f'<div><b role="status">{escape(title)}</b>'
        f'<pre role="region" aria-label="{escape(title)}" tabindex="0" style="{style}">'
        + "".join(shown)
        + "</pre></div>"
    )
