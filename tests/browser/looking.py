"""What can be wrong with a notebook in JupyterLab, as a person would see, hear or miss it.

Each function returns its findings as texts, none where all is well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat

from helpers import stable
from helpers.browser import Course
from helpers.exercises import TEXTS

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 60.0  # seconds that a view may take to be drawn, on a computer that has much else to do
# Where axe looks. ipywidgets gives the handle of a slider no name, and no means to give it one; its
# description stands beside it, and buttons do the same. The colours of tracebacks are JupyterLab's.
PLACES = {
    "include": [[".jp-OutputArea-output"]],
    "exclude": [[".noUi-handle"], ["[class^=ansi-]"]],
}
# Of what is scrolled out of sight axe does not know the colours, so that nothing may be.
ALL_IN_SIGHT = "*:not(.jp-OutputArea *) { overflow: visible !important; contain: none !important }"
# Rectangles and computed styles, in the page; `cells` are the code cells of the open notebook.
CELLS = """
    const panel = window.jupyterapp.shell.currentWidget;
    const cells = panel.content.widgets.filter(cell => cell.model.type === "code");
    const isDrawn = node => {
        const { width, height } = node.getBoundingClientRect();
        return width > 0 && height > 0;
    };
"""
NOT_DRAWN = (
    "() => {"
    + CELLS
    + """
    const found = [];
    for (const cell of cells) {
        cell.model.outputs.toJSON().forEach((output, number) => {
            const say = what => found.push(`cell ${cell.model.id}, output ${number + 1}: ${what}`);
            const node = cell.outputArea.widgets[number]?.node;
            if (!node) return say("is not there");
            const view = "application/vnd.jupyter.widget-view+json" in (output.data ?? {});
            if (view && ![...node.querySelectorAll(".jupyter-widgets")].some(isDrawn))
                say(`has no view, but: ${node.innerText.slice(0, 200)}`);
            if (/Loading widget|Error (displaying|creating) widget/.test(node.innerText))
                say(node.innerText.slice(0, 200));
        });
    }
    for (const image of panel.content.node.querySelectorAll("img"))
        if (!image.complete || !image.naturalWidth || !isDrawn(image))
            found.push(`picture ${image.outerHTML.slice(0, 100)}`);
    const drawn = panel.content.node.querySelectorAll(".jp-RenderedMermaid img").length;
    const texts = panel.content.widgets.map(cell => cell.model.sharedModel.getSource()).join("\\n");
    const diagrams = texts.split("```mermaid").length - 1;
    if (drawn !== diagrams) found.push(`${drawn} of ${diagrams} diagrams`);
    return found;
}"""
)
BUTTONS = (
    "() => {"
    + CELLS
    + """
    return cells
        .filter(cell => /^exercise\\(.*\\)\\.check\\(/m.test(cell.model.sharedModel.getSource()))
        .map(cell => [cell.model.id, [...cell.outputArea.node.querySelectorAll("button")]
            .filter(isDrawn).map(button => button.innerText.trim())]);
}"""
)
CLIPPED = (
    "() => {"
    + CELLS
    + """
    const found = [];
    for (const cell of cells)
        for (const node of cell.outputArea.node.querySelectorAll(".jupyter-widgets, .jupyter-widgets *")) {
            const style = getComputedStyle(node);
            const hides = style.overflowX === "hidden" || style.overflowX === "clip";
            if (hides && node.innerText?.trim() && node.scrollWidth > node.clientWidth + 1)
                found.push(`cell ${cell.model.id}: "${node.innerText.trim().slice(0, 80)}" takes ` +
                    `${node.scrollWidth} pixels and has ${node.clientWidth}`);
        }
    return found;
}"""
)


class Ears:
    """Hears what a page asks for and complains of, from now on."""

    def __init__(self, page: Page, course: Course) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._own = (course.server, course.server.replace("http", "ws", 1), "data:", "blob:")
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.on("console", lambda said: self._said(said.type, said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, level: str, text: str) -> None:
        if level == "error":
            self.complaints.append(text)

    def _asked(self, url: str) -> None:
        if not url.startswith(self._own):
            self.requests.append(url)


def live(page: Page) -> Any:
    """Return the open notebook as the page has it, with its outputs."""
    return nbformat.from_dict(page.evaluate("window.jupyterapp.shell.currentWidget.model.toJSON()"))


def cells_not_run(notebook: Any) -> list[str]:
    """Look for errors that are not meant, for meant ones that did not come, and cells left out."""
    found = [f"cell {ident}: {what}" for ident, what in stable.unexpected(notebook)]
    return found + [
        f"cell {cell.id}: did not run"
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.source and not cell.execution_count
    ]


def not_drawn(page: Page) -> list[str]:
    """Look for views, pictures and diagrams that are not drawn, after giving them time to appear."""
    from playwright.sync_api import TimeoutError as TooLate

    try:
        page.wait_for_function(f"() => ({NOT_DRAWN})().length === 0", timeout=1000 * PATIENCE)
    except TooLate:
        found: list[str] = page.evaluate(NOT_DRAWN)
        return found
    return []


def exercises_without_buttons(page: Page, lang: str) -> list[str]:
    """Look for exercises that do not show their three buttons, in the language of the lesson."""
    wanted = [TEXTS[lang][f"{name}_button"] for name in ("check", "hint", "solution")]
    return [
        f"exercise {ident}: has the buttons {shown}"
        for ident, shown in page.evaluate(BUTTONS)
        if shown[:3] != wanted
    ]


def clipped(page: Page) -> list[str]:
    """Look for texts in views of which the end is cut off."""
    found: list[str] = page.evaluate(CLIPPED)
    return found


def barriers(page: Page, scheme: str) -> list[str]:
    """Let axe look at all outputs in a colour scheme, `light` or `dark`, for what is serious or worse."""
    from axe_playwright_python.sync_playwright import Axe

    page.add_style_tag(content=ALL_IN_SIGHT)
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === String(light)", arg=scheme == "light"
    )
    response = Axe().run(page, PLACES, {"resultTypes": ["violations"]}).response
    return [
        f"{scheme}: {rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
