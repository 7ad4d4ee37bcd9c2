"""What a site has besides the pages that Sphinx makes: index for the search, sitemap, files to take along."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import pagefind_bin

from helpers.authoring.builder import LANGUAGE_NAMES
from helpers.authoring.diagrams import IMAGES
from helpers.authoring.site.course import SiteError
from helpers.authoring.site.render import HERE, LOCALES
from helpers.i18n import LANGUAGES, _

ZIP = "offline.zip"
TEXT = re.compile(r">[^<]+(?=<)")
SIGN = re.compile(r"(?<=[\u3400-\u9fff])(?=\S)|(?<=[^\s>])(?=[\u3400-\u9fff])")
EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip holds a time for each file; ours is always the same


def write(path: Path, text: str) -> None:
    """Write a file of the site, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def tidy(site: Path) -> None:
    """Take away what Sphinx brings and no page uses: maps of sources, and parts of its own search."""
    shutil.rmtree(site / "jupyter_execute", ignore_errors=True)  # MyST-NB's copies of the notebooks
    for lang in LANGUAGES:
        unused = ["objects.inv", ".buildinfo", "_static/searchtools.js", "_static/language_data.js"]
        unused += ["_static/base-stemmer.js", "_static/english-stemmer.js"]
        found = [site / lang / name for name in unused]
        found += [*(site / lang).rglob("*.map"), *(site / lang).rglob("*-stemmer.js")]
        for path in found:
            path.unlink(missing_ok=True)


def entrance(site: Path) -> None:
    """Write the first page of all: it goes on to the reader's language."""
    links = "\n".join(
        f'<li><a href="{lang}/index.html" lang="{LOCALES[lang].replace("_", "-")}" '
        f'hreflang="{LOCALES[lang].replace("_", "-")}">{name}</a></li>'
        for lang, name in LANGUAGE_NAMES.items()
    )
    page = (HERE / "templates" / "entrance.html").read_text(encoding="utf-8")
    write(site / "index.html", page.replace("LINKS", links))


def sitemap(site: Path, url: str) -> None:
    """Write sitemap.xml, which needs the site's address `url`: every page, with its other languages."""
    entries = []
    for page in sorted((site / LANGUAGES[0]).rglob("*.html")):
        path = page.relative_to(site / LANGUAGES[0]).as_posix()
        if path == "search.html":
            continue
        places = {lang: escape(f"{url}{lang}/{path}") for lang in LANGUAGES}
        others = "".join(
            f'<xhtml:link rel="alternate" hreflang="{LOCALES[lang].replace("_", "-")}" href="{place}"/>'
            for lang, place in places.items()
        )
        entries += [f"<url><loc>{place}</loc>{others}</url>" for place in places.values()]
    head = '<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    head += 'xmlns:xhtml="http://www.w3.org/1999/xhtml">\n'
    write(site / "sitemap.xml", head + "\n".join(entries) + "\n</urlset>\n")
    write(site / "robots.txt", f"User-agent: *\nAllow: /\nSitemap: {url}sitemap.xml\n")


def spaced(page: str) -> str:
    """Return a page, HTML, with a space beside each Chinese sign: Pagefind takes each for a word.

    The search asks for signs that follow each other. Where words begin and end, Pagefind and
    browsers know by dictionaries that differ, and would not find 流式输出.
    """
    return TEXT.sub(lambda text: SIGN.sub(" ", text[0]), page)


def index(site: Path, work: Path) -> None:
    """Let Pagefind read all pages for the search; `work` is a folder for what it reads.

    Raises SiteError where it cannot.
    """
    for path in site.rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        place = path.relative_to(site)
        write(work / place, spaced(page) if place.parts[0] == "zh" else page)
    pagefind = str(pagefind_bin.get_executable())
    done = subprocess.run(
        [pagefind, "--site", str(work), "--output-path", str(site / "pagefind"), "--quiet"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        text = _("Pagefind, which makes the index for the search, failed. It said:\n\n{said}")
        raise SiteError(text.format(said=done.stdout.strip()))
    entry = site / "pagefind" / "pagefind-entry.json"  # lists the languages in any order
    write(entry, json.dumps(json.loads(entry.read_text(encoding="utf-8")), sort_keys=True))
    for own in ("pagefind-ui.*", "pagefind-modular-ui.*", "pagefind-component-ui.*"):
        for path in (site / "pagefind").glob(own):
            path.unlink()  # interfaces that the search page does not use
    (site / "pagefind" / "pagefind-highlight.js").unlink(missing_ok=True)


def pack(site: Path) -> None:
    """Write the whole site as a zip into itself, the same bytes for the same site."""
    with zipfile.ZipFile(site / ZIP, "w") as archive:
        for path in sorted(site.rglob("*")):
            name = path.relative_to(site).as_posix()
            if path.is_file() and name != ZIP:
                info = zipfile.ZipInfo(f"langchain-chat-models-course/{name}", EPOCH)
                info.external_attr = 0o644 << 16
                packed = re.search(r"\.(png|pf_\w+|pagefind)$", name)
                info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                archive.writestr(info, path.read_bytes())


def copy_diagrams(site: Path) -> None:
    """Copy the lessons' diagrams."""
    (site / "images").mkdir()
    for path in sorted(IMAGES.glob("*.svg")):
        shutil.copyfile(path, site / "images" / path.name)
