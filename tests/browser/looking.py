"""What can be wrong with a notebook in JupyterLab, as a person would see, hear or miss it.

Each function returns its findings as texts, none where all is well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import nbformat

from helpers.authoring import stable
from helpers.authoring.browser import POLLING, Course
from helpers.i18n import _

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Error, Page, Request, WebSocket

# JupyterLab asks for this every few seconds. While the kernel of another notebook starts, it has no
# `last_activity` yet, and jupyter_server 2.21 answers 500; the page asks again.
POLL = "/api/kernels?"
PATIENCE = 60.0  # seconds that a view may take to be drawn, on a computer that has much else to do
# Where axe looks. ipywidgets gives the handle of a slider no name, and no means to give it one; its
# description stands beside it, and buttons do the same. The colours of tracebacks are JupyterLab's,
# as are those of the links that it makes of addresses in printed text.
PLACES = {
    "include": [[".jp-OutputArea-output"]],
    "exclude": [
        [".noUi-handle"],
        ["[class^=ansi-]"],
        [".jp-RenderedText a"],
    ],
}
# Of what is scrolled out of sight axe does not know the colours, so that nothing may be.
ALL_IN_SIGHT = "*:not(.jp-OutputArea *) { overflow: visible !important; contain: none !important }"
# JupyterLab says first that a theme is there, then loads it, then hides and shows the page again.
IN_THEME = """async scheme => {
    const ground = () => getComputedStyle(document.body).getPropertyValue("--jp-layout-color0").trim();
    const isThere = () => ground() === { light: "white", dark: "#111" }[scheme]
        && document.body.dataset.jpThemeLight === String(scheme === "light")
        && window.jupyterapp.shell.isVisible;
    const begun = performance.now();
    for (let frames = 0; frames < 5; frames = isThere() ? frames + 1 : 0) {
        if (performance.now() - begun > 60000) throw new Error(`the theme is not ${scheme}`);
        await new Promise(requestAnimationFrame);
    }
}"""
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
    const hides = overflow => overflow === "hidden" || overflow === "clip";
    for (const cell of cells) {
        const say = (text, takes, has, how) => takes > has + 1 && found.push(
            `cell ${cell.model.id}: "${text.trim().slice(0, 80)}" takes ` +
            `${Math.round(takes)} pixels ${how} and has ${Math.round(has)}`);
        for (const node of cell.outputArea.node.querySelectorAll(".jupyter-widgets, .jupyter-widgets *")) {
            const style = getComputedStyle(node);
            if (node.tagName === "SELECT" && isDrawn(node)) {
                const pen = document.createElement("canvas").getContext("2d");
                pen.font = style.font;
                const room = node.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
                for (const option of node.options)
                    say(option.text, pen.measureText(option.text).width, room, "across");
            } else if (node.innerText?.trim() && isDrawn(node)) {
                if (hides(style.overflowX)) say(node.innerText, node.scrollWidth, node.clientWidth, "across");
                if (hides(style.overflowY)) say(node.innerText, node.scrollHeight, node.clientHeight, "down");
            }
        }
    }
    return found;
}"""
)


@contextlib.contextmanager
def listening(page: Page, course: Course) -> Iterator[tuple[list[str], list[str]]]:
    """Hear what a page asks other hosts for, and what it complains of; gives the growing lists."""
    requests: list[str] = []
    complaints: list[str] = []
    own = (course.server, course.server.replace("http", "ws", 1), "data:", "blob:")

    def asks(sent: Request | WebSocket) -> None:
        if not sent.url.startswith(own):
            requests.append(sent.url)

    def says(said: ConsoleMessage) -> None:
        if said.type == "error" and not said.location["url"].startswith(f"{course.server}{POLL}"):
            complaints.append(f"{said.text} {said.location['url']}")

    def throws(error: Error) -> None:
        complaints.append(str(error))

    ears = {"request": asks, "websocket": asks, "console": says, "pageerror": throws}
    for event, ear in ears.items():
        page.on(event, ear)
    yield requests, complaints
    for event, ear in ears.items():
        page.remove_listener(event, ear)


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
    """Look for views and pictures that are not drawn, after giving them time to appear."""
    from playwright.sync_api import TimeoutError as TooLate

    try:
        page.wait_for_function(
            f"() => ({NOT_DRAWN})().length === 0", timeout=1000 * PATIENCE, polling=POLLING
        )
    except TooLate:
        found: list[str] = page.evaluate(NOT_DRAWN)
        return found
    return []


def exercises_without_buttons(page: Page, lang: str) -> list[str]:
    """Look for exercises that do not show their buttons, in the language of the lesson."""
    wanted = [_(label, lang) for label in ("Check", "Hint", "Solution")]
    return [
        f"exercise {ident}: has the buttons {shown}"
        for ident, shown in page.evaluate(BUTTONS)
        if shown[:3] != wanted
    ]


def clipped(page: Page) -> list[str]:
    """Look for texts in views that have not the room they take, and for such choices in a list."""
    found: list[str] = page.evaluate(CLIPPED)
    return found


def barriers(page: Page) -> list[str]:
    """Let axe look at all outputs, light and then dark, for what is serious or worse."""
    style = page.add_style_tag(content=ALL_IN_SIGHT)
    found = in_scheme(page, "light", {}) + in_scheme(page, "dark", {"runOnly": ["color-contrast"]})
    style.evaluate("style => style.remove()")
    return found


def in_scheme(page: Page, scheme: Literal["dark", "light"], rules: dict[str, Any]) -> list[str]:
    """Let axe look at all outputs in a colour scheme, which the page keeps, with some rules or all."""
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)
    page.evaluate(IN_THEME, scheme)
    response = Axe().run(page, PLACES, {"resultTypes": ["violations"], **rules}).response
    return [
        f"{scheme}: {rule['id']}: {node['html'][:200]}: {node['failureSummary']}"
        for rule in response["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
