"""What stands below an exercise on the site, folded away: hints, the model answer, what people get wrong."""

from __future__ import annotations

import re

from helpers.authoring.source import SourceError, lesson_paths, read_lesson
from helpers.exercises.texts import all_texts, solution_code
from helpers.exercises.verdict import SHARED
from helpers.i18n import LANGUAGES, _

Mistakes = dict[
    str, list[tuple[str, str]]
]  # exercise -> (the text's key, the code in one language)


def mistakes() -> dict[str, Mistakes]:
    """Return the labelled mistakes of all exercises by language; none in a copy without sources."""
    found: dict[str, Mistakes] = {lang: {} for lang in LANGUAGES}
    try:
        paths = lesson_paths()
    except SourceError:
        return found
    for path in paths:
        for cell in read_lesson(path).cells:
            exercise, _dot, rest = cell.id.partition(".wrong.")
            if rest and cell.kind == "code":
                key = rest.partition(".")[0]
                for lang, own in found.items():
                    own.setdefault(f"{path.stem}/{exercise}", []).append((key, cell.source(lang)))
    return found


def message(name: str, key: str, lang: str) -> str:
    """Return what an exercise says of a mistake; what it would fill in is left out."""
    own = all_texts().get(name, {})
    text = own[key][lang] if key in own else _(SHARED[key], lang)
    return re.sub(r"\{\w+(![a-z])?(:[^}]*)?\}", "…", text)


def fold(summary: str, content: str, kind: str) -> str:
    """Return Markdown that is folded away behind `summary`."""
    return f'<details class="fold {kind}">\n<summary>{summary}</summary>\n\n{content}\n\n</details>'


def fenced(code: str) -> str:
    """Return Python as a block of Markdown."""
    return f"```python\n{code}\n```"


def of_exercise(name: str, lang: str, wrong: Mistakes) -> str:
    """Return the folds of the exercise `name`, Markdown; nothing where it is no exercise."""
    texts = all_texts().get(name)
    if texts is None:
        return ""
    hints = sorted(key for key in texts if re.fullmatch(r"hint-\d+", key))
    parts = [
        fold(_("Hint {number}", lang).format(number=number), texts[key][lang], "hint")
        for number, key in enumerate(hints, 1)
    ]
    solution = solution_code(name, lang)
    if solution is not None:
        right = f"{fenced(solution)}\n\n{texts['correct'][lang]}"
        parts.append(fold(_("Model answer", lang), right, "solution"))
    if own := wrong.get(name):
        shown = [f"{fenced(code)}\n\n> {quoted(message(name, key, lang))}" for key, code in own]
        parts.append(fold(_("What people get wrong", lang), "\n\n".join(shown), "wrong"))
    return "\n\n".join(parts)


def quoted(text: str) -> str:
    """Return `text` so that it can stand behind the first `> ` of a quotation."""
    return text.replace("\n", "\n> ")
