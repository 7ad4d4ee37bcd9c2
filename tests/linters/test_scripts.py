"""What the nightly run does on GitHub, held against a `gh` that only notes what it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from helpers.setup import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="scripts for GitHub's Linux")

GH = """#!/usr/bin/env bash
echo "$*" >> "$ASKED"
case "$*" in
  "issue list"*) echo "$ISSUE";;
  *"/git/ref/heads/propose/"*) [ -n "$BRANCH" ];;
  *"--jq .default_branch") echo main;;
  *"--jq .object.sha") echo f00d;;
  *"contents/"*"?ref="*) echo 0ld;;
  "pr list"*) echo "$PULL";;
esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which the `gh` on the path notes what it is asked."""
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text(GH, encoding="utf-8")
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{gh.parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("ISSUE", "BRANCH", "PULL"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GH_REPO", "birds/course")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return tmp_path / "asked"


def run(script: str, *arguments: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    subprocess.run([bash, str(ROOT / ".github" / script), *arguments], cwd=ROOT, check=True)


def done(asked: Path) -> list[str]:
    """Return what was changed: of each request the first two words."""
    lines = asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []
    changes = [line for line in lines if " list " not in line and "--jq" not in line]
    return [" ".join(line.split()[:2]) for line in changes if "/git/ref/" not in line]


@pytest.mark.parametrize(
    ("code", "issue", "does"),
    [
        ("1", "", ["issue create"]),
        ("1", "7", ["issue edit"]),
        ("0", "7", ["issue close"]),
        ("0", "", []),
    ],
)
def test_one_issue_is_opened_updated_and_closed(
    code: str, issue: str, does: list[str], asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISSUE", issue)
    (asked.parent / "code").write_text(code, encoding="utf-8")
    (asked.parent / "report.md").write_text("said", encoding="utf-8")
    run("say-found", str(asked.parent), "The pages show something else")
    assert done(asked) == does


@pytest.mark.parametrize(
    ("new", "branch", "pull", "does"),
    [
        ("", "", "", []),
        ("new", "", "", ["api --silent", "api --silent", "pr create"]),
        ("new", "there", "", ["api --silent", "pr create"]),
        ("new", "there", "9", ["api --silent"]),
    ],
)
def test_what_was_seen_is_proposed_once(
    new: str, branch: str, pull: str, does: list[str], asked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("BRANCH", branch), ("PULL", pull)):
        monkeypatch.setenv(name, value)
    folder = asked.parent / "files"
    (folder / "notebooks").mkdir(parents=True)
    (folder / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())
    if new:
        (folder / "notebooks" / "seen.json").write_text(new, encoding="utf-8")
    run("propose", "seen", "What was seen", str(folder))
    assert done(asked) == does
    if does:
        said = asked.read_text(encoding="utf-8")
        assert "content=bmV3 -f sha=0ld" in said and "branch=propose/seen" in said
        assert "LICENSE" not in said


def test_where_a_run_has_left_nothing_nothing_is_said(asked: Path) -> None:
    run("say-found", str(asked.parent / "nowhere"), "The pages show something else")
    run("propose", "seen", "What was seen", str(asked.parent / "nowhere"))
    assert not asked.exists()
