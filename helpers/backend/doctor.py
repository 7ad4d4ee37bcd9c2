"""Looks at everything the course needs and says what it finds, without ever printing a key."""

from __future__ import annotations

import io
import platform
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from time import perf_counter

from helpers.backend.choice import start_again
from helpers.backend.keys import without_keys
from helpers.backend.settings import KNOWN, Settings, default_env_file
from helpers.builtin import MODEL
from helpers.i18n import _, decimal, language
from helpers.setup import ROOT, CourseError
from helpers.setup.files import check_savable, is_course
from helpers.setup.packages import compare_packages

Findings = Iterator[tuple[bool, str]]  # whether all is well, and the line that says so


def doctor() -> bool:
    """Print one line for each thing looked at, `ok` or `!!`; return whether all is well.

    The language and the chat model are those of the notebook (of the last `start()`). One short
    question goes to the chat model.
    """
    well = True
    for look in (_python, _packages, _folder, _env_file, _model):
        try:
            for good, line in look():
                print("ok" if good else "!!", line)
                well = well and good
        except CourseError as error:
            print("!!", error)
            return False
        except Exception as error:  # whatever it is, a traceback would not help
            line = _("Something unforeseen went wrong here: {error}")
            print("!!", line.format(error=_told(error)))
            well = False
    return well


def _python() -> Findings:
    new_enough = sys.version_info >= (3, 11)
    line = _("Python {version}")
    if not new_enough:
        line = _(
            "Python {version} is too old: install 3.11 or newer, then run python3 -m helpers lab"
        )
    yield new_enough, line.format(version=platform.python_version())


def _packages() -> Findings:
    if not is_course(ROOT):  # pip has installed `helpers`, and looked after the packages
        return
    count, wrong = compare_packages(ROOT / "requirements.txt")
    line = _("{count} packages, as requirements.txt pins them").format(count=count)
    if wrong:
        line = _(
            "Packages that are missing or not as requirements.txt pins them ({count}): {names}. "
            "Run: python3 -m helpers lab"
        ).format(count=len(wrong), names=", ".join(wrong[:5]))
    yield not wrong, line


def _folder() -> Findings:
    if not is_course(ROOT):
        return
    try:
        check_savable(ROOT, language())
    except CourseError as error:  # everything else can be looked at all the same
        yield False, str(error)


def _env_file() -> Findings:
    settings = Settings(default_env_file())
    names = ", ".join(name for name in KNOWN if settings.stored.get(name))
    if names:
        line = _(".env: {names} set")
    elif settings.exists:
        line = _(".env: there, but it sets nothing")
    else:
        line = _(".env: none, and none is needed")
    yield not settings.remarks, "\n".join([line.format(names=names), *settings.remarks])


def _model() -> Findings:
    with redirect_stdout(io.StringIO()) as printed:
        model = start_again()
    said_before = Settings(default_env_file()).remarks
    lines = [line for line in printed.getvalue().splitlines() if line not in said_before]
    yield True, "\n".join(lines)
    try:
        from langchain_openai import ChatOpenAI

        begun = perf_counter()
        ChatOpenAI(model=model, timeout=30, max_retries=0).invoke("Hello!")
    except ImportError as error:
        line = _("A package cannot be used: {error}. Run: python3 -m helpers lab")
        yield False, line.format(error=_told(error))
    except Exception as error:  # whatever the service refuses, the learner should read
        if model == MODEL:
            line = _("{model} did not answer, although it runs on this computer: {error}")
        else:
            line = _(
                "{model} did not answer. Check the key, the address and the model in .env, and the "
                "network. The service said: {error}"
            )
        yield False, line.format(model=model, error=_told(error))
    else:
        seconds = decimal(perf_counter() - begun, ".1f")
        yield True, _("{model} answered in {seconds} s").format(model=model, seconds=seconds)


def _told(error: Exception) -> str:
    """Return what an exception says, without keys, and its name where it says nothing."""
    return without_keys(str(error)) or type(error).__name__
