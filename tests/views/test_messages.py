"""The view of messages from three sides."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from helpers import i18n
from helpers.backend.saving import WIDGET_VIEW
from helpers.i18n import LANGUAGES
from helpers.views import MessageView
from helpers.views.messages import turn

CALL = {"name": "weather", "args": {"city": "巴黎"}, "id": "call_1"}
TALK = [
    SystemMessage("Be `brief` | or not."),
    HumanMessage([{"type": "text", "text": "<b>"}, {"type": "image_url", "image_url": "x"}]),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage("14 °C", tool_call_id="call_1"),
]


def test_turns_are_what_the_template_makes_of_messages() -> None:
    assert [turn(message) for message in TALK] == [
        "<|im_start|>system\nBe `brief` | or not.<|im_end|>\n",
        "<|im_start|>user\n<b>\n[image_url]<|im_end|>\n",
        '<|im_start|>assistant\n<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"巴黎\\"}"}'
        "</tool_call><|im_end|>\n",
        "<|im_start|>tool\n14 °C<|im_end|>\n",
    ]


def test_a_saved_page_has_all_messages_in_a_table() -> None:
    bundle = MessageView(TALK)._repr_mimebundle_()
    assert WIDGET_VIEW in bundle
    head, rule, *rows = bundle["text/markdown"].splitlines()
    assert head == "| type | JSON on the wire | after the chat template |"
    assert len(rows) == len(TALK)
    assert all(row.replace("\\|", "").count("|") == 4 and row.count("`") == 6 for row in rows)
    assert '"tool_call_id": "call_1"' in rows[3]


def test_a_button_shows_its_message_with_markup_as_text() -> None:
    buttons, shown = MessageView(TALK)._panel().children
    assert [label for label, _ in buttons.options] == [
        "1 SystemMessage", "2 HumanMessage", "3 AIMessage", "4 ToolMessage",
    ]  # fmt: skip
    assert "SystemMessage(" in shown.value and "im_start|&gt;system" in shown.value
    buttons.value = 2
    assert "<b>2 HumanMessage</b>" in shown.value
    assert "&lt;b&gt;" in shown.value and "<b>&" not in shown.value
    assert "&quot;role&quot;: &quot;user&quot;" in shown.value


def test_two_messages_that_are_equal_are_told_apart() -> None:
    buttons, shown = MessageView([HumanMessage("x"), HumanMessage("x")])._panel().children
    buttons.index = 1
    assert buttons.label == "2 HumanMessage"
    assert "<b>2 HumanMessage</b>" in shown.value


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("bad", [[], "Hello!", None, [("human", "x")], HumanMessage("x")])
def test_bad_data_is_named(bad: Any, lang: str) -> None:
    i18n.use(lang)
    with pytest.raises(TypeError, match=r"MessageView\(…\)"):
        MessageView(bad)
