"""Reads a lesson's source: code once, prose three times, and everything that can be wrong with it."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jupytext
import yaml
from jupytext.myst import MystMetadataParsingError
from markdown_it import MarkdownIt

from helpers.authoring.problems import Problem
from helpers.i18n import LANGUAGES
from helpers.i18n.typography import typeset_french
from helpers.setup.processes import typed

SOURCE = Path(__file__).parents[2] / "notebooks" / "source"
MARKED = re.compile(r"^(?P<code>.*?)[ \t]*# @(?P<lang>\w\w)[ \t]*$")
EXERCISES = ".exercises"  # ends the name of the file with what a reader does not see
LINKS = "next"  # the id of the builder's own cell, with the links to the neighbours
# A solution, with the line before it where that line is the stub (`answer = ...`).
SOLUTION = re.compile(
    r"^(?P<stub>[^\n]*\.\.\.\n)?(?P<indent>[ \t]*)### BEGIN SOLUTION\n(?P<solution>.*?)"
    r"^[ \t]*### END SOLUTION$",
    re.DOTALL | re.MULTILINE,
)
HAN = re.compile(r"[\u3400-\u9fff]")
MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
MARKDOWN = MarkdownIt().enable("table")


class SourceError(Exception):
    """A lesson's source cannot be built; the message lists every problem."""


@dataclass
class Cell:
    """One cell of a lesson. `text` and `of` are by language; code has its text under "en"."""

    kind: str  # "markdown" or "code"
    id: str
    tags: list[str] = field(default_factory=list)
    text: dict[str, str] = field(default_factory=dict)
    of: dict[str, str] = field(default_factory=dict)

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
    """One lesson as its source says it; `problems` lists what is wrong, empty when it can be built.

    `training` says that it needs the packages of requirements-train.txt.
    """

    name: str  # "04-stream"
    minutes: int | None  # None: a sheet, to look things up, without exercises
    cells: list[Cell]
    problems: list[Problem]
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

    Raises SourceError for a name that no lesson has.
    """
    paths = sorted(p for p in SOURCE.glob("[0-9][0-9]-*.md") if not p.stem.endswith(EXERCISES))
    chosen = []
    for name in names or []:
        found = [p for p in paths if name in (p.stem, p.stem[:2], p.stem[3:])]
        if not found:
            known = ", ".join(p.stem for p in paths)
            raise SourceError(f"There is no lesson {name!r}. The lessons are: {known}.")
        chosen += found
    return chosen if names else paths


def file_of(path: Path, cell: str) -> Path:
    """Return the file in which a cell of the lesson at `path` stands: the lesson's, or its exercises'."""
    return path.with_name(f"{path.stem}{EXERCISES}.md") if "." in cell else path


def read_lesson(path: Path) -> Lesson:
    """Read a lesson's source and check it. Nothing is raised for a bad lesson: see `problems`.

    `path` is the file of what a reader sees; the texts and tests of its exercises stand beside it.
    """
    name = path.stem
    problems: list[Problem] = []
    beside = path.with_name(f"{name}{EXERCISES}.md")
    try:
        notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="md:myst")
        raw = list(notebook.cells)
        if beside.exists():
            raw += jupytext.reads(beside.read_text(encoding="utf-8"), fmt="md:myst").cells
    except (ValueError, yaml.YAMLError, MystMetadataParsingError) as error:
        what = f"the file cannot be read as MyST Markdown: {error}"
        return Lesson(name, 0, [], [Problem(name, "", "", what)])
    shown = len(notebook.cells)
    cells = cells_in(raw, name, problems)
    if misplaced := {c.id for c in cells_in(raw[:shown], name, []) if "." in c.id}:
        what = f"belongs into {beside.name}, with what a reader does not see"
        problems += [Problem(name, ident, "en", what) for ident in sorted(misplaced)]
    problems += check_order(cells, name)
    minutes = notebook.metadata.get("minutes")
    if isinstance(minutes, int) is (notebook.metadata.get("sheet") is True):
        what = "the file's head must give `minutes: N`, the lesson's length in minutes, or `sheet: true`"
        problems.append(Problem(name, "title", "en", what))
    training = notebook.metadata.get("training", False)
    if not isinstance(training, bool):
        what = "in the file's head, `training:` is true or it is not there"
        problems.append(Problem(name, "title", "en", what))
    for cell in cells:
        found = check_prose(cell) if cell.kind == "markdown" else check_code(cell)
        found += check_stamps(cell, name)
        problems += [Problem(name, cell.id, lang, what) for lang, what in found]
    return Lesson(name, minutes, cells, problems, training is True)


def cells_in(raw: list[Any], lesson: str, problems: list[Problem]) -> list[Cell]:
    """Return a lesson's cells from those of a notebook; what is wrong with them goes to `problems`."""

    def problem(cell: str, lang: str, what: str) -> None:
        problems.append(Problem(lesson, cell, lang, what))

    cells: list[Cell] = []
    for number, one in enumerate(raw, 1):
        meta = dict(one.metadata)
        ident, lang, of = meta.pop("id", None), meta.pop("lang", "en"), meta.pop("of", None)
        tags = meta.pop("tags", [])
        where = str(ident or (cells[-1].id if cells else f"number {number}"))
        if meta:
            problem(where, lang, f"has metadata that no lesson uses: {', '.join(sorted(meta))}")
        if lang not in LANGUAGES:
            problem(where, lang, f"the languages are {', '.join(LANGUAGES)}")
        elif one.cell_type == "code":
            if ident is None:
                problem(f"number {number}", "en", "has no id; add a line `:id: some-name`")
            stamps = {str(k): str(v) for k, v in (of or {}).items()}
            cells.append(Cell("code", where, tags, {"en": one.source}, stamps))
        elif lang == "en":
            if ident is None:
                problem(f"number {number}", "en", 'has no id; write +++ {"id": "…", "lang": "en"}')
            cells.append(Cell("markdown", where, tags, {"en": one.source}))
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


