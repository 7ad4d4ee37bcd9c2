"""The variables that choose the chat model, as the environment or `.env` sets them."""

from __future__ import annotations

import os
from pathlib import Path

from dotenv import dotenv_values

from helpers.backend import variables
from helpers.i18n import _
from helpers.setup import ROOT, CourseError

ENV_FILE = ROOT / ".env"
ENV_FILE_VARIABLE = "COURSE_ENV_FILE"  # another file instead of ENV_FILE, for building and testing
PLACEHOLDER = "put-your-key-here"  # as it stands in .env.example
DEFAULT_PACE = 40.0  # tokens per second: as fast as one can watch
LOOPBACK = ("127.0.0.1", "localhost", "::1")

READ = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",  # the older name of OPENAI_BASE_URL; langchain-openai reads it first
    "OPENAI_MODEL",
    "COURSE_PACE",
    "LANGSMITH_TRACING",
    "LANGSMITH_API_KEY",
)
# Older names of the two tracing variables, still honoured by langsmith.
TRACING = ("LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING", "LANGCHAIN_TRACING")
TRACING_KEYS = ("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")
KNOWN = tuple(dict.fromkeys((*READ, *TRACING, *TRACING_KEYS)))


class BackendError(CourseError):
    """No chat model can be used as things are set up; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: the traceback leads into helpers, not to the cause."""
        return [f"BackendError: {self}"]


class Settings:
    """The course's variables, from the environment, else from `env_file`, and where each was found.

    A variable that the environment sets wins over the file even when it is empty. Raises
    BackendError for a file that is not UTF-8.
    """

    def __init__(self, env_file: Path):
        try:
            # utf-8-sig: Windows Notepad starts a UTF-8 file with a byte-order mark.
            self.stored = dotenv_values(env_file, encoding="utf-8-sig", interpolate=False)
        except UnicodeDecodeError:
            message = _(
                "{path} is not UTF-8 text. Save it again as UTF-8 "
                "(in Windows Notepad: Save as, encoding UTF-8)."
            )
            raise BackendError(message.format(path=env_file)) from None
        self._found: dict[str, tuple[str, str]] = {}
        for name in KNOWN:
            value = variables.learners(name)
            if value is not None:
                self._found[name] = (value, _("in the environment"))
            elif name in self.stored:
                self._found[name] = (self.stored[name] or "", _("in .env"))

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def raw(self, name: str) -> str:
        """Return the value as it is written, "" where there is none."""
        return self._found.get(name, ("", ""))[0]

    def value(self, name: str) -> str:
        """Return the value without the spaces and quotes that copying leaves around it."""
        return self.raw(name).strip().strip("\"'").strip()

    def where(self, name: str) -> str:
        """Return where the variable was found, in words."""
        return self._found.get(name, ("", ""))[1]

    def pace(self) -> float:
        """Return how many tokens per second the built-in model writes; raise BackendError."""
        try:
            pace = float(self.value("COURSE_PACE") or DEFAULT_PACE)
            if not 0 <= pace < float("inf"):
                raise ValueError
        except ValueError:
            message = _(
                "COURSE_PACE {where} must be a number of tokens per second, 0 or more "
                "(0: as fast as possible)."
            )
            raise BackendError(message.format(where=self.where("COURSE_PACE"))) from None
        return pace


def default_env_file() -> Path:
    """Return the file that holds the learner's variables; it need not exist."""
    return Path(os.environ.get(ENV_FILE_VARIABLE) or ENV_FILE)


def without_real_model() -> dict[str, str]:
    """Return this process's environment without whatever leads away from the built-in model.

    For building and testing, so that neither meets the key, the server or the tracing account of
    whoever runs it. The folder of trained networks is named, so that pages say nothing of it.
    """
    away = {*KNOWN} - {"COURSE_PACE"}
    kept = {name: value for name, value in os.environ.items() if name not in away}
    trained = os.environ.get("COURSE_TRAINED") or str(ENV_FILE.with_name(".trained"))
    chosen = {"COURSE_PROGRESS": os.devnull, "COURSE_TRAINED": trained}
    return {**kept, ENV_FILE_VARIABLE: os.devnull, **chosen}
