"""The variables that choose the chat model, as the environment or `.env` sets them."""

from __future__ import annotations

import difflib
import io
import os
import re
import unicodedata
from pathlib import Path

from dotenv.parser import parse_stream

from helpers.backend import variables
from helpers.i18n import _
from helpers.setup import CourseError
from helpers.setup.files import learners

ENV_FILE_VARIABLE = (
    "COURSE_ENV_FILE"  # another file than the learner's `.env`, for building and testing
)
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
    "LANGSMITH_ENDPOINT",
    "LANGSMITH_PROJECT",
    "LANGSMITH_WORKSPACE_ID",
)
# Older names of the two tracing variables, still honoured by langsmith.
TRACING = ("LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING", "LANGCHAIN_TRACING")
TRACING_KEYS = ("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")
TRACING_PREFIXES = ("LANGSMITH_", "LANGCHAIN_")  # langsmith takes each of its names with either
OLDER = tuple(name.replace(*TRACING_PREFIXES) for name in READ if name.startswith("LANGSMITH_"))
KNOWN = tuple(dict.fromkeys((*READ, *TRACING, *OLDER)))

# What would make another call of the call that a lesson shows, and which no lesson wants.
MISLEADING = (
    "LANGSMITH_GATEWAY",  # sends the calls there, although OPENAI_BASE_URL says otherwise
    "LANGSMITH_GATEWAY_API_KEY",
    "LANGCHAIN_TRACING",  # the first tracer, which is no more: with one of the two each call fails
    "LANGCHAIN_HANDLER",
    "LC_OUTPUT_VERSION",  # changes what stands in a message's content, or the interface called
)
# What begins so steers the client, and the built-in model needs none of it.
OF_THE_CLIENT = ("OPENAI_", "LANGCHAIN_OPENAI_")

# What copying leaves around a value, beside spaces: quotes, also those of a word processor.
QUOTES = "\"'`“”„‘’‚«»‹›「」『』＂＇"
MOST_REMARKS = 5  # what is no settings file at all would fill the page
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# How a file is named by mistake: by an editor that adds an ending, by a system that hides it.
MISNAMED = re.compile(r"[._]?env(\.(txt|env|rtf|local|text|md))*", re.IGNORECASE)


class BackendError(CourseError):
    """No chat model can be used as things are set up; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: the traceback leads into helpers, not to the cause."""
        return [f"BackendError: {self}"]


