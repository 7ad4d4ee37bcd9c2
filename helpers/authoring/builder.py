"""Makes the notebooks of the three languages from the lessons' sources, and keeps them in step."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

from helpers.authoring import diagrams, rules, stable
from helpers.authoring.minutes import LONGEST, minutes
from helpers.authoring.problems import Problem
from helpers.authoring.source import (
    LINKS,
    SOLUTION,
    Lesson,
    SourceError,
    lesson_paths,
    read_lesson,
    read_text,
    restamp,
)
from helpers.backend import saving, without_real_model
from helpers.exercises import texts as exercise_files
from helpers.i18n import LANGUAGES, _, listed
from helpers.setup import ROOT
from helpers.setup.files import write_whole
from helpers.setup.processes import typed
from helpers.training import trained

NOTEBOOKS = ROOT / "notebooks"
CELL_TIMEOUT = 120  # seconds that one cell may take
TRAINING_TIMEOUT = 900  # the same where a network is trained, perhaps after another notebook's

LANGUAGE_NAMES = {"en": "English", "zh": "中文", "fr": "Français"}


def header(lesson: Lesson, lang: str, previous: Lesson | None, following: Lesson | None) -> str:
    """Return the lesson's first cell: title, length, links to the other languages, goal, neighbours."""
    goal = lesson.cells[0].source(lang).partition("\n")[2]
    length = _("About {minutes} minutes", lang).format(minutes=minutes(lesson, lang))
    facts = [_("To look things up", lang) if lesson.sheet else length]
    facts += [
        f"[{LANGUAGE_NAMES[other]}](../{other}/{lesson.name}.ipynb)"
        for other in LANGUAGES
        if other != lang
    ]
    title = f"# {lesson.number} · {lesson.title(lang)}"
    return "\n\n".join(
        [title, " · ".join(facts), goal.strip(), neighbours(lang, previous, following)]
    )


def neighbours(lang: str, previous: Lesson | None, following: Lesson | None) -> str:
    """Return the line of links to the lessons before and after."""

    def link(lesson: Lesson) -> str:
        title = lesson.title(lang).replace("`", "")  # code in a link is no longer seen to be one
        return f"[{lesson.number} · {title}]({lesson.name}.ipynb)"

    links = [f"← {link(previous)}"] if previous else []
    return " | ".join([*links, f"{link(following)} →"] if following else links)


def assemble(
    lesson: Lesson,
    lang: str,
    previous: Lesson | None = None,
    following: Lesson | None = None,
    solution: bool = False,
) -> Any:
    """Return the lesson's notebook in `lang`, not yet executed, with stubs or with the solutions."""
    cells = [new_cell("markdown", "title", header(lesson, lang, previous, following), [])]
    for cell in lesson.cells[1:]:
        if "." in cell.id:  # a text or a test of an exercise
            continue
        text = cell.source(lang, solution)
        if cell.kind == "markdown":
            text = diagrams.with_picture(text, f"{lesson.number}-{cell.id}", lang)
        cells.append(new_cell(cell.kind, cell.id, text, cell.tags))
    if links := neighbours(lang, previous, following):
        foot = _(
            "Made with the versions in `requirements.txt`. `notebooks/seen.json` says with which other "
            "versions this page last gave the same results, and on which day.",
            lang,
        )
        cells.append(new_cell("markdown", LINKS, f"{links}\n\n{foot}", []))
    notebook = nbformat.from_dict({**nbformat.v4.new_notebook(), "cells": cells})
    if lesson.training:  # nbmake reads the time-out, tests/plugin.py the rest
        notebook.metadata["execution"] = {"timeout": TRAINING_TIMEOUT}
        notebook.metadata["training"] = True
    saving.stabilize(notebook)
    return notebook


