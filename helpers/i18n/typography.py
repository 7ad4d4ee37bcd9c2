"""How a language is set: what a writer need not type, and a reader wants to see."""

from __future__ import annotations

import re

# What in Markdown is no prose: fenced blocks and inline code; where apostrophes are concerned, formulas,
# addresses and tags too.
CODE = r"^ *```.*?^ *```$|`[^`\n]+`"
NO_PROSE = (
    rf"{CODE}|\$\$.*?\$\$|\$(?! )[^$\n]+(?<! )\$(?!\d)|\]\([^)\s]*\)|https?://[^\s>)]+|</?\w[^<>]*>"
)
FLAGS = re.DOTALL | re.MULTILINE


def typeset_french(text: str) -> str:
    """Return French prose with typographic apostrophes and no-break spaces, code untouched.

    The spaces are those before ; : ! ? % and inside « »; an apostrophe is what joins a letter to
    what follows it: l'eau, d'`invoke`, qu'« oui ». `text` is Markdown: code is what stands between
    backticks.
    """
    parts = re.split(f"({NO_PROSE})", text, flags=FLAGS)
    for i in range(0, len(parts), 2):
        # A letter and an apostrophe, then a word, a field or something that is marked.
        parts[i] = re.sub(r"(?<=[^\W\d_])'(?=[\w{«“\"*_\[])", "’", parts[i])
        if i + 1 < len(parts):
            parts[i] = re.sub(r"(?<=[^\W\d_])'$", "’", parts[i])
    parts = re.split(f"({CODE})", "".join(parts), flags=FLAGS)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r" (?=[;!?»%](?:\W|$)|:(?:[^\w-]|$))", "\u00a0", parts[i])
        parts[i] = parts[i].replace("« ", "«\u00a0")
        if i + 1 < len(parts):  # a space between code and a sign: `stream` : …
            parts[i] = re.sub(r"« ?$", "«\u00a0", parts[i])
    return "".join(parts)
