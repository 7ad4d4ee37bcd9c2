"""Runs Sphinx on what has been prepared for one language."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from helpers import i18n

HERE = Path(__file__).parent
LOCALES = {"en": "en", "zh": "zh_CN", "fr": "fr"}
ACCENTS = {
    "light_css_variables": {
        "color-brand-primary": "#0b6e4f",
        "color-brand-content": "#0b6e4f",
        "color-brand-visited": "#5b4a91",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5fd3a5",
        "color-brand-content": "#5fd3a5",
        "color-brand-visited": "#c0a9f0",
    },
}


def settings(lang: str, title: str, site: dict[str, Any]) -> dict[str, Any]:
    """Return Sphinx's settings; `site` is what the templates get to know."""
    return {
        "extensions": ["myst_nb", "sphinx_copybutton", "helpers.authoring.site.parts"],
        "site": site,
        "project": title,
        "html_title": title,
        "language": LOCALES[lang],
        "templates_path": [str(HERE / "templates")],
        "html_static_path": [str(HERE / "static")],
        "html_theme": "furo",
        "html_theme_options": ACCENTS,
        "html_css_files": ["site.css"],
        "html_js_files": [("site.js", {"defer": "defer"})],
        "html_sidebars": {
            "**": [
                "sidebar/brand.html",
                "sidebar/search.html",
                "sidebar/scroll-start.html",
                "sidebar/navigation.html",
                "sidebar/scroll-end.html",
            ]
        },
        "html_additional_pages": {"search": "search.html"},
        "html_copy_source": False,
        "html_use_index": False,
        "html_show_sphinx": False,
        "html_math_renderer": "mathml",
        "html_permalinks_icon": "#",
        "smartquotes": False,  # quotation marks and apostrophes are set as they should be
        "copybutton_selector": ".cell_input pre, :not(.wrong) > .highlight-python pre, "
        ".highlight-default pre",
        "nb_execution_mode": "off",
        "source_suffix": {".ipynb": "myst-nb", ".md": "myst-nb"},
        "myst_all_links_external": True,  # they are what they shall be; `links` follows them at the end
        "myst_enable_extensions": ["dollarmath"],
        # What Jupyter does not know, in which a page is written.
        "myst_disable_syntax": ["myst_role", "myst_line_comment", "myst_target"],
        "suppress_warnings": ["misc.highlighting_failure", "myst.header"],
    }


def render(lang: str, title: str, source: Path, out: Path, work: Path, site: dict[str, Any]) -> str:
    """Make the pages of one language in the folder `out`; return what Sphinx complains of, "" if nothing.

    `work` is a folder for what Sphinx keeps between its steps.
    """
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    from helpers.authoring.site.parts import translated

    i18n.use(lang)
    complaints = io.StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(
            source,
            None,
            out,
            work,
            "html",
            confoverrides=settings(lang, title, site),
            status=None,
            warning=complaints,
            freshenv=True,
        )
        app.build(force_all=True)
    for page in out.rglob("*.html"):
        text = translated(page.read_text(encoding="utf-8"))
        page.write_text(text, encoding="utf-8", newline="\n")
    return re.sub(r"\x1b\[[0-9;]*m", "", complaints.getvalue()).strip()
