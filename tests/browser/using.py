"""What a test needs to use a notebook as a person does: small notebooks, mouse, keyboard, the kernel's word."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from helpers.authoring.browser import PATIENCE, Course
from helpers.backend.saving import KERNELSPEC, dumps
from helpers.setup.files import write_whole

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

LIMIT = 40  # presses of Tab after which a control counts as out of reach


def write_notebook(course: Course, name: str, cells: list[str]) -> str:
    """Write a notebook of code cells into JupyterLab's folder; return its path there."""
    path = f"{name}.ipynb"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source.strip()) for source in cells],
        metadata={"kernelspec": KERNELSPEC},
    )
    write_whole(Path(course.root, path), dumps(notebook))
    return path


def cell(page: Page, number: int) -> Locator:
    """Return the cell `number` of the notebook, counted from 0."""
    return page.locator(".jp-Notebook-cell").nth(number)


def shows(control: Locator, text: str) -> None:
    """Wait until an element shows `text`."""
    from playwright.sync_api import expect

    expect(control).to_contain_text(text, timeout=1000 * PATIENCE)


def kernel_says(page: Page, expression: str) -> str:
    """Return what an expression is in the kernel, as Python writes it."""
    said: dict[str, dict[str, str]] = page.evaluate(
        """async expression => {
            const {kernel} = window.jupyterapp.shell.currentWidget.sessionContext.session;
            const future = kernel.requestExecute(
                {code: "", store_history: false, user_expressions: {asked: expression}}
            );
            return (await future.done).content.user_expressions.asked;
        }""",
        expression,
    )
    assert "data" in said, said
    return said["data"]["text/plain"]


def select(page: Page, number: int) -> None:
    """Select the cell `number`, as the arrow keys do; its outputs come next by Tab.

    JupyterLab's own `activate` would leave the focus on a control in the outputs of that cell.
    """
    page.evaluate(
        """number => {
            const {content} = window.jupyterapp.shell.currentWidget;
            content.mode = "command";
            content.activeCellIndex = number;
            content.activeCell.node.focus();
        }""",
        number,
    )


def type_into(page: Page, number: int, code: str) -> None:
    """Replace the code of a cell, and run it, by keyboard."""
    select(page, number)
    page.keyboard.press("Enter")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")
    page.keyboard.press("Escape")


def tab_to(page: Page, control: Locator) -> None:
    """Press Tab until a control has the focus, and see that it shows that it has it."""
    focused = "it => it === document.activeElement"
    assert not control.evaluate(focused), "has the focus before Tab is pressed"
    control.scroll_into_view_if_needed()
    page.mouse.move(0, 0)  # a slider's handle looks the same with the mouse on it
    before = picture(page, control)
    for _ in range(LIMIT):
        page.keyboard.press("Tab")
        if control.evaluate(focused):
            assert picture(page, control) != before, "one cannot see that this has the focus"
            return
    raise AssertionError(f"out of reach by Tab: {control}")


def picture(page: Page, control: Locator) -> bytes:
    """Return a picture of a control and of what is drawn around it."""
    box = control.bounding_box()
    assert box is not None
    edge = 4  # pixels
    taken: bytes = page.screenshot(
        clip={
            "x": box["x"] - edge,
            "y": box["y"] - edge,
            "width": box["width"] + 2 * edge,
            "height": box["height"] + 2 * edge,
        }
    )
    return taken
