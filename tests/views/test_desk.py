"""The chat window: what it shows of a conversation, and how a turn ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage

from helpers import i18n
from helpers.backend.saving import WIDGET_VIEW
from helpers.i18n import LANGUAGES
from helpers.views import ChatWindow
from helpers.views.desk import BUSY, LATE, REDRAW, Turn

KEY = "sk-not-to-be-shown"
MODELS = {"big": 1, "small": 2}
closed: list[str] = []  # the texts whose answers were stopped in the middle


@pytest.fixture(autouse=True)
def nothing_closed() -> None:
    closed.clear()


async def answer(text: str, model: str) -> AsyncGenerator[Any, None]:
    """Answer as the text says: at once, for ever, or with an exception."""
    if text == "nothing":
        return
    yield f"{model}: "
    if text == "boom":
        raise KeyError(KEY)
    if text == "wait":
        try:
            await asyncio.sleep(60)
        finally:
            closed.append(text)
    if text == "bad":
        yield 7
    yield AIMessageChunk(content="", response_metadata={"model_name": "other"})
    yield ToolMessage("14 °C", tool_call_id="call_1", name="weather")
    yield AIMessageChunk(content=[{"type": "text", "text": "<b>fine</b>"}])
    yield AIMessage("\n& well")


def window() -> ChatWindow:
    return ChatWindow(answer, MODELS)


def parts(of: ChatWindow) -> tuple[Any, Any, Any, Any, Any, Any]:
    """Return the widgets: choice of model, log, field, Send, Stop, remark."""
    of._repr_mimebundle_()
    assert of._panel is not None
    choice, scrolled, row, remark = of._panel.box.children
    return choice, scrolled.children[0], *row.children, remark


async def drawn() -> None:
    """Wait until what was drawn or sent a moment ago has arrived."""
    await asyncio.sleep(4 * REDRAW)


async def over(of: ChatWindow) -> None:
    """Wait for the end of the turn under way."""
    while of.busy:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0)


def enter(of: ChatWindow, text: str) -> None:
    """Type into the field and press Enter: the browser tells of the key first."""
    press_enter(of)
    parts(of)[2].value = text


def press_enter(of: ChatWindow) -> None:
    parts(of)[2]._handle_custom_msg({"event": "submit"}, [])


def click(of: ChatWindow) -> None:
    parts(of)[3].click()


both = pytest.mark.parametrize("press", [press_enter, click])


async def test_a_turn_is_what_the_function_answers() -> None:
    shown = window()
    turn = await shown.say("hi")
    assert turn is shown.turns[0]
    assert (turn.text, turn.model, turn.state, turn.error) == ("hi", "big", "done", None)
    assert turn.reply == "big: <b>fine</b>\n& well"
    assert turn.tools == [("weather", "14 °C")]
    assert repr(turn) == (
        "You: hi\ntool weather: 14 °C\nbig (answered by other): big: <b>fine</b>\n& well"
    )


async def test_another_model_answers_from_the_next_turn_on() -> None:
    shown = window()
    await shown.say("hi")
    shown.model = "small"
    assert (await shown.say("hi")).reply.startswith("small: ")
    assert [turn.model for turn in shown.turns] == ["big", "small"]
    with pytest.raises(ValueError, match="'none'.*big, small"):
        shown.model = "none"


async def test_a_saved_page_has_the_conversation_with_markup_as_text() -> None:
    shown = window()
    assert "Nobody has said anything" in shown._repr_mimebundle_()["text/html"]
    await shown.say("<script>\nhi")
    bundle = shown._repr_mimebundle_()
    assert WIDGET_VIEW in bundle and set(bundle) == {WIDGET_VIEW, "text/html", "text/plain"}
    page = bundle["text/html"]
    assert "&lt;script&gt;<br>hi" in page and "&lt;b&gt;fine&lt;/b&gt;<br>&amp; well" in page
    assert "<script" not in page and "<b>fine" not in page
    assert bundle["text/plain"] == repr(shown) == repr(shown.turns[0])


async def test_the_window_escapes_what_it_draws() -> None:
    shown = window()
    log = parts(shown)[1]
    await shown.say("<img src=x>")
    assert "&lt;img" in log.children[0].value and "<img" not in log.children[0].value
    assert "&lt;b&gt;fine" in log.children[0].value and "<b>fine" not in log.children[0].value


async def test_a_reply_is_drawn_while_it_is_written_and_stop_closes_its_source() -> None:
    shown = window()
    _, log, field, _, stop, remark = parts(shown)
    enter(shown, "wait")
    await drawn()
    await drawn()
    assert shown.busy and field.value == ""
    assert "big: " in log.children[0].value and 'role="status"' not in log.children[0].value
    assert "Being written …" in remark.value
    stop.click()
    await over(shown)
    assert closed == ["wait"]
    assert shown.turns[0].state == "stopped" and "Stopped." in log.children[0].value
    assert 'role="status"' in log.children[0].value  # read aloud now that it is over
    assert "Ready." in remark.value
    stop.click()
    await drawn()
    assert "There is nothing to stop." in remark.value


async def test_stop_by_code_ends_what_say_waits_for() -> None:
    shown = window()
    speaking = asyncio.create_task(shown.say("wait"))
    await asyncio.sleep(0.01)
    shown.stop()
    assert (await speaking).state == "stopped" and closed == ["wait"]
    shown.stop()  # nothing to stop, nothing happens
    assert (await shown.say("hi")).state == "done"


async def test_who_cancels_say_stops_the_turn() -> None:
    shown = window()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(shown.say("wait"), 0.05)
    await over(shown)
    assert closed == ["wait"] and shown.turns[0].state == "stopped"


async def test_an_error_is_one_sentence_and_gives_the_text_back() -> None:
    shown = window()
    _, log, field, send, _, remark = parts(shown)
    field.value = "boom"
    send.click()
    await drawn()
    turn = shown.turns[0]
    assert (turn.state, turn.reply) == ("failed", "big: ") and isinstance(turn.error, KeyError)
    assert "The reply failed: KeyError." in log.children[0].value
    assert field.value == "boom" and "Your text is in the field again." in remark.value
    bundle = shown._repr_mimebundle_()
    for page in (log.children[0].value, bundle["text/html"], bundle["text/plain"], remark.value):
        assert KEY not in page and "Traceback" not in page
    assert (await shown.say("hi")).state == "done"  # and the window goes on


async def test_an_error_leaves_alone_what_was_typed_meanwhile() -> None:
    shown = window()
    field = parts(shown)[2]
    field.value = "my next question"
    await shown.say("boom")
    assert field.value == "my next question"


async def test_what_is_no_piece_of_a_reply_is_an_error() -> None:
    turn = await window().say("bad")
    assert turn.state == "failed" and isinstance(turn.error, TypeError)
    assert "not 7" in str(turn.error)


async def test_of_two_quick_sends_the_second_waits_in_the_field() -> None:
    shown = window()
    _, _, field, send, _, remark = parts(shown)
    field.value = "wait"
    send.click()
    await drawn()
    enter(shown, "hi")
    await drawn()
    assert [turn.text for turn in shown.turns] == ["wait"] and field.value == "hi"
    assert BUSY in remark.value
    with pytest.raises(RuntimeError, match="Not sent"):
        await shown.say("hi")
    assert len(shown.turns) == 1
    shown.stop()
    await over(shown)
    send.click()
    await drawn()
    assert [turn.state for turn in shown.turns] == ["stopped", "done"]


async def test_two_clicks_in_one_moment_are_one_turn() -> None:
    shown = window()
    _, _, field, send, _, _ = parts(shown)
    field.value = "hi"
    send.click()
    send.click()
    await drawn()
    assert [turn.text for turn in shown.turns] == ["hi"]


@both
async def test_an_empty_field_is_not_sent(press: Any) -> None:
    shown = window()
    field, remark = parts(shown)[2], parts(shown)[-1]
    press(shown)
    await asyncio.sleep(LATE + 0.1)
    assert "There is nothing to send: the field is empty." in remark.value
    enter(shown, "  ")
    await drawn()
    field.value = "hi"  # typed, and the field left
    await drawn()
    assert shown.turns == []


@both
async def test_what_came_back_into_the_field_is_sent_again(press: Any) -> None:
    shown = window()
    field = parts(shown)[2]
    await shown.say("boom")
    press(shown)  # and nothing arrives, for nothing was changed
    await asyncio.sleep(LATE + 0.1)
    assert [turn.text for turn in shown.turns] == ["boom", "boom"]
    press(shown)
    await asyncio.sleep(LATE / 5)
    field.value = "hi"
    await drawn()
    assert [turn.text for turn in shown.turns][2:] == ["hi"] and field.value == ""


@both
async def test_a_text_that_arrives_late_is_sent(press: Any) -> None:
    shown = window()
    press(shown)
    await asyncio.sleep(LATE / 2)
    press(shown)  # once more, out of impatience
    await asyncio.sleep(LATE / 5)
    parts(shown)[2].value = "hi"
    await asyncio.sleep(LATE)
    assert [turn.text for turn in shown.turns] == ["hi"]
    assert "Ready." in parts(shown)[-1].value  # and no word of an empty field


async def test_a_click_sends_at_once_what_is_there() -> None:
    shown = window()
    parts(shown)[2].value = "wait"
    click(shown)
    await asyncio.sleep(LATE / 5)
    assert shown.busy
    shown.stop()
    await over(shown)


async def test_what_comes_back_while_a_text_is_waited_for_is_not_sent() -> None:
    shown = window()
    field = parts(shown)[2]
    speaking = asyncio.create_task(shown.say("boom"))
    press_enter(shown)
    await speaking
    await asyncio.sleep(LATE / 2)
    assert field.value == "boom" and len(shown.turns) == 1


async def test_choice_and_model_are_one() -> None:
    shown = window()
    choice = parts(shown)[0]
    assert choice.options == ("big", "small") and choice.value == "big"
    choice.value = "small"
    assert shown.model == "small"
    shown.model = "big"
    assert choice.value == "big"


async def test_messages_of_the_browser_may_come_in_another_thread() -> None:
    shown = window()
    _, _, field, send, stop, _ = parts(shown)
    field.value = "wait"
    await asyncio.to_thread(send.click)
    await drawn()
    assert shown.busy
    await asyncio.to_thread(stop.click)
    await over(shown)
    assert closed == ["wait"]


async def test_a_window_shown_late_has_what_was_said_before() -> None:
    shown = window()
    await shown.say("hi")
    await shown.say("nothing")
    log = parts(shown)[1]
    assert len(log.children) == 2 and "fine" in log.children[0].value
    await shown.say("hi")
    assert len(log.children) == 3 and "fine" in log.children[2].value


def test_a_window_needs_no_event_loop_to_be_made_and_shown() -> None:
    shown = window()
    send = parts(shown)[3]
    send.click()  # nobody there to answer: no error either
    assert asyncio.run(shown.say("hi")).state == "done"
    assert asyncio.run(shown.say("hi")).state == "done"  # nor the same one twice


@pytest.mark.parametrize("lang", LANGUAGES)
async def test_each_language_labels_everything(lang: str) -> None:
    i18n.use(lang)
    shown = window()
    choice, log, field, send, stop, remark = parts(shown)
    labels = [widget.description for widget in (choice, field, send, stop)]
    assert labels == [i18n._("Model"), i18n._("Message"), i18n._("Send"), i18n._("Stop")]
    await shown.say("boom")
    assert i18n._("You") + i18n._(": ") in log.children[0].value
    assert i18n._("The reply failed: {error}.").format(error="KeyError") in repr(shown)
    assert i18n._("Your text is in the field again.") in remark.value


async def plain(text: str, model: str) -> str:
    return text


def sync(text: str, model: str) -> Any:
    yield text


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("function", "models"),
    [
        (plain, ["big"]),
        (sync, ["big"]),
        (answer("hi", "big"), ["big"]),
        ("hi", ["big"]),
        (answer, []),
        (answer, "big"),
        (answer, [1]),
        (answer, None),
    ],
)
def test_bad_data_is_named(function: Any, models: Any, lang: str) -> None:
    i18n.use(lang)
    with pytest.raises(TypeError, match=r"ChatWindow\(answer, models\)"):
        ChatWindow(function, models)


@pytest.mark.parametrize("text", ["", "  ", None, 3, ["hi"]])
async def test_only_a_text_can_be_said(text: Any) -> None:
    shown = window()
    with pytest.raises(TypeError, match=r"say\(text\)"):
        await shown.say(text)
    assert shown.turns == []


@pytest.mark.parametrize(
    ("state", "line"), [("running", "Being written …"), ("stopped", "Stopped."), ("done", "")]
)
def test_how_a_turn_stands_is_said_in_words(state: str, line: str) -> None:
    turn = Turn("hi", "big", "well", state=state)
    assert repr(turn) == "\n".join(["You: hi", "big: well", *([line] if line else [])])
