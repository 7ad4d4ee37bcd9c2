"""Reads the source of a lesson, which holds code once and prose three times, and stamps translations."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from helpers.authoring.problems import Problem
from helpers.i18n import LANGUAGES, _, listed
from helpers.i18n.typography import typeset_french
from helpers.setup import ROOT, CourseError

SOURCE = ROOT / "notebooks" / "source"
MARKED = re.compile(r"^(?P<code>.*?)[ \t]*# @(?P<lang>\w\w)[ \t]*$")
EXERCISES = ".exercises"  # ends the name of the file with what a reader does not see
LINKS = "next"  # the id of the builder's own cell, with the links to the neighbours
# A solution, with the line before it where that line is the stub (`answer = ...`).
SOLUTION = re.compile(
    r"^(?P<stub>[^\n]*\.\.\.\n)?(?P<indent>[ \t]*)### BEGIN SOLUTION\n(?P<solution>.*?)"
    r"^[ \t]*### END SOLUTION$",
    re.DOTALL | re.MULTILINE,
)


class SourceError(CourseError):
    """A source cannot be found, built or stamped; the message says why."""


@dataclass
class Cell:
    """One cell of a lesson. `text` and `of` are by language; code has its text under "en".

    `file` is where it stands, below SOURCE.
    """

    kind: str  # "markdown" or "code"
    id: str
    tags: list[str]
    text: dict[str, str]
    of: dict[str, str]
    file: Path

    def source(self, lang: str, solution: bool = False) -> str:
        """Return the cell as the notebook in `lang` shows it, with the stub or the solution."""
        if self.kind == "markdown":
            text = self.text[lang]
            return typeset_french(text) if lang == "fr" else text
        lines = []
        for line in self.text["en"].splitlines():
            marked = MARKED.match(line)
            if marked is None:
                lines.append(line)
            elif marked["lang"] == lang:
                lines.append(marked["code"])
        code = "\n".join(lines)
        if solution:
            return SOLUTION.sub(lambda match: match["solution"].rstrip("\n"), code)
        return SOLUTION.sub(
            lambda match: (match["stub"] or match["indent"] + "...").rstrip("\n"), code
        )

    def stamp(self) -> str:
        """Return the stamp of the English text: what a translation's `of` must say."""
        if self.kind == "markdown":
            english = self.text.get("en", "")
        else:
            marked = (MARKED.match(line) for line in self.text["en"].splitlines())
            english = "\n".join(m["code"].strip() for m in marked if m and m["lang"] == "en")
        return hashlib.sha256(english.strip().encode()).hexdigest()[:8]

    @property
    def translated(self) -> bool:
        """Whether there is anything in this cell that is said once for each language."""
        return self.kind == "markdown" or any(map(MARKED.match, self.text["en"].splitlines()))


@dataclass
class Lesson:
    """One lesson as its source says it; `problems` lists what was wrong in reading it, see rules.check.

    `sheet` says that it is there to look things up, without exercises, `training` that it needs the
    packages of setup/requirements/training.txt.
    """

    name: str  # "04-stream"
    cells: list[Cell]
    problems: list[Problem]
    sheet: bool = False
    training: bool = False

    @property
    def number(self) -> str:
        return self.name[:2]

    def title(self, lang: str) -> str:
        """Return the lesson's title in `lang`, from the first line of its first cell."""
        first = self.cells[0] if self.cells else None
        if first is None or lang not in first.text:
            return self.name
        return first.source(lang).partition("\n")[0].removeprefix("# ").strip() or self.name


