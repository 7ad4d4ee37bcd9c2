"""Follows every link of a finished site, and looks for what would be asked of another host."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from helpers.i18n import _

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "use": "href"}


class Reader(HTMLParser):
    """Gathers a page's ids, its links, and what it loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids.add(values.get("id", ""))
        if tag in LOADED and LOADED[tag] in values:
            self.loaded.append(values[LOADED[tag]])
        elif tag == "link" and "href" in values:
            kind = self.links if values.get("rel") in ("alternate", "canonical") else self.loaded
            kind.append(values["href"])
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])


def wrong(site: Path, url: str = "") -> Iterator[str]:
    """Give a sentence for each link below the folder `site` that leads nowhere, or loads from elsewhere.

    `url` is the site's own address: what begins with it is looked up too.
    """
    pages = {}
    for path in sorted(site.rglob("*.html")):
        pages[path] = Reader()
        pages[path].feed(path.read_text(encoding="utf-8"))
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        for link in page.loaded:
            if urlsplit(link).scheme not in ("", "data"):
                text = _("{page} loads {link} from another host.")
                yield text.format(page=name, link=link)
        for link in page.links + page.loaded:
            own = bool(url) and link.startswith(url)
            parts = urlsplit(link.removeprefix(url) if own else link)
            if parts.scheme or parts.netloc:
                continue
            folder = site if own else path.parent
            target = (folder / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            there = target.is_file() and target.is_relative_to(site.resolve())
            fragment = unquote(parts.fragment)
            other = (
                pages.get(target) or pages.get(site / target.relative_to(site.resolve()))
                if there
                else None
            )
            if not there or (fragment and other is not None and fragment not in other.ids):
                text = _("{page}: the link to {link} leads nowhere.")
                yield text.format(page=name, link=link)
