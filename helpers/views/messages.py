"""Messages from three sides: the object, its JSON on the wire, and the text that a network reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from langchain_core.messages import BaseMessage, convert_to_openai_messages

from helpers.builtin import template
from helpers.i18n import _
from helpers.views.widgets import bundle_of

# Of a side: lines break between words, and within one only where it is longer than a line.
PRE = "margin: 4px 0 12px 2em; word-break: normal; overflow-wrap: anywhere"


class MessageView:
    """Shows messages from three sides, live the one that is chosen, on a saved page all of them.

    Raises TypeError for anything but a list of messages.
    """

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        if not (
            isinstance(messages, (list, tuple))
            and messages
            and all(isinstance(message, BaseMessage) for message in messages)
        ):
            expected = _("MessageView(…) takes a list of messages, with at least one, not {got}.")
            raise TypeError(expected.format(got=f"{messages!r:.80}"))
        self.messages = messages

    def __repr__(self) -> str:
        return "\n".join(" | ".join(self._row(message)) for message in self.messages)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            **bundle_of(self._panel()),
            "text/markdown": self._markdown(),
            "text/plain": repr(self),
        }

    def _row(self, message: BaseMessage) -> list[str]:
        wire = json.dumps(on_the_wire(message), ensure_ascii=False)
        return [type(message).__name__, wire, turn(message)]

    def _markdown(self) -> str:
        rows = [
            [
                "`" + cell.replace("\n", "↵").replace("|", "\\|").replace("`", "'") + "`"
                for cell in self._row(message)
            ]
            for message in self.messages
        ]
        head = [_("type"), _("JSON on the wire"), _("after the chat template")]
        return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * 3, *rows])

    def _html(self, number: int) -> str:
        """Return the three sides of the message `number`, counted from 1, below its name."""
        message = self.messages[number - 1]
        fields = ",\n".join(f"    {name}={value!r}" for name, value in message.__repr_args__())
        sides = {
            _("object"): f"{type(message).__name__}(\n{fields},\n)",
            _("JSON on the wire"): json.dumps(on_the_wire(message), ensure_ascii=False, indent=2),
            _("after the chat template"): turn(message),
        }
        return (
            '<div role="status" class="jp-RenderedHTMLCommon">'
            f'<p style="margin: 8px 0"><b>{number} {type(message).__name__}</b></p>'
            + "".join(
                f'<p style="margin: 0">{name}</p><pre style="{PRE}">{escape(side)}</pre>'
                for name, side in sides.items()
            )
            + "</div>"
        )

    def _panel(self) -> Any:
        """Return a button for each message above its three sides, as a widget."""
        import ipywidgets

        buttons = ipywidgets.ToggleButtons(
            options=[
                (f"{number} {type(message).__name__}", number)
                for number, message in enumerate(self.messages, 1)
            ],
            description=_("Message"),
            style={"button_width": "max-content"},
        )
        shown = ipywidgets.HTML(self._html(1))
        buttons.observe(
            lambda event: setattr(shown, "value", self._html(event["new"])), names="value"
        )
        return ipywidgets.VBox([buttons, shown])


def on_the_wire(message: BaseMessage) -> dict[str, Any]:
    """Return the message as the dict that goes to a service that speaks OpenAI's protocol."""
    [sent] = convert_to_openai_messages([message])
    return dict(sent)


def turn(message: BaseMessage) -> str:
    """Return what the built-in model's chat template makes of the message.

    Tool calls stand in the turn as Qwen's template writes them; of pictures only the type is left.
    """
    sent = on_the_wire(message)
    content = sent.get("content") or ""
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    parts = [block.get("text", f"[{block['type']}]") for block in blocks]
    for call in sent.get("tool_calls", []):
        made = {"name": call["function"]["name"], "arguments": call["function"]["arguments"]}
        parts.append(f"<tool_call>{json.dumps(made, ensure_ascii=False)}</tool_call>")
    whole = template.render([(sent["role"], "\n".join(filter(None, parts)))])
    return whole.removesuffix(template.REPLY)