def check_order(cells: list[Cell], lesson: str) -> list[Problem]:
    """Return what is wrong with the ids of a lesson's cells and with their order."""
    found = []
    for ident, times in Counter(cell.id for cell in cells).items():
        if times > 1:
            found.append((ident, f"this id stands {times} times in the lesson"))
        if ident == LINKS:
            found.append((ident, "this id is that of the links which the builder adds at the end"))
    seen: set[str] = set()
    for cell in cells:
        if "." in cell.id and cell.id.partition(".")[0] not in seen:
            what = "belongs to an exercise, but no code cell of its name stands before it"
            found.append((cell.id, what))
        if cell.kind == "code":
            seen.add(cell.id)
    if not cells or cells[0].id != "title":
        what = 'the first cell must have the id "title" and hold "# Title" and the goal'
        found.append(("title", what))
    return [Problem(lesson, ident, "en", what) for ident, what in found]


STALE = "is stale: the English has changed since it was translated. Revise it, then run: "
UNSTAMPED = "is not yet stamped. Once it says what the English says, run: "


def check_stamps(cell: Cell, lesson: str) -> list[tuple[str, str]]:
    """Return (language, what) for each translation that was made from another English text."""
    if not cell.translated:
        return [("en", "has a stamp (`of`) but nothing to translate")] if cell.of else []
    return [
        (
            lang,
            (STALE if cell.of.get(lang) else UNSTAMPED)
            + typed("translated", lesson, cell.id, lang),
        )
        for lang in LANGUAGES[1:]
        if (cell.kind == "code" or lang in cell.text) and cell.of.get(lang) != cell.stamp()
    ]


