"""Every view, used in JupyterLab as a person uses it: by mouse, and by keyboard alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from helpers import i18n
from helpers.authoring import browser
from helpers.authoring.browser import Course
from helpers.views import providers
from tests.browser.using import (
    cell,
    kernel_says,
    select,
    shows,
    tab_to,
    write_notebook,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Locator, Page

SETUP = """
import os
os.environ["COURSE_PACE"] = "40"  # tokens a second: one can see a reply grow
import helpers
MODEL = helpers.start("zh")

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers.context import collect_runs
from langchain_openai import ChatOpenAI
from helpers import views

chat = ChatOpenAI(model=MODEL)
prompt = ChatPromptTemplate.from_template("{question}")
"""
MESSAGES = """
messages = [SystemMessage("用一个词回答。"), HumanMessage("法国的首都？"), AIMessage("巴黎")]
views.MessageView(messages)
"""
STREAM = """
chunks = []
chunks.extend(views.watch(chat.stream("什么是过拟合？")))
"""
REPLAY = """
chain = prompt | chat
events = [event async for event in chain.astream_events({"question": "法国的首都是哪里？"})]
views.Replay(events)
"""
TREE = """
with collect_runs() as collected:
    chain.invoke({"question": "法国的首都是哪里？"})
views.RunTree(collected.traced_runs)
"""
TIMELINE = """
timeline = views.Timeline()
chat.batch(["法国的首都是哪里？"] * 3, {"callbacks": [timeline.lane("批量")]})
timeline
"""
BILL = """
usage = {"input_tokens": 1_000_000, "output_tokens": 500_000, "total_tokens": 1_500_000}
paid = AIMessage("好", usage_metadata=usage, response_metadata={"model_name": "built-in"})
bill = views.TokenBill([paid], {"built-in": (1.0, 4.0)})
bill
"""
PROVIDERS = "views.Providers()"
CURVES = 'views.LossCurves({"训练": [(0, 4.0), (100, 1.0)], "验证": [(0, 4.0), (100, 2.0)]})'
CHAT = """
from contextlib import nullcontext
from helpers.backend import faults

models = {
    "big": chat,
    "slow": chat,
    "down": ChatOpenAI(model=MODEL, base_url="http://127.0.0.1:9/v1", max_retries=0),
}

async def pass_on(text, name):
    with faults.stall(seconds=60, after=20) if name == "slow" else nullcontext():
        async for chunk in models[name].astream(text):
            yield chunk

