"""The Sphinx extension of the site: anchors by cell, formulas as MathML, diagrams, words, heads of pages."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

from helpers import i18n
from helpers.i18n import N_, _

# What Furo says in English whatever the language; the first group passes through gettext.
WORDS = (
    N_("Skip to content"),
    N_("Back to top"),
    N_("On this page"),
    N_("Next"),
    N_("Previous"),
    N_("Home"),
)
LABELS = (
    N_("Toggle site navigation sidebar"),
    N_("Toggle table of contents sidebar"),
    N_("Toggle Light / Dark / Auto color theme"),
    N_("Toggle navigation of"),
)
MARK = re.compile(r'<div class="anchor" data-cell="([^"]+)"></div>')
SECTION = re.compile(r'<section( class="[^"]*")? id="([^"]+)">(\s*)<(h\d)>')


LINK = 'class="headerlink"'  # on a heading, to itself


class Words:
    """What Jinja's templates take for gettext: the course's catalogues first, then Sphinx's own."""

    def __init__(self, sphinx: Any) -> None:
        self.sphinx = sphinx

    def gettext(self, message: str) -> str:
        ours = _(message) if message in WORDS else message
        return ours if ours != message else str(self.sphinx.gettext(message))

    def ngettext(self, one: str, many: str, count: int) -> str:
        return str(self.sphinx.ngettext(one, many, count))


def prepare(app: Sphinx) -> None:
    """Give the templates their words, and leave Sphinx's own search out: Pagefind finds Chinese."""
    templates: Any = app.builder.templates
    templates.environment.install_gettext_translations(Words(app.translator), newstyle=True)
    app.builder.search = False


def name_cells(app: Sphinx, document: nodes.document) -> None:
    """Give what stands in a document its cell's id, the same in all languages.

    A heading that opens a cell has the cell's id, one further down its id and a number; a cell of
    code has it, and a cell of prose without a heading at its top has an anchor.
    """
    cell, count, anchor = "", 0, None
    for node in list(document.findall()):
        if isinstance(node, nodes.raw) and (mark := MARK.match(node.astext())):
            cell, count, anchor = mark[1], 0, node
            node.children = []
            node += nodes.Text(f'<div class="anchor" id="{cell}"></div>')
        elif isinstance(node, nodes.section):
            first = anchor is not None and follows(node, anchor)
            count += 1
            node["ids"] = [cell if first else f"{cell}-{count}"]
            if first and anchor is not None:
                anchor.parent.remove(anchor)
            anchor = None
        elif node.get("nb_element") == "cell_code" if isinstance(node, nodes.Element) else False:
            cell, count, anchor = node["cell_metadata"]["cell"], 0, None
            node["ids"] = [cell]


def follows(node: nodes.Element, before: nodes.Element) -> bool:
    """Say whether `node` is the next thing on the page after the childless `before`."""
    above = before
    while True:
        place = above.parent.index(above)
        if place + 1 < len(above.parent):
            return above.parent[place + 1] is node
        above = above.parent
        if not isinstance(above, nodes.section):
            return False


def mathml(formula: str, display: str) -> str:
    """Return a formula in LaTeX as MathML, which every browser draws; `display` is inline or block."""
    return str(convert(formula, display=display))


def inline(translator: Any, node: nodes.Element) -> None:
    """Write a formula in running text."""
    translator.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def display(translator: Any, node: nodes.Element) -> None:
    """Write a formula on a line of its own."""
    translator.body.append(
        f'<div class="formula" tabindex="0">{mathml(node.astext(), "block")}</div>'
    )
    raise nodes.SkipNode


def complete(
    app: Sphinx, name: str, template: str, context: dict[str, Any], document: nodes.document | None
) -> None:
    """Put onto headings the ids of their sections, and hand the template what is known of the page."""
    context["body"] = SECTION.sub(r'<section\1>\3<\4 id="\2">', context.get("body", ""))
    context["body"] = context["body"].replace(LINK, f"{LINK} data-pagefind-ignore")
    context["site"] = app.config.site
    context["about"] = app.config.site["pages"].get(name, {})


def translated(page: str) -> str:
    """Return a page, HTML, with the labels that Furo leaves out, or says in English whatever the language."""
    page = page.replace(
        'class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"'
    )
    for kind, name in (("sidebar-drawer", _("All pages")), ("toc-drawer", _("On this page"))):
        page = re.sub(f'<aside (?=class="{kind}[ "])', f'<aside aria-label="{name}" ', page)
    for label in LABELS:
        page = page.replace(f'aria-label="{label}', f'aria-label="{_(label)}')
    return page


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx, which has the language from `render`."""
    app.add_config_value("site", {}, "html")
    i18n.use(app.config.site["lang"])
    app.connect("builder-inited", prepare)
    app.connect("doctree-read", name_cells, priority=100)
    app.connect("html-page-context", complete)
    app.add_html_math_renderer("mathml", (inline, None), (display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
