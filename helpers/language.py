"""The course's three languages, and which of them this computer speaks."""

from __future__ import annotations

import locale
import os
import sys

LANGUAGES = ("en", "zh", "fr")


def system_language() -> str:
    """Return the system's language where it is one of the course's three, else "en".

    POSIX systems say it in LANGUAGE, LC_ALL, LC_MESSAGES or LANG, read in gettext's order;
    Windows says it through its user interface.
    """
    if sys.platform == "win32":
        import ctypes

        names = [locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")]
    else:
        wanted = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
        preferred = os.environ.get("LANGUAGE", "") if wanted not in ("", "C", "POSIX") else ""
        names = [*preferred.split(":"), wanted]
    for name in names:
        if name[:2].lower() in LANGUAGES:
            return name[:2].lower()
    return "en"