window = views.ChatWindow(pass_on, models)
window
"""
CELLS = [SETUP, MESSAGES, STREAM, REPLAY, TREE, TIMELINE, BILL, PROVIDERS, CURVES, CHAT]


@pytest.fixture(scope="module")
def page(course: Course, context: BrowserContext, worker_id: str) -> Iterator[Page]:
    """A page with a notebook that shows every view once, in Chinese; its cells have run."""
    path = write_notebook(course, f"views-{worker_id}", CELLS)
    page = context.new_page()
    browser.open_notebook(page, course, path)
    browser.run_all(page)
    yield page
    browser.close_notebook(page, course, path)
    page.close()


def output(page: Page, source: str) -> Locator:
    """Return the output of the cell with this code."""
    return cell(page, CELLS.index(source)).locator(".jp-OutputArea")


def begin(page: Page, source: str) -> Locator:
    """Select the cell with this code, from where Tab goes into its output; return that."""
    select(page, CELLS.index(source))
    return output(page, source)


def test_messages_by_mouse(page: Page) -> None:
    view = output(page, MESSAGES)
    shown = view.get_by_role("status")
    view.get_by_role("button", name="1 SystemMessage").click()
    shows(shown, "SystemMessage(")
    view.get_by_role("button", name="3 AIMessage").click()
    shows(shown, "content='巴黎'")
    shows(shown, '"role": "assistant"')
    shows(shown, "<|im_start|>assistant")


def test_messages_by_keyboard(page: Page) -> None:
    view = begin(page, MESSAGES)
    shown = view.get_by_role("status")
    tab_to(page, view.get_by_role("button", name="2 HumanMessage"))
    page.keyboard.press("Space")
    shows(shown, '"role": "user"')
    tab_to(page, view.get_by_role("button", name="3 AIMessage"))
    page.keyboard.press("Enter")
    shows(shown, '"role": "assistant"')


def test_stream_is_drawn_while_it_arrives(page: Page) -> None:
    """The cell runs again: its picture grows, and says at the end what the kernel has."""
    view = begin(page, STREAM)
    page.keyboard.press("Control+Enter")
    growing = drawn_tokens(page, view, "tokens > 0 && tokens < 20")
    assert drawn_tokens(page, view, f"tokens > {growing} + 5") < 40
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"
    )
    count = int(kernel_says(page, "sum(bool(chunk.text) for chunk in chunks)"))
    drawn_tokens(page, view, f"tokens === {count}")
    reply = ast.literal_eval(kernel_says(page, "''.join(chunk.text for chunk in chunks)"))
    texts = view.get_by_role("img").locator("text").all_text_contents()
    assert "".join(texts).endswith(reply)


def drawn_tokens(page: Page, view: Locator, condition: str) -> int:
    """Wait until the picture of a stream shows as many `tokens` as a condition says; return how many."""
    found = page.wait_for_function(
        f"""view => {{
            const tokens = parseInt(view.querySelector("svg[role=img]")?.ariaLabel);
            return {condition} ? tokens : false;
        }}""",
        arg=view.element_handle(),
    )
    return int(found.json_value())


def zh(english: str) -> str:
    """Return a text as the views of this Chinese notebook show it."""
    return i18n._(english, "zh")


def test_replay_by_mouse(page: Page) -> None:
    view = output(page, REPLAY)
    slider, track = view.get_by_role("slider"), view.locator(".noUi-target")
    track.click(position={"x": 1, "y": 2})
    shows(view, zh("Event {step}").format(step=1))
    view.get_by_role("button", name=zh("Next →")).click()
    shows(view, zh("Event {step}").format(step=2))
    view.get_by_role("button", name=zh("← Previous")).click()
    shows(view, zh("Event {step}").format(step=1))
    slider.hover()
    page.mouse.down()
    box = track.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] + 9, box["y"] + 2)
    page.mouse.up()
    shows(view, zh("Event {step}").format(step=kernel_says(page, "len(events)")))
    shows(view, "法国的首都是巴黎。")


def test_replay_by_keyboard(page: Page) -> None:
    view = begin(page, REPLAY)
    tab_to(page, view.get_by_role("slider"))
    for key, step in [("Home", 1), ("ArrowRight", 2), ("ArrowRight", 3), ("ArrowLeft", 2)]:
        page.keyboard.press(key)
        shows(view, zh("Event {step}").format(step=step))
    tab_to(page, view.get_by_role("button", name=zh("← Previous")))
    page.keyboard.press("Space")
    shows(view, zh("Event {step}").format(step=1))
    begin(page, REPLAY)
    tab_to(page, view.get_by_role("button", name=zh("Next →")))
    page.keyboard.press("Enter")
    shows(view, zh("Event {step}").format(step=2))


def test_run_tree_by_mouse(page: Page) -> None:
    view = output(page, TREE)
    run, said = view.get_by_text("ChatOpenAI · llm"), view.get_by_text("model='built-in'")
    run.click()
    said.wait_for(state="visible")
    run.click()
    said.wait_for(state="hidden")


def test_run_tree_by_keyboard(page: Page) -> None:
    view = begin(page, TREE)
    run, said = view.get_by_text("ChatOpenAI · llm"), view.get_by_text("model='built-in'")
    tab_to(page, run)
    page.keyboard.press("Space")
    said.wait_for(state="visible")
    page.keyboard.press("Enter")
    said.wait_for(state="hidden")


def test_pictures_say_what_they_show(page: Page) -> None:
    """A picture has a name that is read aloud, and its bars have theirs, which the mouse shows too."""
    timeline = output(page, TIMELINE).get_by_role("img")
    assert timeline.get_attribute("aria-label") == ast.literal_eval(
        kernel_says(page, "repr(timeline)")
    )
    assert timeline.locator("rect title").all_text_contents() == ["法国的首都是哪里？"] * 3
    curves = output(page, CURVES).get_by_role("img")
    assert "训练" in str(curves.get_attribute("aria-label"))


def test_bill_by_mouse(page: Page) -> None:
    view = output(page, BILL)
    for kind, price in [("input", "3"), ("output", "4")]:
        view.get_by_label(price_label(kind)).click(click_count=3)
        page.keyboard.type(price)
    shows(view.get_by_role("status"), "5.000000")
    assert kernel_says(page, "bill.prices") == "{'built-in': (3.0, 4.0)}"


def test_bill_by_keyboard(page: Page) -> None:
    view = begin(page, BILL)
    for kind, price in [("input", "2,5"), ("output", "x")]:
        tab_to(page, view.get_by_label(price_label(kind)))
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type(price)
    shows(view.get_by_role("status"), zh("unknown"))
    assert kernel_says(page, "bill.prices") == "{}"
    page.keyboard.press("Backspace")
    page.keyboard.type("4")
    shows(view.get_by_role("status"), "4.500000")
    assert kernel_says(page, "bill.prices") == "{'built-in': (2.5, 4.0)}"


def price_label(kind: str) -> str:
    return zh(f"{{model}}: price of a million {kind} tokens").format(model="built-in")


def test_providers_by_mouse(page: Page) -> None:
    view = output(page, PROVIDERS)
    for provider in providers.load():
        view.get_by_role("tab", name=provider["name"]).click()
        shows(view, f"pip install {provider['package']}")


def test_providers_by_keyboard(page: Page) -> None:
    view = begin(page, PROVIDERS)
    names = [provider["name"] for provider in providers.load()]
    reached = view.locator("[role=tab][tabindex='0']")  # the others are reached by arrow keys
    place = names.index(reached.inner_text())
    tab_to(page, reached)
    for key in ("Enter", "Space"):
        place = (place + 1) % len(names)
        page.keyboard.press("ArrowRight")
        page.keyboard.press(key)
        shows(view, f"pip install {providers.load()[place]['package']}")


class Desk:
    """The chat window, as its user sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.view = output(page, CHAT)
        self.last = self.view.locator(".widget-box > .widget-vbox > .widget-html").last
        self.model = self.view.get_by_label(zh("Model"))
        self.field = self.view.get_by_label(zh("Message"))
        self.send = self.view.get_by_role("button", name=zh("Send"))
        self.stop = self.view.get_by_role("button", name=zh("Stop"))

    def turn(self) -> dict[str, str]:
        """Return the kernel's word on the last turn."""
        said = "{name: str(getattr(window.turns[-1], name)) for name in ('text', 'model', 'reply', 'state')}"
        turn: dict[str, str] = ast.literal_eval(kernel_says(self.page, said))
        return turn

    def has_focus_again(self) -> None:
        """Wait until the field has the focus, which sending gives it."""
        from playwright.sync_api import expect

        expect(self.field).to_be_focused(timeout=1000 * browser.PATIENCE)

    def remark(self, english: str) -> None:
        """Wait for the remark below the window."""
        shows(self.view.get_by_role("status").last, zh(english))


