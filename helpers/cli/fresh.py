"""fresh: whether the pages still show the same with the newest packages."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import date
from pathlib import Path

from helpers.i18n import LANGUAGES, N_, _
from helpers.setup import environment

HELP = N_("run everything with the newest packages and compare what it shows")


def add_arguments(parser: ArgumentParser) -> None:
    """Add which lessons, and which packages."""
    lessons = _("for example 04 or 04-stream (default: all)")
    parser.add_argument("lessons", nargs="*", metavar="LESSON", help=lessons)
    parser.add_argument("--pre", action="store_true", help=_("take pre-releases too"))
    constraint = _("a file of pip's constraints, for other versions than the newest")
    parser.add_argument("--constraint", metavar="FILE", type=Path, help=constraint)
    training = _("also the lessons that train a network (1 GB to download)")
    parser.add_argument("--training", action="store_true", help=training)


def run(options: Namespace) -> int:
    """Run and compare, print and write the report; return 1 where something is different.

    What was alike is noted in notebooks/seen.json, unless pre-releases were taken. Raises CourseError
    for an unknown lesson, and where the environment cannot be made.
    """
    environment.enter("training" if options.training else None)
    from helpers.authoring import fresh, fresh_report, seen, snippet
    from helpers.setup.files import write_whole

    lessons = fresh.chosen(options.lessons, options.training)
    choices = ["--pre"] if options.pre else []
    if options.constraint is not None:
        choices += ["--constraint", str(options.constraint.resolve())]
    print(_("Making an environment with other versions: {folder}").format(folder=fresh.FOLDER))
    python = fresh.make(fresh.required(options.training), choices)
    now = fresh.versions(python)
    found = fresh.run_pages(lessons, python)
    with_snippets = fresh.SHEET in lessons
    programs = list(snippet.snippets(fresh.SNIPPET_LANGUAGE)) if with_snippets else []
    found += fresh.run_snippets(python) if programs else []

    said = fresh_report.summary(found, len(lessons) * len(LANGUAGES), len(programs))
    other = fresh_report.other_versions(seen.pins(), now)
    write_whole(fresh.REPORT, fresh_report.markdown(said, found, other))
    print("\n".join(f"{name}: {pinned} -> {version}" for name, pinned, version in other))
    print(fresh_report.terminal(found))
    print(f"\n{said}\n{fresh.REPORT}")
    if not options.pre:
        different = {one.name for one in found}
        names = {*lessons, *(f"{fresh.SHEET}/{name}" for name in programs)}
        taught = {name: now[name] for name in ("python", *seen.TAUGHT)}
        day = date.today().isoformat()
        seen.note(seen.Run(day, taught, sorted(names - different), sorted(different)))
    return 1 if found else 0
