"""A chat window: draws a conversation while it is held, and calls the function that holds it."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

from langchain_core.messages import BaseMessage, ToolMessage

from helpers.i18n import N_, _, listed
from helpers.views.widgets import bundle_of

REDRAW = 0.05  # seconds between two drawings of a reply that is being written
LATE = 0.5  # seconds in which a text arrives that was typed before Enter or a click on Send
BUSY = N_("Not sent: a reply is still being written. Wait for its end, or press Stop.")

Answer = Callable[[str, str], AsyncGenerator[Any, None]]


@dataclass(eq=False)
class Turn:
    """One turn of a conversation: what was typed, which model was chosen, and what came of it.

    `reply` is the text that came, `tools` what tools returned meanwhile, each with the tool's
    name, `answered` the name that a model gave itself in its metadata. `state` is "running",
    "done", "stopped" or "failed", and `error` the exception that a failed turn ended with.
    """

    text: str
    model: str
    reply: str = ""
    tools: list[tuple[str, str]] = field(default_factory=list)
    answered: str = ""
    state: str = "running"
    error: BaseException | None = None

    def add(self, piece: object) -> None:
        """Take the next piece of the reply; raise TypeError for what is neither text nor message."""
        if isinstance(piece, str):
            self.reply += piece
        elif isinstance(piece, ToolMessage):
            self.tools.append((piece.name or "", str(piece.text)))
        elif isinstance(piece, BaseMessage):
            self.reply += piece.text
            self.answered = piece.response_metadata.get("model_name") or self.answered
        else:
            expected = _("answer must yield texts or messages, not {got}.")
            raise TypeError(expected.format(got=f"{piece!r:.80}"))

    def lines(self) -> list[tuple[str, str]]:
        """Return the turn as it is read: who speaks, "" for a remark, and what."""
        speaker = self.model
        if self.answered not in ("", self.model):
            speaker = _("{model} (answered by {answered})").format(
                model=self.model, answered=self.answered
            )
        said = [(_("You"), self.text)]
        said += [(_("tool {name}").format(name=name), result) for name, result in self.tools]
        if self.reply:
            said.append((speaker, self.reply))
        if self.state == "failed":
            # The exception's own words may hold a part of a key.
            error = type(self.error).__name__
            said.append(("", _("The reply failed: {error}.").format(error=error)))
        elif self.state != "done":
            said.append(("", _("Stopped.") if self.state == "stopped" else _("Being written …")))
        return said

    def __repr__(self) -> str:
        return "\n".join(who + _(": ") + what if who else what for who, what in self.lines())

    def _repr_html_(self) -> str:
        return "\n".join(f"<p>{line}</p>" for line in map(_html, self.lines()))


def _html(line: tuple[str, str]) -> str:
    """Return a line with the speaker in bold, a remark in italics, and markup as text."""
    who, what = (escape(part).replace("\n", "<br>") for part in line)
    colon = _(": ")
    return f"<b>{who}{colon}</b>{what}" if who else f"<i>{what}</i>"


class ChatWindow:
    """A window to type into, for any function that answers.

    `answer` is an async generator function: `answer(text, model)` yields the reply to `text` piece
    by piece, as texts or messages (chunks too); what tools returned, it may yield as ToolMessages.
    `models` are the names that `model` is chosen from; a dict's keys will do. Raises TypeError for
    anything else.

    Live it is a widget; on a saved page it is the conversation so far. By code, `await
    window.say(text)` does what typing does and returns the Turn; `window.model = name` chooses;
    `window.stop()` stops; `window.turns` is all that was said. A turn that fails is shown as such
    and not raised: its exception is the turn's `error`.
    """

    def __init__(self, answer: Answer, models: Iterable[str]) -> None:
        if not inspect.isasyncgenfunction(answer):
            raise TypeError(
                _(
                    "ChatWindow(answer, models): answer must be a function written with async def "
                    "and yield, that takes a text and the name of a model, not {got}."
                ).format(got=f"{answer!r:.80}")
            )
        names = list(models) if isinstance(models, Iterable) else []
        if isinstance(models, str) or not names or not all(isinstance(n, str) for n in names):
            raise TypeError(
                _(
                    "ChatWindow(answer, models): models must be names, at least one, as a list or "
                    "as the keys of a dict, not {got}."
                ).format(got=f"{models!r:.80}")
            )
        self.turns: list[Turn] = []
        self._answer = answer
        self._names = names
        self._model = names[0]
        self._task: asyncio.Task[None] | None = None
        self._panel: _Panel | None = None

    @property
    def model(self) -> str:
        """The name that the next turn's model is chosen by; ValueError for one that is not there."""
        return self._model

    @model.setter
    def model(self, name: str) -> None:
        if name not in self._names:
            unknown = _("There is no model {got} in this window. There are: {names}.")
            raise ValueError(unknown.format(got=repr(name), names=listed(self._names)))
        self._model = name
        if self._panel is not None:
            self._panel.choice.value = name

    @property
    def busy(self) -> bool:
        """Whether a reply is being written."""
        return self._task is not None and not self._task.done()

    async def say(self, text: str) -> Turn:
        """Take a turn, as if `text` had been typed, and return it when it is over.

        Raises RuntimeError while a reply is being written, and TypeError for an empty text.
        Cancelled, it stops the turn.
        """
        if not isinstance(text, str) or not text.strip():
            expected = _("say(text) takes a text that is not empty, not {got}.")
            raise TypeError(expected.format(got=repr(text)))
        turn, task = self.begin(text)
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()  # which changes nothing where it is over
        return turn

    def begin(self, text: str) -> tuple[Turn, asyncio.Task[None]]:
        """Begin a turn in the running event loop; raise RuntimeError while there is another."""
        if self.busy:
            raise RuntimeError(_(BUSY))
        turn = Turn(text, self._model)
        self.turns.append(turn)
        self._task = asyncio.get_running_loop().create_task(self._run(turn))
        self._task.add_done_callback(lambda task: self._end(turn, task))
        self._show(turn)
        return turn, self._task

    def stop(self) -> None:
        """Stop the reply that is being written, if there is one."""
        if self._task is not None:
            self._task.cancel()

    async def _run(self, turn: Turn) -> None:
        async with contextlib.aclosing(self._answer(turn.text, turn.model)) as pieces:
            async for piece in pieces:
                turn.add(piece)
                self._show(turn)

    def _end(self, turn: Turn, task: asyncio.Task[None]) -> None:
        """Note how a turn ended; nothing else asks the task for its exception."""
        if task.cancelled():
            turn.state = "stopped"
        else:
            turn.error = task.exception()
            turn.state = "failed" if turn.error else "done"
        self._show(turn)

    def _show(self, turn: Turn) -> None:
        if self._panel is not None:
            self._panel.show(turn)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.turns)) or _("Nobody has said anything yet.")

    def _repr_html_(self) -> str:
        said = "\n".join(turn._repr_html_() for turn in self.turns)
        return said or f"<p>{self!r}</p>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if self._panel is None:
            self._panel = _Panel(self, self._names)
        shown = bundle_of(self._panel.box)
        return {**shown, "text/html": self._repr_html_(), "text/plain": repr(self)}


