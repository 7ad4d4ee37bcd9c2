"""How a language is set: what a writer need not type, and a reader wants to see."""

from __future__ import annotations

import re


def typeset_french(text: str) -> str:
    """Return French prose with no-break spaces before ; : ! ? % and inside « », code untouched.

    `text` is Markdown: code is what stands between backticks.
    """
    parts = re.split(r"(^```.*?^```$|`[^`\n]+`)", text, flags=re.DOTALL | re.MULTILINE)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(r" (?=[;!?»%](?:\W|$)|:(?:[^\w-]|$))", "\u00a0", parts[i])
        parts[i] = parts[i].replace("« ", "«\u00a0")
        if i + 1 < len(parts):  # a space between code and a sign: `stream` : …
            parts[i] = re.sub(r"« ?$", "«\u00a0", parts[i])
    return "".join(parts)
