"""The pins: which files are made anew, and from what."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from helpers import i18n
from helpers.authoring import pins
from helpers.setup import CourseError, environment

BASE = "annotated==1 ; python_version < '3.12'\nannotated==2\n    # via x\nopenai==3\n"
EXTRA = "# made by uv\ntorch==2\n    # via y\n\n# The following packages were excluded:\n# openai\n"


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What a uv that does nothing but write is asked."""
    requests: list[list[str]] = []

    def run(command: list[str], cwd: Path, **_: Any) -> subprocess.CompletedProcess[str]:
        requests.append(command)
        if "-o" in command:
            (cwd / command[command.index("-o") + 1]).write_text(BASE, encoding="utf-8")
            return subprocess.CompletedProcess(command, 0, BASE, "")
        return subprocess.CompletedProcess(command, 0, EXTRA, "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    for name in ("linters", "lessons/providers", "linters/.venv/lib"):
        (tmp_path / "tests" / name).mkdir(parents=True)
        (tmp_path / "tests" / name / "requirements.in").write_text("zizmor\n", encoding="utf-8")
    return requests


@pytest.mark.parametrize("upgrade", [False, True])
def test_all_files_are_made_anew(upgrade: bool, asked: list[list[str]], tmp_path: Path) -> None:
    made = [path.relative_to(tmp_path).as_posix() for path in pins.make(upgrade, tmp_path)]
    extras = [f"helpers/setup/requirements/{name}.txt" for name in environment.EXTRAS]
    others = [f"tests/{name}/requirements.txt" for name in ("lessons/providers", "linters")]
    assert made == ["requirements.txt", *extras, *others]
    assert all(("--upgrade" in command) is upgrade for command in asked if "-o" in command)
    assert all({"--universal", "3.11"} <= set(command) for command in asked)
    assert [part for part in asked[0] if "extra" in part] == [
        f"--extra={x}" for x in pins.EVERYWHERE
    ]
    training = asked[1]
    assert training[training.index("--extra") + 1] == "train"
    assert [part for part in training if part.startswith("--no-emit")] == [
        "--no-emit-package=annotated",
        "--no-emit-package=openai",
    ]
    text = (tmp_path / extras[0]).read_text(encoding="utf-8")
    assert text == "# made by uv\ntorch==2\n    # via y\n"


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_without_uv_one_is_told_how_to_get_it(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    i18n.use(lang)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(CourseError, match="pip install uv"):
        pins.make(False, tmp_path)


def test_what_uv_says_against_it_is_passed_on(
    asked: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "openai 3 and openai 4")
    monkeypatch.setattr(subprocess, "run", lambda command, **_: refused)
    with pytest.raises(CourseError, match="openai 3 and openai 4"):
        pins.make(True, tmp_path)