class _Panel:
    """The window as widgets. The browser's messages may arrive in a thread of their own."""

    def __init__(self, window: ChatWindow, names: list[str]) -> None:
        import ipywidgets

        self.window = window
        self.loop = _running_loop()
        self.drawing: asyncio.TimerHandle | None = None
        self.waiting: asyncio.TimerHandle | None = None
        self.written = ""  # the text that the window itself wrote into the field last
        self.html = ipywidgets.HTML
        self.choice = ipywidgets.Dropdown(options=names, value=window.model, description=_("Model"))
        self.choice.observe(lambda event: setattr(window, "model", event["new"]), names="value")
        self.log = ipywidgets.VBox(
            [self.html(_drawn(turn)) for turn in window.turns],
            layout={"flex": "0 0 auto", "overflow": "visible"},  # what scrolls is the box around it
        )
        # Children from the last to the first keep the end in sight while the text grows.
        scrolled = ipywidgets.Box(
            [self.log],
            layout={
                "display": "flex",
                "flex_flow": "column-reverse",
                "overflow": "auto",
                "height": "320px",
                "border": "1px solid var(--jp-border-color1, gray)",
                "padding": "4px 8px",
            },
        )
        # What was typed arrives when the field is left, or right behind the word of an Enter. A click
        # may overtake it: ipykernel 7 takes what fields send and what buttons send in two threads.
        self.field = ipywidgets.Text(
            description=_("Message"),
            placeholder=_("Type here, then press Enter"),
            continuous_update=False,
            layout={"flex": "1 1 auto"},
        )
        self.field.on_msg(self._message)
        self.field.observe(lambda event: self._in_loop(self.arrive), names="value")
        send = ipywidgets.Button(description=_("Send"))
        stop = ipywidgets.Button(description=_("Stop"))
        send.on_click(lambda button: self._in_loop(self.click))
        stop.on_click(lambda button: self._in_loop(self.stop))
        self.remark = ipywidgets.HTML()
        self.say(_("Ready."))
        self.box = ipywidgets.VBox(
            [
                self.choice,
                scrolled,
                ipywidgets.HBox([self.field, send, stop]),
                self.remark,
            ]
        )

    def _in_loop(self, work: Callable[[], None]) -> None:
        """Have `work` done in the event loop of the notebook's cells."""
        if self.loop is not None:
            self.loop.call_soon_threadsafe(work)

    def _message(self, field: Any, content: dict[str, Any], buffers: Any) -> None:
        """Take what the field's browser side tells beyond its text: that Enter was pressed."""
        if content.get("event") == "submit":
            self._in_loop(self.enter)

    def click(self) -> None:
        """Send what the field holds, once it has arrived: not if it is what the window wrote there."""
        if self.field.value == self.written and not self.window.busy:
            self.enter()
        else:
            self.send()

    def enter(self) -> None:
        """Send what the field holds once it has arrived; it holds the same where nothing does."""
        self._wait_no_more()
        self.waiting = asyncio.get_running_loop().call_later(LATE, self.send)

    def arrive(self) -> None:
        """Send the text that has arrived, if that is waited for."""
        if self.waiting is not None and self.field.value != self.written:
            self.send()

    def _wait_no_more(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None

    def send(self) -> None:
        """Send what the field holds, unless it is empty or a reply is being written."""
        self._wait_no_more()
        typed = self.field.value
        if self.window.busy:
            self.say(_(BUSY))
        elif not typed.strip():
            self.say(_("There is nothing to send: the field is empty."))
        else:
            self.write("")
            self.window.begin(typed)
        self.field.focus()

    def write(self, text: str) -> None:
        """Write a text into the field."""
        self.written = self.field.value = text

    def stop(self) -> None:
        """Stop the reply, and give the field the focus."""
        if self.window.busy:
            self.window.stop()
        else:
            self.say(_("There is nothing to stop."))
        self.field.focus()

    def say(self, remark: str) -> None:
        """Show a remark below the window, and have it read aloud."""
        self.remark.value = f'<div role="status">{escape(remark)}</div>'

    def show(self, turn: Turn) -> None:
        """Draw a turn: a running one soon, together with what arrives meanwhile."""
        if turn.state != "running":
            self.draw(turn)
        elif self.drawing is None:
            loop = asyncio.get_running_loop()
            self.drawing = loop.call_later(REDRAW, self.draw, turn)

    def draw(self, turn: Turn) -> None:
        """Draw a turn now, and say how it stands."""
        if self.drawing is not None:
            self.drawing.cancel()
            self.drawing = None
        missing = len(self.window.turns) - len(self.log.children)
        if missing:
            new = (self.html() for number in range(missing))
            self.log.children = (*self.log.children, *new)
        self.log.children[self.window.turns.index(turn)].value = _drawn(turn)
        if missing:
            self.say(_("Being written …"))
        if turn.state == "failed" and not self.field.value:
            self.write(turn.text)
            self.say(_("Your text is in the field again."))
        elif turn.state != "running":
            self.say(_("Ready."))


def _running_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that runs here, None where there is none, as in a plain script."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _drawn(turn: Turn) -> str:
    """Return a turn for the window; once it is over, what came of it is read aloud."""
    asked, *came = turn.lines()
    role = "" if turn.state == "running" else ' role="status"'
    style = (
        "line-height: 1.5; overflow-wrap: anywhere; color: var(--jp-content-font-color1, inherit)"
    )
    lines = "".join(f"<div>{_html(line)}</div>" for line in came)
    return f'<div style="{style}"><div>{_html(asked)}</div><div{role}>{lines}</div></div>'
