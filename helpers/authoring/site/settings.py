"""What a site needs to know from outside: where the course's repository is, and the site's own address."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass

from helpers.authoring.site.course import SiteError
from helpers.i18n import _
from helpers.setup import ROOT


@dataclass(frozen=True)
class Address:
    """`repository` is "owner/name" on GitHub, `url` the site's address with a slash; "" where unknown."""

    repository: str
    url: str


def address(repository: str | None = None, url: str | None = None) -> Address:
    """Return where the course and its site are.

    What is not given is taken from `[tool.course]` in pyproject.toml; a repository's site is by
    default its GitHub Pages. Raises SiteError where one of the two is not what it should be.
    """
    if repository is None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        repository = str(project["tool"].get("course", {}).get("repository", ""))
    if repository and not re.fullmatch(r"[\w-]+/[\w.-]+", repository):
        text = _("{repository} is no repository: write OWNER/NAME, as in its address on GitHub.")
        raise SiteError(text.format(repository=repository))
    if url is None:
        owner, _slash, name = repository.partition("/")
        url = f"https://{owner.lower()}.github.io/{name}/" if repository else ""
    if url and not re.fullmatch(r"https?://[^\s/]+(/[^\s?#]*)?", url):
        text = _("{url} is no address of a site: it begins with https:// and has no ? and no #.")
        raise SiteError(text.format(url=url))
    return Address(repository, url and f"{url.rstrip('/')}/")