def test_chat_by_mouse(page: Page) -> None:
    window = Desk(page)
    window.model.select_option("big")
    window.field.click()
    page.keyboard.insert_text("法国的首都是哪里？")
    window.send.click()
    shows(window.last, "法国的首都是巴黎。")
    window.remark("Ready.")
    assert window.turn() == {
        "text": "法国的首都是哪里？",
        "model": "big",
        "reply": "法国的首都是巴黎。",
        "state": "done",
    }
    window.send.click()
    window.remark("There is nothing to send: the field is empty.")
    window.stop.click()
    window.remark("There is nothing to stop.")
    window.has_focus_again()
    window.model.select_option("slow")
    window.field.click()
    page.keyboard.insert_text("用五句话给我讲讲那只鹦鹉的故事。")
    window.send.click()
    window.remark("Being written …")
    shows(window.last, "灰鹦鹉")
    window.stop.click()
    window.remark("Ready.")
    shows(window.last, zh("Stopped."))
    assert (window.turn()["model"], window.turn()["state"]) == ("slow", "stopped")
    assert "灰鹦鹉" in window.turn()["reply"]


def test_chat_by_keyboard(page: Page) -> None:
    window = Desk(page)
    window.model.select_option("big")
    begin(page, CHAT)
    tab_to(page, window.model)
    for key in ("Space", "ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    tab_to(page, window.field)
    page.keyboard.insert_text("什么是过拟合？")
    page.keyboard.press("Enter")
    window.remark("Your text is in the field again.")
    window.has_focus_again()
    shows(window.last, "OpenAIConnectionError")
    assert window.field.input_value() == "什么是过拟合？"
    assert (window.turn()["model"], window.turn()["state"]) == ("down", "failed")

    page.keyboard.press("Shift+Tab")
    for key in ("Space", "ArrowUp", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    tab_to(page, window.field)
    page.keyboard.press("Enter")
    shows(window.last, "验证损失却开始上升。")
    window.remark("Ready.")
    assert (window.turn()["model"], window.turn()["state"]) == ("big", "done")

    page.keyboard.press("Shift+Tab")
    for key in ("Space", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    tab_to(page, window.field)
    page.keyboard.insert_text("用五句话给我讲讲那只鹦鹉的故事。")
    tab_to(page, window.send)
    page.keyboard.press("Space")
    window.remark("Being written …")
    shows(window.last, "灰鹦鹉")
    window.has_focus_again()
    tab_to(page, window.stop)
    page.keyboard.press("Enter")
    window.remark("Ready.")
    shows(window.last, zh("Stopped."))
    assert window.turn()["state"] == "stopped"
