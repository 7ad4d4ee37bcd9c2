"""Builds the course's site: the committed pages in three languages, to search, to link to, to copy from."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from helpers import i18n
from helpers.authoring.builder import LANGUAGE_NAMES
from helpers.authoring.site import content, finish, folds, front, links, lookup, sheet
from helpers.authoring.site.course import NOTEBOOKS, Course, SiteError, read
from helpers.authoring.site.render import LOCALES, render
from helpers.authoring.site.settings import Address
from helpers.i18n import LANGUAGES, _
from helpers.setup import ROOT
from helpers.setup.files import is_writable
from helpers.setup.processes import typed

OUT = ROOT / "site"
# A folder with this file is a site, and may be replaced by a new one.
MARK = "made-by-the-course.txt"
Pages = dict[str, dict[str, Any]]  # what the templates know of each page, by its name
LOOKUP = ["snippets/index", "old-lines", "error-messages", "course-messages"]


def check_folder(out: Path) -> None:
    """Raise SiteError where a site cannot be put at `out`, or something else is there."""
    if out.exists() and not out.is_dir():
        text = _("{path} is a file, and the site becomes a folder. Name another folder with --out.")
        raise SiteError(text.format(path=out))
    if out.exists() and any(out.iterdir()) and not (out / MARK).is_file():
        text = _(
            "The folder {path} is not empty, and it is no site that this command made: nothing in it was "
            "touched. Name another folder with --out, or empty it."
        )
        raise SiteError(text.format(path=out))
    above = next(folder for folder in out.resolve().parents if folder.exists())
    if not above.is_dir() or not is_writable(above):
        text = _("Nothing can be written to the folder {path}. Name another folder with --out.")
        raise SiteError(text.format(path=above))


def words(lang: str) -> dict[str, str]:
    """Return what the templates and scripts say in `lang`."""
    licence = _("Code: MIT. Prose and pictures: CC BY 4.0. Made with Sphinx and Furo.", lang)
    offline = _("The search needs a server: in the site's folder, type {command}.", lang)
    return {
        "languages": _("Languages", lang),
        "beside": _("Side by side with", lang),
        "download": _("Download this notebook", lang),
        "github": _("This notebook on GitHub", lang),
        "neighbours": _("Pages before and after", lang),
        "licence": licence,
        "search_help": _("Words, a class, a line of old code, or a whole error message.", lang),
        "search_known": _("This is explained here", lang),
        "search_count": _("Pages found: {count}", lang),
        "search_nothing": _("Nothing was found. Try fewer words.", lang),
        "search_offline": offline.format(command="python3 -m http.server"),
    }


def prepare(course: Course, lang: str, wrong: folds.Mistakes, source: Path, out: Path) -> Pages:
    """Write what Sphinx reads of one language to `source`, and what it need not read to `out`.

    Returns what the templates get to know of each page.
    """
    i18n.use(lang)
    pages: Pages = {}

    def add(name: str, text: str, suffix: str, **about: str) -> None:
        finish.write(source / f"{name}{suffix}", text)
        pages[name] = {"path": f"{name}.html", **about}

    lessons = course.in_language(lang)
    for page in lessons:
        notebook = json.dumps(content.lesson(page, wrong), ensure_ascii=False)
        about = {"lesson": page.name, "description": content.plain(page.goal)}
        add(page.slug, notebook, ".ipynb", kind="lesson", **about)
        path = Path(lang, f"{page.name}.ipynb")
        finish.write(out / "notebooks" / path.name, (NOTEBOOKS / path).read_text(encoding="utf-8"))
    programs = sheet.programs(course, lang)
    by_slug = {page.slug: page for page in lessons}
    for one in programs:
        notebook = json.dumps(sheet.page(one, lang, by_slug), ensure_ascii=False)
        about = {"description": content.plain(one.when)}
        add(f"snippets/{one.name}", notebook, ".ipynb", kind="snippet", **about)
        finish.write(out / "snippets" / f"{one.name}.py", one.text)
    finish.write(out / "snippets" / sheet.VS_CODE, sheet.for_vs_code(programs))
    add("snippets/index", sheet.index(programs, lang), ".md")
    known = lookup.exercise_messages(course, lang)
    made = [lookup.old_lines(course, lang), lookup.errors(course, lang), lookup.messages(lang)]
    for name, (text, own) in zip(LOOKUP[1:], made, strict=True):
        add(name, text, ".md")
        known = own + known
    finish.write(out / "known.json", lookup.for_search(known))
    add("index", front.page(course, lang, LOOKUP), ".md")
    pages["search"] = {"path": "search.html"}
    return pages


def complete(site: Path, work: Path, course: Course, address: Address) -> None:
    """Add to the pages in `site` what they have beside them, follow all links, and pack it all.

    `work` is a folder for what the search reads. Raises SiteError.
    """
    programs = {lang: sheet.programs(course, lang) for lang in LANGUAGES}
    for lang in LANGUAGES:
        picture = f"lesson-{lang}.png"
        shutil.copyfile(NOTEBOOKS / "images" / picture, site / lang / "_static" / picture)
    finish.tidy(site)
    finish.copy_diagrams(site)
    finish.entrance(site)
    for one in programs[LANGUAGES[0]]:
        finish.write(site / "snippets" / f"{one.name}.py", one.text)
    finish.write(site / "llms.txt", sheet.for_models(course, programs, address.url))
    if address.url:
        finish.sitemap(site, address.url)
    finish.index(site, work)
    finish.write(site / MARK, f"{typed('site')} made this folder.\n")
    finish.write(site / finish.ZIP, "")
    if dead := list(links.wrong(site, address.url)):
        raise SiteError("\n".join(dead))
    finish.pack(site)


def build(out: Path, address: Address) -> str:
    """Build the site in the folder `out`, in place of what was there; return what was done.

    Nothing is executed, and nothing is written to `out` before all of it is right. Raises SiteError.
    """
    check_folder(out)
    course = read()
    language = i18n.language()
    wrong = folds.mistakes()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".site-") as folder:
        work = Path(folder)
        site = work / "new"
        jobs = []
        for lang in LANGUAGES:
            pages = prepare(course, lang, wrong[lang], work / "source" / lang, site / lang)
            about = {
                "lang": lang,
                "locale": LOCALES[lang],
                "languages": {lang: LOCALES[lang].replace("_", "-") for lang in LANGUAGES},
                "names": LANGUAGE_NAMES,
                "pages": pages,
                "words": words(lang),
                "description": front.texts()["words"][lang]["lead"],
                "picture": front.texts()["words"][lang]["picture"],
                "repository": address.repository,
                "url": address.url,
            }
            title = _("Chat models with LangChain", lang)
            jobs.append((lang, title, work / "source" / lang, site / lang, work / lang, about))
        i18n.use(language)
        spawn = multiprocessing.get_context("spawn")
        # A process each: Sphinx keeps the first language that it speaks.
        workers = min(os.cpu_count() or 1, len(jobs))
        with ProcessPoolExecutor(workers, spawn, max_tasks_per_child=1) as pool:
            complaints = list(pool.map(render, *zip(*jobs, strict=True)))
        if said := "\n".join(filter(None, complaints)):
            raise SiteError(_("Sphinx complains of the pages:\n\n{said}").format(said=said))
        complete(site, work / "index", course, address)
        if out.exists():
            out.rename(work / "old")
        site.rename(out)
    files = [path for path in out.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    text = _("The site is in {path}: {pages} pages, {size} MB.")
    pages_made = sum(path.suffix == ".html" for path in files)
    return text.format(path=out, pages=pages_made, size=i18n.decimal(size, ".1f"))
