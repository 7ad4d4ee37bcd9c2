"""What makes the READMEs' pictures."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import i18n
from helpers.authoring import browser, screenshots
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT, CourseError
from helpers.setup.processes import typed
from tests.browser import sharing

LARGEST = 300_000  # bytes of a picture: a README shows it before anything else


def test_makes_the_pictures(tmp_path: Path) -> None:
    """Those of two languages, for time; in a process of its own: here Playwright may be running."""
    sharing.required()
    languages = ("zh", "fr")
    make = "import sys; from pathlib import Path; from helpers.authoring import screenshots; "
    make += f"screenshots.LANGUAGES = {languages}; "
    make += "print(*screenshots.make(Path(sys.argv[1])), sep='\\n')"
    said = subprocess.check_output(
        [sys.executable, "-c", make, str(tmp_path)], cwd=ROOT, encoding="utf-8"
    )
    pictures = {lang: tmp_path / f"lesson-{lang}.png" for lang in languages}
    assert sorted(tmp_path.iterdir()) == sorted(pictures.values())
    for path in pictures.values():
        assert str(path) in said.splitlines()
        check(path.read_bytes())
    assert len({path.read_bytes() for path in pictures.values()}) == len(languages)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_without_a_browser_it_says_what_to_do(lang: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "find", lambda: None)
    i18n.use(lang)
    with pytest.raises(CourseError) as raised:
        screenshots.check_browser()
    assert re.search(
        f"Chromium.*Edge.*{re.escape(typed('screenshots'))}", str(raised.value), re.DOTALL
    )


@pytest.mark.parametrize(
    ("lang", "name"), [("en", "README.md"), ("zh", "README.zh.md"), ("fr", "README.fr.md")]
)
def test_readme_shows_such_a_picture(lang: str, name: str) -> None:
    assert f"](notebooks/images/lesson-{lang}.png)" in (ROOT / name).read_text(encoding="utf-8")
    check((screenshots.IMAGES / f"lesson-{lang}.png").read_bytes())


def check(png: bytes) -> None:
    """See that a picture is a PNG of the right size, as its head says, and not too large a file."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    size = (screenshots.WIDTH * screenshots.SCALE, screenshots.HEIGHT * screenshots.SCALE)
    assert struct.unpack(">II", png[16:24]) == size
    assert len(png) < LARGEST