def new_cell(kind: str, ident: str, text: str, tags: list[str]) -> dict[str, Any]:
    """Return a cell that has not run. It is looked at when its notebook is written.

    nbformat's own functions look at each cell when it is made, which takes longer than all the rest.
    """
    cell = {"id": ident, "cell_type": kind, "source": text, "metadata": {}}
    if tags:
        cell["metadata"] = {"tags": list(tags)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def assemble_all(lessons: list[Lesson], solution: bool = False) -> dict[tuple[str, str], Any]:
    """Return every notebook of the course, not executed, by (lesson name, language)."""
    around = [None, *lessons, None]
    return {
        (lesson.name, lang): assemble(lesson, lang, before, after, solution)
        for before, lesson, after in zip(around, lessons, around[2:], strict=False)
        for lang in LANGUAGES
    }


def exercise_texts(lessons: list[Lesson]) -> str:
    """Return the content of TEXTS_FILE: the texts of all exercises, by key and language."""
    texts: dict[str, dict[str, dict[str, str]]] = {}
    for lesson in lessons:
        for cell in lesson.cells:
            exercise, dot, key = cell.id.partition(".")
            if dot and cell.kind == "markdown" and key != rules.PREDICTION:
                own = texts.setdefault(f"{lesson.name}/{exercise}", {})
                own[key] = {lang: cell.source(lang) for lang in LANGUAGES}
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"


def predictions(lessons: list[Lesson]) -> str:
    """Return the content of PREDICTIONS_FILE: what to look for in the cells to predict, by language."""
    texts = {
        f"{lesson.name}/{cell.id.partition('.')[0]}": {
            lang: cell.source(lang) for lang in LANGUAGES
        }
        for lesson in lessons
        for cell in lesson.cells
        if cell.id.partition(".")[2] == rules.PREDICTION
    }
    return json.dumps(texts, indent=1, ensure_ascii=False) + "\n"


def exercise_solutions(lessons: list[Lesson]) -> str:
    """Return the content of SOLUTIONS_FILE: the solutions of all exercises, by language."""
    solutions = {
        f"{lesson.name}/{cell.id}": {lang: cell.source(lang, solution=True) for lang in LANGUAGES}
        for lesson in lessons
        for cell in lesson.cells
        if cell.kind == "code" and SOLUTION.search(cell.text["en"])
    }
    return json.dumps(solutions, indent=1, ensure_ascii=False) + "\n"


def exercise_drills(lessons: list[Lesson]) -> str:
    """Return the content of DRILLS_FILE: the mistakes that have a name, by exercise and language."""
    drills: dict[str, dict[str, dict[str, str]]] = {}
    for lesson in lessons:
        for cell in lesson.cells:
            if mistake := rules.mistake(cell):
                exercise, key = mistake
                if rules.named_by(exercise, key):
                    own = drills.setdefault(f"{lesson.name}/{exercise}", {})
                    own[key] = {lang: cell.source(lang) for lang in LANGUAGES}
    return json.dumps(drills, indent=1, ensure_ascii=False) + "\n"


def beside_the_notebooks(lessons: list[Lesson]) -> dict[Path, str]:
    """Return what the build writes besides notebooks: each file's content."""
    return {
        exercise_files.TEXTS_FILE: exercise_texts(lessons),
        exercise_files.PREDICTIONS_FILE: predictions(lessons),
        exercise_files.SOLUTIONS_FILE: exercise_solutions(lessons),
        exercise_files.DRILLS_FILE: exercise_drills(lessons),
    }


async def execute(notebook: Any, folder: Path, python: Path | None = None) -> None:
    """Run all cells in a new kernel whose working folder is `folder`; errors stay in the outputs.

    The kernel is `python`'s, ours without it.
    """
    # "auto" encrypts where the kernel can, and spares us a warning where it cannot.
    kernel = AsyncKernelManager(kernel_name="python3", transport_encryption="auto")
    if python is not None and kernel.kernel_spec is not None:
        kernel.kernel_spec.argv[0] = str(python)
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=notebook.metadata.get("execution", {}).get("timeout", CELL_TIMEOUT),
        allow_errors=True,
        record_timing=False,
        coalesce_streams=True,
        store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        await client.async_execute(env=without_real_model())
    finally:
        await kernel.shutdown_kernel(now=True)
    saving.stabilize(notebook)


def keep_measurements(notebook: Any, committed: Any) -> None:
    """Keep the committed outputs where only that differs which a cell's tags let differ."""
    old = {cell.id: cell for cell in committed.cells if cell.cell_type == "code"}
    for cell in notebook.cells:
        before = old.get(cell.id)
        if (
            before is not None
            and before.source == cell.source
            and before.metadata == cell.metadata
            and stable.alike(before, cell)
        ):
            cell.outputs = before.outputs


def read_notebook(name: str, lang: str) -> Any:
    """Return the committed notebook, or None where there is none or it is damaged."""
    try:
        return nbformat.read(NOTEBOOKS / lang / f"{name}.ipynb", as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return None


def structure(notebook: Any) -> list[tuple[str, str, str, list[str]]]:
    """Return what the source decides of a notebook: ids, kinds, texts and tags of its cells."""
    return [
        (cell.get("id", ""), cell.cell_type, cell.source, cell.metadata.get("tags", []))
        for cell in notebook.cells
    ]


def compare(name: str, lang: str, built: Any, committed: Any) -> list[Problem]:
    """Return what differs in structure between a lesson's source and its committed notebook."""
    if committed is None:
        what = f"notebooks/{lang}/{name}.ipynb is missing or damaged"
        return [Problem(name, "", lang, what)]
    if built.metadata != committed.metadata:
        return [Problem(name, "", lang, "the notebook's metadata are not what the source says")]
    new, old = structure(built), structure(committed)
    if [cell[0] for cell in new] != [cell[0] for cell in old]:
        gone = {cell[0] for cell in old} - {cell[0] for cell in new}
        added = {cell[0] for cell in new} - {cell[0] for cell in old}
        what = f"other cells than the source: not built {sorted(added)}, too many {sorted(gone)}"
        return [Problem(name, "", lang, what)]
    return [
        Problem(name, a[0], lang, "the notebook is not what the source says")
        for a, b in zip(new, old, strict=True)
        if a != b
    ]


def read_course(names: list[str] | None = None) -> tuple[list[Lesson], list[Lesson]]:
    """Return (all lessons, the lessons named). Raises SourceError as lesson_paths does."""
    lessons = [read_lesson(path) for path in lesson_paths()]
    wanted = {path.stem for path in lesson_paths(names)}
    return lessons, [lesson for lesson in lessons if lesson.name in wanted]


def try_to_write(folders: list[Path]) -> None:
    """Make the folders that are missing. Raises SourceError for one in which nothing can be written."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except (FileExistsError, NotADirectoryError):
            text = _(
                "{path} cannot be a folder: a file of its name, or of a folder's above it, exists."
            )
            raise SourceError(text.format(path=folder)) from None
        except OSError as error:
            text = _("Nothing can be written to the folder {path} ({error}). Choose another one.")
            raise SourceError(text.format(path=folder, error=error.strerror)) from None


def build(names: list[str], teachers: Path | None = None) -> list[Problem]:
    """Build and execute the lessons named (none named: all); return the problems, none when done.

    With `teachers` they are written below that folder, with the solutions. A notebook whose code
    misbehaves, or that needs packages which are missing, is not written; the others are.

    Raises SourceError, before anything runs, for an unknown name, without sources, for `teachers`
    in `notebooks/`, for a folder that cannot be written to, and for a diagram that cannot be drawn.
    """
    if teachers and NOTEBOOKS.resolve() in (teachers.resolve(), *teachers.resolve().parents):
        text = _("{path} lies in notebooks/: the teacher's edition belongs elsewhere.")
        raise SourceError(text.format(path=teachers))
    lessons, chosen = read_course(names)
    wrong = {lesson.name: rules.check(lesson) for lesson in lessons}
    problems = [problem for lesson in chosen for problem in wrong[lesson.name]]
    if problems:
        return problems
    try_to_write([diagrams.IMAGES, *((teachers or NOTEBOOKS) / x for x in (*LANGUAGES, "images"))])
    pictures = {path: code for one in chosen for path, code in diagrams.wanted(one).items()}
    if old := diagrams.stale(pictures):
        for path, svg in zip(old, diagrams.draw(list(old.values())), strict=True):
            write_whole(path, svg)
    if teachers:
        for path in pictures:
            write_whole(teachers / "images" / path.name, path.read_text(encoding="utf-8"))
    if not teachers:
        try_to_write([exercise_files.TEXTS_FILE.parent, exercise_files.SOLUTIONS_FILE.parent])
    notebooks = assemble_all(lessons, solution=teachers is not None)
    if names_missing := trained.missing():
        needed = ", ".join(names_missing)
        problems = [
            Problem(lesson.name, "", "", f"not built, it needs {needed}: {typed('training')}")
            for lesson in chosen
            if lesson.training
        ]
        chosen = [lesson for lesson in chosen if not lesson.training]

    async def run(lesson: Lesson, lang: str, free: asyncio.Semaphore) -> None:
        notebook = notebooks[lesson.name, lang]
        async with free:
            try:
                await execute(notebook, NOTEBOOKS / lang)
            except (CellTimeoutError, DeadKernelError) as error:
                problems.append(Problem(lesson.name, "", lang, str(error)))
                return
        if unexpected := stable.unexpected(notebook):
            problems.extend(Problem(lesson.name, cell, lang, what) for cell, what in unexpected)
            return
        committed = None if teachers else read_notebook(lesson.name, lang)
        if committed is not None:
            keep_measurements(notebook, committed)
        path = (teachers or NOTEBOOKS) / lang / f"{lesson.name}.ipynb"
        write_whole(path, saving.dumps(notebook))
        print(f"built {path}", flush=True)

    async def run_all() -> None:
        free = asyncio.Semaphore(os.cpu_count() or 1)
        for lang in LANGUAGES:
            (NOTEBOOKS / lang).mkdir(parents=True, exist_ok=True)
        await asyncio.gather(*(run(lesson, lang, free) for lesson in chosen for lang in LANGUAGES))

    if not teachers and not any(wrong.values()):
        for path, text in beside_the_notebooks(lessons).items():
            write_whole(path, text)
    asyncio.run(run_all())
    return problems


def check(names: list[str]) -> list[Problem]:
    """Return every problem of the sources and every difference to what is committed.

    Raises SourceError for an unknown name, and without sources.
    """
    lessons, chosen = read_course(names)
    wrong = {lesson.name: rules.check(lesson) for lesson in lessons}
    problems = [problem for lesson in chosen for problem in wrong[lesson.name]]
    if not any(wrong.values()):
        notebooks = assemble_all(lessons)
        for lesson in chosen:
            for lang in LANGUAGES:
                committed = read_notebook(lesson.name, lang)
                problems += compare(lesson.name, lang, notebooks[lesson.name, lang], committed)
        for path, text in beside_the_notebooks(lessons).items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                where = path.relative_to(ROOT).as_posix()
                problems.append(Problem(where, "", "", "is not what the sources say: build again"))
    pictures = {path: code for lesson in lessons for path, code in diagrams.wanted(lesson).items()}
    own = [path for lesson in chosen for path in diagrams.wanted(lesson)]
    problems += [
        Problem(path.relative_to(ROOT).as_posix(), "", "", "is missing, or drawn from other code")
        for path in diagrams.stale({path: pictures[path] for path in own})
    ]
    for path in [] if names else sorted(set(diagrams.IMAGES.glob("*.svg")) - set(pictures)):
        what = "no source has this diagram"
        problems.append(Problem(path.relative_to(ROOT).as_posix(), "", "", what))
    known = {lesson.name for lesson in lessons}
    for path in [] if names else sorted(NOTEBOOKS.glob("[a-z][a-z]/*.ipynb")):
        if path.stem not in known:
            what = "this notebook has no source"
            problems.append(Problem(path.stem, "", path.parent.name, what))
    return problems


def status() -> str:
    """Return a table of the lessons: what is stale, missing or unbuilt, or that nothing is.

    Raises SourceError without sources.
    """
    problems = check([])
    lines = []
    for lesson in read_course()[0]:
        own = [problem for problem in problems if problem.lesson == lesson.name]
        lines.append(
            f"{lesson.name}:{'' if own else ' ready'}{'' if lesson.sheet else too_long(lesson)}"
        )
        lines += [f"  {replace(problem, lesson='')}" for problem in own]
        problems = [problem for problem in problems if problem not in own]
    return "\n".join([*lines, *map(str, problems)])


def too_long(lesson: Lesson) -> str:
    """Return what `status` says of a lesson that is longer than a lesson should be."""
    longest = max(minutes(lesson, lang) for lang in LANGUAGES)
    return f", {longest} minutes, over {LONGEST}" if longest > LONGEST else ""


def translated(lesson: str, cell: str, lang: str) -> str:
    """Stamp one translation as made from today's English text; return what was done.

    Raises SourceError where lesson, cell or language does not exist.
    """
    (path,) = lesson_paths([lesson])
    if lang not in LANGUAGES[1:]:
        text = _("Translations are {languages}, not {lang!r}.")
        raise SourceError(text.format(languages=listed(LANGUAGES[1:]), lang=lang))
    found = [c for c in read_lesson(path).cells if c.id == cell]
    if not found:
        text = _("{lesson} has no cell {cell!r}.")
        raise SourceError(text.format(lesson=path.stem, cell=cell))
    if not found[0].translated:
        text = _("{lesson}, cell {cell!r}: there is nothing to translate.")
        raise SourceError(text.format(lesson=path.stem, cell=cell))
    file = found[0].file
    text = restamp(read_text(file), found[0], lang)
    try_to_write([file.parent])
    write_whole(file, text)
    return f"{path.stem}, cell {cell!r}, {lang}: stamped {found[0].stamp()}"
