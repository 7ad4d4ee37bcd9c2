"""Looks at everything the course needs and says what it finds, without ever printing a key."""

from __future__ import annotations

import io
import platform
import sys
from contextlib import redirect_stdout
from time import perf_counter

from helpers.backend.choice import start_again
from helpers.backend.keys import without_keys
from helpers.backend.settings import KNOWN, BackendError, Settings, default_env_file
from helpers.i18n import _, decimal, language
from helpers.setup import ROOT, CourseError
from helpers.setup.files import check_savable
from helpers.setup.packages import compare_packages


def doctor() -> bool:
    """Print one line for each thing looked at, `ok` or `!!`; return whether all is well.

    The language and the chat model are those of the notebook (of the last `start()`). One short
    question goes to the chat model.
    """
    well = True

    def say(good: bool, line: str) -> None:
        nonlocal well
        well = well and good
        print("ok" if good else "!!", line)

    new_enough = sys.version_info >= (3, 11)
    line = _("Python {version}")
    if not new_enough:
        line = _(
            "Python {version} is too old: install 3.11 or newer, then run python3 -m helpers lab"
        )
    say(new_enough, line.format(version=platform.python_version()))
    count, wrong = compare_packages(ROOT / "requirements.txt")
    if wrong:
        line = _(
            "Packages that are missing or not as requirements.txt pins them ({count}): {names}. "
            "Run: python3 -m helpers lab"
        )
        say(False, line.format(count=len(wrong), names=", ".join(wrong[:5])))
    else:
        say(True, _("{count} packages, as requirements.txt pins them").format(count=count))
    try:
        check_savable(ROOT, language())
    except CourseError as error:
        say(False, str(error))
    try:
        stored = Settings(default_env_file()).stored
        names = ", ".join(name for name in KNOWN if stored.get(name))
        line = _(".env: {names} set") if names else _(".env: none, and none is needed")
        say(True, line.format(names=names))
        with redirect_stdout(io.StringIO()) as printed:
            model = start_again()
        say(True, printed.getvalue().strip())
    except BackendError as error:
        say(False, str(error))
        return well
    from langchain_openai import ChatOpenAI

    begun = perf_counter()
    try:
        ChatOpenAI(model=model, timeout=30, max_retries=0).invoke("Hello!")
    except Exception as error:  # whatever the service refuses, the learner should read
        line = _(
            "{model} did not answer. Check the key, the address and the model in .env, and the "
            "network. The service said: {error}"
        )
        say(False, line.format(model=model, error=without_keys(str(error))))
    else:
        seconds = decimal(perf_counter() - begun, ".1f")
        say(True, _("{model} answered in {seconds} s").format(model=model, seconds=seconds))
    return well
