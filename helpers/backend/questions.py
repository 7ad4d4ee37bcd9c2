"""Lists what the built-in model can be asked, for a learner who looks for a question."""

from __future__ import annotations

from helpers import i18n
from helpers.builtin.book import course_book
from helpers.i18n import _


class Questions:
    """The questions of the built-in model's book in one language, by theme."""

    def __init__(self, lang: str | None) -> None:
        self.lang = lang or i18n.language()
        self.themes = course_book().questions[self.lang]

    def _repr_markdown_(self) -> str:
        themes = [
            f"**{theme}**\n\n" + "\n".join(f"- {question}" for question in asked)
            for theme, asked in self.themes.items()
        ]
        said = _("Other wordings do as well. `…` is for a word of yours.", self.lang)
        return "\n\n".join([*themes, said])

    def __repr__(self) -> str:
        return self._repr_markdown_().replace("**", "").replace("`", "")
