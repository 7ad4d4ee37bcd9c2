"""Where there is no browser the tests in one are skipped; a browser that is there is found."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

import pytest

from helpers.authoring import browser
from tests.browser import sharing


def test_a_browser_is_found_by_each_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    program = tmp_path / "program"
    program.touch()
    for name in browser.NAMES:
        monkeypatch.setattr(shutil, "which", {name: str(program)}.get)
        assert browser.find() == program
    monkeypatch.setattr(shutil, "which", {}.get)
    assert browser.find() is None


def test_a_browser_is_found_where_macos_and_windows_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", {}.get)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    for platform, place in (
        ("darwin", "Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
        ("win32", "Google/Chrome/Application/chrome.exe"),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        program = tmp_path / place
        monkeypatch.setattr(Path, "is_file", program.__eq__)
        assert browser.find() == program


@pytest.mark.parametrize("found", [None, Path("chromium")])
def test_what_is_missing_skips_a_test_and_fails_it_where_all_is_to_be_tested(
    found: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "find", lambda: found)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    reason = "needs playwright, axe_playwright_python" if found else "needs a browser"
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=reason):
        sharing.required()
    monkeypatch.setitem(os.environ, "CI", "1")
    with pytest.raises(pytest.fail.Exception, match=reason):
        sharing.required()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    if found:
        sharing.required()
