"""The course's command line: python -m helpers COMMAND.

A command is a module of this folder: HELP says what it does, add_arguments(parser) what it takes, if
anything, and run(options) returns the exit code. At its top it imports the standard library alone, so
that --help installs nothing; what needs more is imported in run, after environment.enter().
"""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType

from helpers import i18n
from helpers.cli import parsing
from helpers.i18n import N_, _
from helpers.setup import CourseError
from helpers.setup.files import refused
from helpers.setup.processes import as_typed, typed
from helpers.setup.python import check_python

# Who wants which commands, in the order in which --help shows them.
GROUPS = {
    N_("For learners:"): ("lab", "doctor", "progress", "snippet", "local", "training"),
    N_("For teachers:"): ("serve",),
    N_("For authors:"): (
        "test",
        "build",
        "status",
        "translated",
        "words",
        "fresh",
        "pins",
        "screenshots",
        "site",
    ),
}
COMMANDS = tuple(name for names in GROUPS.values() for name in names)


TRACEBACK_VARIABLE = "COURSE_TRACEBACK"  # whoever wants to see where an error comes from sets it


def main(argv: Sequence[str]) -> int:
    """Run the command that `argv` names and return the exit code.

    Raises SystemExit where argparse ends the process: after --help, and for wrong arguments.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A Windows code page cannot show every character; a "?" is better than a traceback.
            stream.reconfigure(errors="replace", line_buffering=True)
    signal.signal(signal.SIGTERM, terminated)
    i18n.use(i18n.system_language())
    try:
        lang, arguments = parsing.take_language(argv)
        i18n.use(lang)
        check_python()
        if not arguments or arguments[0] in ("-h", "--help"):
            print(overview())
            return 0
        return run(*arguments)
    except CourseError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        stopped = _("Stopped. The same command goes on from here:\n\n    {command}")
        print("\n" + stopped.format(command=typed(*argv)), file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever reads what is printed, such as head, has enough
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # for Python flushes at the end
        return 1
    except Exception as error:
        print(f"\n{explanation(error)}", file=sys.stderr)
        return 1


def explanation(error: Exception) -> str:
    """Return what the reader is told of an error that no command foresaw; keys are left out."""
    wanted = bool(os.environ.get(TRACEBACK_VARIABLE))
    if isinstance(error, OSError) and error.filename is not None and not wanted:
        return str(refused(error))
    lines = traceback.format_exception(error) if wanted else traceback.format_exception_only(error)
    said = "".join(lines).strip()
    keys = sys.modules.get("helpers.backend.keys")  # where it is not loaded, no key has been read
    said = keys.without_keys(said) if keys else said
    return _(
        "Something went wrong that the course did not foresee:\n\n{said}\n\n"
        "Type the same command again:\n\n    {command}\n\n"
        "If that does not help, set {variable} to 1, type it once more, and send all that is printed to "
        "whoever gave you the course."
    ).format(said=said, command=as_typed(), variable=TRACEBACK_VARIABLE)


def run(name: str, *arguments: str) -> int:
    """Run the command `name` and return its exit code, 2 where there is no such command."""
    if name not in COMMANDS:
        unknown = _("There is no command {name}. To see the commands, type:\n\n    {command}")
        print(unknown.format(name=name, command=typed("--help")), file=sys.stderr)
        return 2
    command = importlib.import_module(f"helpers.cli.{name}")
    return int(command.run(parsing.parse(name, command, arguments)))


def overview() -> str:
    """Return the list of all commands, for those who ask for --help without naming one."""
    lines = [_("Usage: {command}").format(command=typed("COMMAND", "…")), ""]
    for title, names in GROUPS.items():
        lines.append(_(title))
        for name in names:
            does = importlib.import_module(f"helpers.cli.{name}").HELP
            lines.append(f"  {name:13}{_(does)}")
        lines.append("")
    lines.append(_("Each command explains itself with --help and takes --lang en|zh|fr."))
    return "\n".join(lines)


def terminated(signum: int, frame: FrameType | None) -> None:
    """End as after an error, so that children are ended too."""
    sys.exit(128 + signum)