def lesson_paths(names: list[str] | None = None) -> list[Path]:
    """Return the source files of the lessons named ("04", "stream" or "04-stream"); none named: all.

    Raises SourceError for a name that no lesson has, where there is no lesson at all, and where two
    sources have one number or an exercises' file stands alone, as copies do.
    """
    found = sorted(SOURCE.glob("[0-9][0-9]-*.md"))
    paths = [path for path in found if not path.stem.endswith(EXERCISES)]
    if not paths:  # or the texts of the exercises would be made of nothing
        text = _("There is no lesson in notebooks/source: this copy has no sources.")
        raise SourceError(text)
    for number, copies in itertools.groupby(paths, key=lambda path: path.name[:2]):
        if len(both := [path.name for path in copies]) > 1:
            text = _("Two sources have the number {number}: {files}. Take one away.")
            raise SourceError(text.format(number=number, files=listed(both)))
    for path in found:
        lesson = path.with_name(f"{path.stem.removesuffix(EXERCISES)}.md")
        if lesson not in paths:
            text = _("{file} belongs to no lesson: there is no {lesson}. Take it away.")
            raise SourceError(text.format(file=path.name, lesson=lesson.name))
    chosen = []
    for name in names or []:
        named = [p for p in paths if name in (p.stem, p.stem[:2], p.stem[3:])]
        if not named:
            text = _("There is no lesson {name!r}. The lessons are: {known}.")
            raise SourceError(text.format(name=name, known=listed(p.stem for p in paths)))
        chosen += named
    return chosen if names else paths


def files(path: Path) -> list[Path]:
    """Return the files of the lesson at `path`: what a reader sees, and beside it, if any, the rest."""
    beside = path.with_name(f"{path.stem}{EXERCISES}.md")
    return [path, beside] if beside.exists() else [path]


def read_text(file: Path) -> str:
    """Return what stands in a source file, without the byte-order mark that some editors put first."""
    return file.read_text(encoding="utf-8-sig")


def invisible(text: str) -> list[tuple[int, str]]:
    """Return (line number, name) of each character that nobody sees and that others stumble over.

    Those are control and format characters and separators of lines other than the line end itself.
    A joiner that makes one emoji out of several is none of them.
    """
    found = []
    line = 1
    for before, character in itertools.pairwise(f" {text}"):
        line += before == "\n"
        joins = character == "\u200d" and unicodedata.category(before) in ("So", "Sk", "Mn")
        hidden = unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        if hidden and character not in "\n\t" and not joins:
            name = unicodedata.name(character, "a control character")
            found.append((line, f"U+{ord(character):04X} ({name})"))
    return found


def read_head(path: Path) -> dict[str, Any]:
    """Return what stands in the head of a source file; much faster than reading all of it."""
    head = re.match(r"---\n(.*?)^---\n", read_text(path), re.DOTALL | re.MULTILINE)
    return dict(yaml.safe_load(head[1])) if head else {}


def read_lesson(path: Path) -> Lesson:
    """Read a lesson's source. Nothing is raised for one that cannot be read: see `problems`.

    `path` is the file of what a reader sees; the texts and tests of its exercises stand beside it.
    """
    import jupytext  # here, because it takes its time: it brings JupyterLab's server with it
    from jupytext.myst import MystMetadataParsingError
    from nbformat import ValidationError

    name = path.stem
    problems: list[Problem] = []
    cells: list[Cell] = []
    head: dict[str, Any] = {}
    for file in files(path):
        try:
            text = read_text(file)
            if hidden := invisible(text):
                return Lesson(name, [], [unseen(name, file, *one) for one in hidden])
            notebook = jupytext.reads(text, fmt="md:myst")
        except (ValueError, yaml.YAMLError, MystMetadataParsingError, ValidationError) as error:
            what = f"{file.name} cannot be read as MyST Markdown: {error}"
            return Lesson(name, [], [Problem(name, "", "", what)])
        own = cells_in(notebook.cells, file, name, problems)
        for cell in own:
            if ("." in cell.id) is (file == path):
                right = f"{name}{EXERCISES}.md" if file == path else path.name
                what = f"stands in {file.name} and belongs into {right}"
                problems.append(Problem(name, cell.id, "en", what))
        cells += own
        head = head or notebook.metadata
    for key in ("sheet", "training"):
        if not isinstance(head.get(key, False), bool):
            what = f"in the file's head, `{key}:` is true or it is not there"
            problems.append(Problem(name, "title", "en", what))
    sheet, training = (head.get(key) is True for key in ("sheet", "training"))
    return Lesson(name, cells, problems, sheet, training)