class Settings:
    """The course's variables, from the environment, else from `env_file`, and where each was found.

    A variable that the environment sets wins over the file even when it is empty. `stored` is what
    the file sets, `remarks` what of it nobody reads, in words, and never with a value. Raises
    BackendError for a file that cannot be read or is not UTF-8.
    """

    def __init__(self, env_file: Path):
        self.exists = False
        self.stored: dict[str, str] = {}
        self.remarks: list[str] = []
        self._parse(self._read(env_file))
        if self.exists and not any(name in KNOWN for name in self.stored):
            self._remark(_("({file} sets nothing that the course reads.)"), file=env_file.name)
        elif not self.exists and env_file.name == ".env":
            for other in sorted(env_file.parent.glob("*env*")):
                if MISNAMED.fullmatch(other.name) and other.is_file():
                    text = _("(There is no file .env, but there is {other}: rename it to .env.)")
                    self._remark(text, other=other.name)
        self._found: dict[str, tuple[str, str]] = {}
        for name in dict.fromkeys((*KNOWN, *self.stored)):
            value = variables.learners(name)
            if value is not None:
                self._found[name] = (value, _("in the environment"))
            elif name in self.stored:
                self._found[name] = (self.stored[name], _("in .env"))

    def _read(self, env_file: Path) -> str:
        """Return the text of the file, "" where there is none; raise BackendError."""
        try:
            self.exists = env_file.is_file()
            # utf-8-sig: Windows Notepad starts a UTF-8 file with a byte-order mark.
            text = env_file.read_text(encoding="utf-8-sig") if self.exists else ""
        except OSError as error:
            message = _("{path} cannot be read: {error}. Allow it to be read, or take it away.")
            raise BackendError(message.format(path=env_file, error=error.strerror)) from None
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:  # UTF-16 without a byte-order mark can be read as UTF-8
            message = _(
                "{path} is not UTF-8 text. Save it again as UTF-8 "
                "(in Windows Notepad: Save as, encoding UTF-8)."
            )
            raise BackendError(message.format(path=env_file)) from None
        return text

    def _parse(self, text: str) -> None:
        """Take over what the lines of the file set, and remark on those that nobody reads."""
        for line in parse_stream(io.StringIO(text)):
            name, written = line.key or "", line.original.string
            sets = NAME.fullmatch(name) and (line.value is not None or name in KNOWN)
            if line.error or (name and not sets):
                number = line.original.line + written[: -len(written.lstrip())].count("\n")
                meant = _name_in(written)
                unread = _("(Line {number} of .env is not NAME=value, and is not read.)")
                if meant:
                    unread = _(
                        "(Line {number} of .env is not NAME=value, and is not read. "
                        "Write it as {name}=…)"
                    )
                self._remark(unread, number=number, name=meant)
            elif name:
                self.stored[name] = line.value or ""
                if name not in KNOWN and (meant := _similar(name)):
                    text = _("({name} in .env is not read. Did you mean {meant}?)")
                    self._remark(text, name=name, meant=meant)

    def _remark(self, text: str, **fields: object) -> None:
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append(text.format(**fields))

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def raw(self, name: str) -> str:
        """Return the value as it is written, "" where there is none."""
        return self._found.get(name, ("", ""))[0]

    def value(self, name: str) -> str:
        """Return the value without the spaces and quotes that copying leaves around it."""
        return re.sub(rf"^[\s{QUOTES}]+|[\s{QUOTES}]+$", "", self.raw(name))

    def key(self, name: str) -> str:
        """Return the value of a variable that holds a key; raise BackendError for what is none."""
        key = self.value(name)
        for number, sign in enumerate(key, start=1):
            if not "!" <= sign <= "~":
                message = _(
                    "{name} {where} has a character that no key has: the {number}th, U+{code}. "
                    "Copy the key again, without spaces, line breaks or other signs."
                )
                fields = {"name": name, "where": self.where(name), "code": f"{ord(sign):04X}"}
                raise BackendError(message.format(number=number, **fields))
        return key

    def where(self, name: str) -> str:
        """Return where the variable was found, in words."""
        return self._found.get(name, ("", ""))[1]

    def stored_for_tracing(self) -> dict[str, str]:
        """Return what the file, and not the environment, says of LangSmith."""
        names = [name for name in self.stored if name.startswith(TRACING_PREFIXES)]
        return {name: self.value(name) for name in names if variables.learners(name) is None}

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
    return Path(os.environ.get(ENV_FILE_VARIABLE) or learners(".env"))


def is_other_env_file() -> bool:
    """Say whether another file than the learner's `.env` was named, as for building and testing."""
    return bool(os.environ.get(ENV_FILE_VARIABLE))


def _similar(name: str) -> str:
    """Return the known name that was probably meant, "" for none."""
    letters = {known.replace("_", ""): known for known in reversed(KNOWN)}
    meant = difflib.get_close_matches(name.upper().replace("_", ""), letters, 1, cutoff=0.83)
    return letters[meant[0]] if meant else ""


def _name_in(line: str) -> str:
    """Return the known name that a line begins with, whatever else stands before or after it."""
    words = re.sub(r"\W", "_", unicodedata.normalize("NFKC", line).upper(), flags=re.ASCII)
    return next((name for name in sorted(KNOWN, key=len, reverse=True) if name in words), "")


def without_real_model() -> dict[str, str]:
    """Return this process's environment without whatever leads away from the built-in model.

    For building and testing, so that neither meets the key, the server or the tracing account of
    whoever runs it. The folder of trained networks is named, so that pages say nothing of it.
    """
    leads_away = (*OF_THE_CLIENT, *TRACING_PREFIXES, *MISLEADING)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(leads_away)}
    trained = os.environ.get("COURSE_TRAINED") or str(learners(".trained"))
    chosen = {"COURSE_PROGRESS": os.devnull, "COURSE_TRAINED": trained}
    return {**kept, ENV_FILE_VARIABLE: os.devnull, **chosen}
