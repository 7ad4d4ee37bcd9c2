"""Says what is wrong with a lesson: its order, its translations, its prose and its programs."""

from __future__ import annotations

import ast
import functools
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt

from helpers.authoring import diagrams
from helpers.authoring.problems import Problem
from helpers.authoring.source import LINKS, MARKED, SOLUTION, Cell, Lesson
from helpers.exercises.verdict import SHARED_NAMES, UNNAMED
from helpers.i18n import LANGUAGES
from helpers.setup.processes import typed

PREDICTION = "predict"  # `add-up.predict` says what to look for in the cell `add-up`
HAN = re.compile(r"[\u3400-\u9fff]")
MATH = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
MARKDOWN = MarkdownIt().enable("table")


def check(lesson: Lesson) -> list[Problem]:
    """Return everything that is wrong with a lesson, what its reading found included."""
    found = lesson.problems + check_order(lesson.cells, lesson.name)
    found += check_names(lesson.cells, lesson.name)
    found += check_predictions(lesson.cells, lesson.name)
    for cell in lesson.cells:
        own = check_prose(cell) if cell.kind == "markdown" else check_code(cell)
        own += check_stamps(cell, lesson.name)
        found += [Problem(lesson.name, cell.id, lang, what) for lang, what in own]
    return found


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


def mistake(cell: Cell) -> tuple[str, str] | None:
    """Return the exercise that a cell answers wrongly, and which mistake it is: "whole" or "whole.2"."""
    exercise, _dot, rest = cell.id.partition(".")
    kind, _dot, key = rest.partition(".")
    return (exercise, key) if cell.kind == "code" and kind == "wrong" else None


def named_by(exercise: str, key: str) -> str:
    """Return the id of the cell that names a mistake, unless a shared name does; "" if it has no name.

    A wrong letter has none, nor has what no judge recognizes.
    """
    label = key.partition(".")[0]
    return "" if len(label) == 1 or label in UNNAMED else f"{exercise}.{label}.name"


def check_names(cells: list[Cell], lesson: str) -> list[Problem]:
    """Return the mistakes that have no name, which is what a drill lets one choose from."""
    prose = {cell.id for cell in cells if cell.kind == "markdown"}
    found = []
    for cell in cells:
        exercise, key = mistake(cell) or ("", "")
        name = named_by(exercise, key)
        if key and name and name not in prose and key.partition(".")[0] not in SHARED_NAMES:
            what = f"this mistake needs a name in a few words: a prose cell {name!r}"
            found.append(Problem(lesson, cell.id, "en", what))
    return found


def check_predictions(cells: list[Cell], lesson: str) -> list[Problem]:
    """Return what is wrong with the cells that ask for a prediction of the code cell after them."""
    code = [cell for cell in cells if cell.kind == "code" and "." not in cell.id]
    asking = {
        after.id: before
        for before, after in pairwise(code)
        if before.id == f"{after.id}-{PREDICTION}"
    }
    told = [cell.id.partition(".")[0] for cell in cells if cell.id.endswith(f".{PREDICTION}")]
    found = []
    for cell in code:
        if cell.id.endswith(f"-{PREDICTION}") and cell not in asking.values():
            found.append((cell.id, "asks for a prediction of a cell that does not come next"))
    for name, cell in asking.items():
        if f'predict("{lesson}/{name}")' not in cell.text["en"]:
            found.append((cell.id, f'must call predict("{lesson}/{name}")'))
        if name not in told:
            found.append((cell.id, f"needs to say what to look for: a prose cell '{name}.predict'"))
    for name in set(told) - set(asking):
        what = f"no cell asks for this prediction: put '{name}-predict' right before '{name}'"
        found.append((f"{name}.{PREDICTION}", what))
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
    found += [
        (lang, what) for lang, text in cell.text.items() for what in diagrams.wrong_with(text)
    ]
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


@functools.cache  # the English is held against each language
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


@functools.cache  # most cells are the same text in all languages
def skeleton(code: str) -> str:
    """Return the syntax tree of `code` (top-level await allowed) with its strings masked.

    Raises SyntaxError.
    """
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    tree = compile(code, "<cell>", "exec", flags)
    return ast.dump(_Mask().visit(tree))
