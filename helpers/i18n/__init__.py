"""The language that the course speaks at this moment, its words and how it writes numbers.

In the code stands English: `_("There is no lesson {name}.").format(name=name)`. The other languages
stand in the catalogues below `locale`, which `python3 -m helpers words` keeps in step with the code.
"""

from __future__ import annotations

import functools
import gettext as _gettext
import locale
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from helpers.i18n.typography import typeset_french

LANGUAGES = ("en", "zh", "fr")
DOMAIN = "course"  # gettext's word for a set of catalogues
FOLDER = Path(__file__).with_name("locale")

_language = "en"


def language() -> str:
    """Return the current language, one of LANGUAGES."""
    return _language


def use(lang: str) -> None:
    """Make `lang` the current language. Raises ValueError where it is none of LANGUAGES."""
    global _language
    if lang not in LANGUAGES:
        raise ValueError(f"The languages are {', '.join(LANGUAGES)}, not {lang!r}")
    _language = lang


@functools.lru_cache(maxsize=None)  # noqa: UP033  (Python 3.8 is to be told that it is too old)
def _catalogue(lang: str) -> _gettext.NullTranslations:
    return _gettext.translation(DOMAIN, FOLDER, [lang], fallback=lang == "en")


def _typeset(text: str, lang: str) -> str:
    return typeset_french(text) if lang == "fr" else text


def _(message: str, lang: str | None = None) -> str:
    """Return the English `message` in `lang`, or where none is given in the current language."""
    lang = lang or _language
    return _typeset(_catalogue(lang).gettext(message), lang)


def ngettext(one: str, many: str, count: int) -> str:
    """Return what fits `count`: in English `one` for 1, else `many`; in other languages by their rule."""
    return _typeset(_catalogue(_language).ngettext(one, many, count), _language)


def pgettext(context: str, message: str) -> str:
    """Return `message`, which other languages say otherwise in another `context`."""
    return _typeset(_catalogue(_language).pgettext(context, message), _language)


def N_(message: str) -> str:
    """Return `message` unchanged: it is only marked for the catalogues, and translated where it is shown."""
    return message


def listed(names: Iterable[str]) -> str:
    """Return names as a list in running text."""
    return ("、" if _language == "zh" else ", ").join(names)


def decimal(value: float, form: str = ".2f") -> str:
    """Return a number as text in Python's format `form`, with a decimal comma in French."""
    return f"{value:{form}}".replace(".", "," if _language == "fr" else ".")


def percent(value: float, form: str = ".0%") -> str:
    """Return a share of 1 as a percentage in Python's format `form`, as the language writes it."""
    return decimal(value, form).replace("%", "\u00a0%" if _language == "fr" else "%")


def system_language() -> str:
    """Return the system's language where it is one of LANGUAGES, else "en".

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