def check_prose(cell: Cell) -> list[tuple[str, str]]:
    """Return (language, what) for what is wrong between the three texts of a prose cell."""
    found = [(lang, "is missing") for lang in LANGUAGES if lang not in cell.text]
    english = features(cell.text.get("en", ""))
    wordy = bool(re.search(r"[^\W\d_]", english.words))
    for lang, text in cell.text.items():
        own = features(text)
        if lang == "zh" and wordy and not HAN.search(own.words):
            found.append((lang, "has no Han character: is it translated?"))
        if lang == "zh":
            found += [(lang, what) for what in check_chinese_typography(own.words)]
        if lang == "fr" and wordy and text.strip() == cell.text.get("en", "").strip():
            found.append((lang, "is the same as the English: is it translated?"))
        for what, expected in english.agree.items():
            if own.agree[what] != expected:
                found.append(
                    (lang, f"differs in {what}: en has {expected}, {lang} has {own.agree[what]}")
                )
    if cell.id == "title":
        for lang, text in cell.text.items():
            if not re.match(r"# \S.*\n\n\S", text):
                found.append(
                    (lang, 'must be "# Title", an empty line, and what you will be able to do')
                )
    elif "h1" in english.agree["headings"]:
        found.append(("en", "has a heading of level 1: only the title has one"))
    return found


@dataclass
class Features:
    """What must agree between the languages of a prose cell, and the words, which must not."""

    agree: dict[str, list[str]]
    words: str


def features(text: str) -> Features:
    """Take a prose cell apart."""
    tokens = MARKDOWN.parse(text)
    inline = [child for token in tokens for child in token.children or []]
    links = {
        str(t.attrs.get("href", t.attrs.get("src")))
        for t in inline
        if t.type in ("link_open", "image")
    }
    words = "\n".join(
        "".join("`" if t.type == "code_inline" else t.content or "\n" for t in token.children)
        for token in tokens
        if token.children
    )
    agree = {
        "links": sorted(links),
        "inline code": sorted({t.content for t in inline if t.type == "code_inline"}),
        "headings": [t.tag for t in tokens if t.type == "heading_open"],
        "fenced blocks": [t.info.strip() for t in tokens if t.type == "fence"],
    }
    return Features(agree, MATH.sub("", words))


def check_chinese_typography(words: str) -> list[str]:
    """Return what breaks the rules of Chinese typesetting: half-width punctuation, missing gaps."""
    found = []
    for match in re.finditer(r"[\u3400-\u9fff][,;:?!]|[,;?!][\u3400-\u9fff]", words):
        found.append(f"has half-width punctuation next to Han: {match[0]!r}")
    for match in re.finditer(r"[\u3400-\u9fff][A-Za-z0-9]+|[A-Za-z0-9]+[\u3400-\u9fff]", words):
        found.append(f"has no space between Han and Latin: {match[0]!r}")
    return found


def check_code(cell: Cell) -> list[tuple[str, str]]:
    """Return (language, what) where a code cell is not the same program in all three languages."""
    found = []
    marks = {m["lang"] for m in map(MARKED.match, cell.text["en"].splitlines()) if m}
    for lang in marks - set(LANGUAGES):
        found.append(
            (lang, f"a line is marked # @{lang}; the languages are {', '.join(LANGUAGES)}")
        )
    if marks:
        found += [
            (lang, f"has no line marked # @{lang}") for lang in LANGUAGES if lang not in marks
        ]
    if cell.text["en"].count("### BEGIN SOLUTION") != len(SOLUTION.findall(cell.text["en"])):
        found.append(("en", "### BEGIN SOLUTION and ### END SOLUTION do not pair up"))
    programs = {}
    for lang in LANGUAGES:
        try:
            programs[lang] = skeleton(cell.source(lang, solution=True))
            skeleton(cell.source(lang))
        except SyntaxError as error:
            found.append((lang, f"is not Python: {error.msg} (line {error.lineno})"))
    for lang in programs:
        if "en" in programs and programs[lang] != programs["en"]:
            found.append(
                (lang, "is another program than the English one beyond strings and comments")
            )
    return found


class _Mask(ast.NodeTransformer):
    """Blanks the contents of strings; in an f-string the values count, not their order."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return ast.Constant("…") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        self.generic_visit(node)
        node.values = sorted(
            (v for v in node.values if isinstance(v, ast.FormattedValue)), key=ast.dump
        )
        return node


def skeleton(code: str) -> str:
    """Return the syntax tree of `code` (top-level await allowed) with its strings masked.

    Raises SyntaxError.
    """
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(code, "<cell>", "exec", flags)
    return ast.dump(_Mask().visit(tree))


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
    raise SourceError(f"Cell {cell.id!r} has no text in {lang!r} to stamp.")