def unseen(lesson: str, file: Path, line: int, character: str) -> Problem:
    """Return the problem that an invisible character is."""
    what = f"line {line} of {file.name} has an invisible {character}: take it out"
    return Problem(lesson, "", "", what)


def cells_in(raw: list[Any], file: Path, lesson: str, problems: list[Problem]) -> list[Cell]:
    """Return a lesson's cells from those of a notebook, as which jupytext reads one of its files.

    What is wrong with them goes to `problems`.
    """

    def problem(cell: str, lang: str, what: str) -> None:
        problems.append(Problem(lesson, cell, lang, what))

    cells: list[Cell] = []
    for number, one in enumerate(raw, 1):
        meta = dict(one.metadata)
        ident, lang, of = meta.pop("id", None), meta.pop("lang", "en"), meta.pop("of", None)
        tags = meta.pop("tags", [])
        nameless = f"number {number} of {file.name}"
        where = str(ident or (cells[-1].id if cells else nameless))
        if meta:
            problem(where, lang, f"has metadata that no lesson uses: {', '.join(sorted(meta))}")
        if lang not in LANGUAGES:
            problem(where, lang, f"the languages are {', '.join(LANGUAGES)}")
        elif one.cell_type == "code":
            if ident is None:
                problem(nameless, "en", "has no id; add a line `:id: some-name`")
            stamps = {str(k): str(v) for k, v in (of or {}).items()}
            cells.append(Cell("code", where, tags, {"en": one.source}, stamps, file))
        elif lang == "en":
            if ident is None:
                problem(nameless, "en", 'has no id; write +++ {"id": "…", "lang": "en"}')
            cells.append(Cell("markdown", where, tags, {"en": one.source}, {}, file))
        else:
            last = cells[-1] if cells else None
            if last is None or last.kind == "code" or (ident is not None and ident != last.id):
                problem(where, lang, "is an orphan: no English prose of that id stands before it")
            elif lang in last.text:
                problem(where, lang, "stands there twice")
            else:
                if tags != last.tags and tags:
                    problem(where, lang, f"has tags {tags}, the English has {last.tags}")
                last.text[lang] = one.source
                last.of[lang] = str(of or "")
    return cells


def restamp(text: str, cell: Cell, lang: str) -> str:
    """Return a source file's `text` with the stamp of one cell in one language renewed.

    Raises SourceError where the cell or its translation is not in the file.
    """
    lines = text.splitlines(keepends=True)
    current = None
    for number, line in enumerate(lines):
        if line.startswith("+++ {"):
            meta = json.loads(line[4:])
            current = meta.get("id", current if "lang" in meta else None)
            if current == cell.id and meta.get("lang") == lang and cell.kind == "markdown":
                meta["of"] = cell.stamp()
                lines[number] = f"+++ {json.dumps(meta, ensure_ascii=False)}\n"
                return "".join(lines)
        elif line.startswith("```{code-cell}"):
            current = None
        elif line.startswith(":id:"):
            current = line[4:].strip()
            if current == cell.id and cell.kind == "code":
                stamps = {
                    k: v for k, v in {**cell.of, lang: cell.stamp()}.items() if k in LANGUAGES
                }
                pairs = ", ".join(f'{k}: "{stamps[k]}"' for k in LANGUAGES if k in stamps)
                stale = number + 1 < len(lines) and lines[number + 1].startswith(":of:")
                lines[number + 1 : number + 1 + stale] = [f":of: {{{pairs}}}\n"]
                return "".join(lines)
    text = _("Cell {cell!r} has no text in {lang!r} to stamp.")
    raise SourceError(text.format(cell=cell.id, lang=lang))
