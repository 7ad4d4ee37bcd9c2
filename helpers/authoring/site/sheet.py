"""The programs of the cheat sheet for whoever came to copy: a page each, plain text, files for tools."""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from helpers.authoring import seen, snippet
from helpers.authoring.site.content import code, linked, markdown, notebook, plain
from helpers.authoring.site.course import LESSON_LINK, Course, Page
from helpers.i18n import LANGUAGES, _

NAME = snippet.SHEET.removesuffix(".ipynb")  # of the lesson that holds the programs

ABOUT = (
    "A course on LangChain chat models in English, Chinese and French. Every program was executed "
    "before it was published; the snippets are plain text to copy."
)
VS_CODE = "langchain-chat.code-snippets"  # the file of snippets for VS Code


@dataclass(frozen=True)
class Program:
    """A snippet: its task and the line above it are Markdown, `lesson` is the slug of the one behind it."""

    name: str
    task: str  # the heading it stands under
    line: str
    cell: dict[str, Any]
    lesson: str

    @property
    def when(self) -> str:
        """When to use it, Markdown: its line without the link at the end."""
        return re.sub(r"\s*[(（]\[[^]]*\]\([^)]*\)[)）]\s*$", "", self.line)

    @property
    def text(self) -> str:
        """The program as it is copied: `python3 -m helpers snippet NAME` prints the same."""
        return snippet.program(snippet.Snippet(plain(self.line), self.cell["source"]))

    @property
    def packages(self) -> list[str]:
        """What it imports that is not Python's own, as pip calls it."""
        names = set()
        for node in ast.walk(ast.parse(self.cell["source"])):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
        return sorted(name.replace("_", "-") for name in names - sys.stdlib_module_names)


def programs(course: Course, lang: str) -> list[Program]:
    """Return the programs of the sheet in `lang`, in its order; none where there is no sheet."""
    page = course.pages.get((NAME, lang))
    found = []
    task = ""
    for above, cell in zip(page.cells, page.cells[1:], strict=False) if page else ():
        headings = re.findall(r"^## (.+)$", above["source"], re.MULTILINE)
        task = headings[-1] if headings else task
        if "standalone" in cell["metadata"].get("tags", []):
            line = above["source"].splitlines()[-1]
            link = LESSON_LINK.search(line)
            lesson = link["name"][3:] if link else ""
            found.append(Program(cell["id"], task, line, cell, lesson))
    return found


def page(program: Program, lang: str, lessons: dict[str, Page]) -> dict[str, Any]:
    """Return the notebook of one program's page: when, what, what it needs, and the lesson behind it."""
    needs = ", ".join(f"`{name}`" for name in program.packages)
    say = [
        _("It needs {packages}, and your key in `OPENAI_API_KEY`.", lang).format(packages=needs)
        if "langchain-openai" in program.packages
        else _("It needs {packages}.", lang).format(packages=needs),
        seen.foot(f"{NAME}/{program.name}", seen.read()),
    ]
    plain_text = _("As plain text", lang)
    if behind := lessons.get(program.lesson):
        link = f"[{behind.name[:2]} · {behind.title}](../{behind.slug}.html)"
        say.append(_("The lesson behind it: {link}", lang).format(link=link))
    say.append(f'<a href="{program.name}.py">{plain_text}</a>')
    install = f"```\npip install {' '.join(program.packages)}\n```"
    when = linked(program.when, "../")
    cells = [
        markdown("title", f"# `{program.name}`\n\n{when}"),
        code({**program.cell, "source": program.text.rstrip("\n")}),
        markdown("about", "\n\n".join([say[0], install, *say[1:]])),
    ]
    made = notebook(cells)
    made["metadata"]["orphan"] = True  # not in the list of pages at the side, which all pages have
    return made


def index(found: list[Program], lang: str) -> str:
    """Return the page that lists the programs by task, Markdown."""
    title = _("Snippets", lang)
    intro = _(
        "Each is a whole program to copy into an empty file. It runs without this course: it takes "
        "your key from `OPENAI_API_KEY` and, where it is set, the model's name from `OPENAI_MODEL`.",
        lang,
    )
    file = f'<a href="{VS_CODE}" download>{VS_CODE}</a>'
    tools = _(
        "All of them for VS Code: {file}. Put it into your project's folder `.vscode`, and type "
        "`lc-` in a Python file.",
        lang,
    )
    lines = [f"# {title}", intro, tools.format(file=file)]
    task = None
    for one in found:
        if one.task != task:
            task = one.task
            lines.append(f"## {task}")
        lines.append(f"- [`{one.name}`]({one.name}.html) · {plain(one.when)}")
    return "\n\n".join(joined(lines)) + "\n"


def joined(lines: Iterable[str]) -> list[str]:
    """Return lines with those of one list put together, so that they stay one list."""
    blocks: list[str] = []
    for line in lines:
        if line.startswith("- ") and blocks and blocks[-1].startswith("- "):
            blocks[-1] += f"\n{line}"
        else:
            blocks.append(line)
    return blocks


def for_vs_code(found: list[Program]) -> str:
    """Return the programs as a file of snippets for VS Code."""
    escaped = str.maketrans({"\\": "\\\\", "$": "\\$", "}": "\\}"})
    snippets = {
        one.name: {
            "scope": "python",
            "prefix": f"lc-{one.name}",
            "description": plain(one.when),
            "body": one.cell["source"].translate(escaped).split("\n"),
        }
        for one in found
    }
    return json.dumps(snippets, indent=2, ensure_ascii=False) + "\n"


def for_models(course: Course, by_language: dict[str, list[Program]], url: str) -> str:
    """Return llms.txt: what the course is and where its parts are, for programs that read it.

    `url` is the site's address, "" where it is not known; then links are relative.
    """
    parts = ["# LangChain chat models, a course", f"> {ABOUT}"]
    for lang in LANGUAGES:
        lessons = [
            f"- [{one.name[:2]} · {plain(one.title)}]({url}{lang}/{one.slug}.html): {plain(one.goal)}"
            for one in course.in_language(lang)
        ]
        snippets = [
            f"- [{one.name}]({url}{lang}/snippets/{one.name}.py): {plain(one.when)}"
            for one in by_language[lang]
        ]
        for title, lines in ((_("Lessons", lang), lessons), (_("Snippets", lang), snippets)):
            if lines:
                parts += [f"## {title} ({lang})", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"
