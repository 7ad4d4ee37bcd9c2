"""The six providers of lesson 10, one tab each; on a saved page, one table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from helpers.i18n import _
from helpers.views.widgets import bundle_of

FILE = Path(__file__).with_name("providers.yaml")
# The titles of tabs that are not open are too pale to read for many people.
STYLE = "<style>.course-providers .lm-TabBar-tabLabel { color: var(--jp-ui-font-color1) }</style>"


def load() -> list[dict[str, str]]:
    """Return the providers of providers.yaml, which says what each entry means."""
    providers: list[dict[str, str]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return providers


def code(provider: dict[str, str]) -> list[str]:
    """Return the two lines that make this provider's chat model."""
    module, name = provider["package"].replace("-", "_"), provider["class"]
    return [f"from {module} import {name}", f'chat = {name}(model="{provider["model"]}")']


class Providers:
    """What each provider's chat model needs, and what it spells in its own way."""

    def facts(self, provider: dict[str, str]) -> list[str]:
        """Return what there is to know about one provider beside its code, as Markdown."""
        return [
            f"`pip install {provider['package']}`",
            f"`{provider['key']}`",
            _("`{own}` for `{common}`").format(**provider),
            f'`response_metadata["{provider["reason"]}"] == "{provider["cut"]}"`',
        ]

    def tab(self, provider: dict[str, str]) -> str:
        """Return one provider's tab, as Markdown."""
        said = [
            _("Install: {}"),
            _("Key: {}"),
            _("Spelled differently: {}"),
            _("A cut answer: {}"),
        ]
        facts = zip(said, self.facts(provider), strict=True)
        lines = [f"- {text.format(fact)}" for text, fact in facts]
        return "\n".join(["```python", "\n\n".join(code(provider)), "```", *lines])

    def __repr__(self) -> str:
        head = _("| provider | install | make a model | key | spelled differently | a cut answer |")
        rows = [head, "| --- " * (head.count("|") - 1) + "|"]
        for provider in load():
            install, *others = self.facts(provider)
            made = "<br>".join(f"`{line}`" for line in code(provider))
            rows.append(f"| {' | '.join([provider['name'], install, made, *others])} |")
        return "\n".join(rows)

    def tabs(self) -> Any:
        """Return the tabs, a widget."""
        import ipywidgets
        from markdown_it import MarkdownIt

        markdown, providers = MarkdownIt("commonmark", {"html": False}), load()
        tabs = ipywidgets.Tab(
            [ipywidgets.HTML(markdown.render(self.tab(provider))) for provider in providers],
            titles=[provider["name"] for provider in providers],
            selected_index=0,
        )
        tabs.add_class("course-providers")
        tabs.children[0].value += STYLE
        return tabs

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        shown = bundle_of(self.tabs())
        return {**shown, "text/plain": repr(self), "text/markdown": repr(self)}
