"""Tests of helpers.setup.pip: what pip says is followed, and explained where it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers import i18n
from helpers.i18n import LANGUAGES
from helpers.setup.pip import failure, progress

NETWORK = "ERROR: HTTPSConnectionPool(host='pypi.org'): Max retries exceeded with url: /simple"
DISK = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
BUILD = "ERROR: No matching distribution found for tiny==9"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("said", "expected"), [(NETWORK, "HTTPS_PROXY"), (DISK, "1 G"), (BUILD, BUILD)]
)
def test_what_pip_says_is_explained(
    said: str, expected: str, lang: str, tmp_path: Path, typed: str
) -> None:
    i18n.use(lang)
    text = str(failure("\n".join(["Collecting tiny", said]), tmp_path))
    assert expected in text
    assert typed in text
    assert (str(tmp_path / ".venv" / "install.log") in text) == (said != DISK)


def test_progress_follows_pip() -> None:
    ignored = "Ignoring appnope: markers 'sys_platform == \"darwin\"' don't match\n"
    assert progress(ignored + "Collecting a==1 (from -r x)\n", 4, 0) == (0, 1, 3)
    found = ignored + "Collecting a==1\nCollecting b==1\nRequirement already satisfied: c==1\n"
    fetched = "  Using cached a-1.whl.metadata (1 kB)\n  Downloading a-1.whl (9 kB)\n"
    assert progress(found + fetched, 4, 0) == (1, 1, 2)
    assert progress("Requirement already satisfied: c==1\n", 1, 0) == (0, 1, 1)
    assert progress(found + "Installing collected packages: a, b\n", 4, 1) == (2, 1, 2)
