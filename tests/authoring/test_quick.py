"""What `--quick` runs after a change, and that collecting tests loads nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.i18n import LANGUAGES
from helpers.setup import ROOT
from tests import quick

# What takes seconds to import, and may only be imported when a test needs it. LangChain's own suite
# (langchain_tests) is not among them: its classes are base classes of ours, so that they must be there.
HEAVY = ("torch", "transformers", "sklearn", "peft", "jupytext", "jupyter_server", "playwright")

PAGES = {f"notebooks/{lang}/11-when-things-go-wrong.ipynb" for lang in LANGUAGES}
CODE = {"tests/authoring/test_lint.py", "tests/authoring/test_words.py"}
SAMPLE = {"notebooks/en/04-stream.ipynb"}


@pytest.mark.parametrize(
    "path",
    [
        "notebooks/source/11-when-things-go-wrong.md",
        "notebooks/source/11-when-things-go-wrong.exercises.md",
        "notebooks/zh/11-when-things-go-wrong.ipynb",
        "helpers/exercises/checks/lesson_11.py",
    ],
)
def test_a_lesson_has_its_pages_its_exercises_and_the_comparison_with_its_source(path: str) -> None:
    choice = quick.choose([path])
    code = CODE if path.endswith(".py") else set()
    assert choice.files == PAGES | code | {
        file for file in quick.OF_A_LESSON if (ROOT / file).exists()
    }
    tests = "tests/lessons/test_notebooks.py::test"
    assert not choice.leaves_out(f"{tests}_links[fr-11-when-things-go-wrong]")
    assert not choice.leaves_out(f"{tests}_sources_and_notebooks_agree")
    assert choice.leaves_out(f"{tests}_links[fr-12-chains]")
    assert not choice.leaves_out("tests/views/test_tree.py::test[12-chains]")


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("helpers/builtin/tokens.py", {"tests/builtin/test_tokens.py"}),
        ("helpers/views/bill.py", {"tests/views/test_bill.py"}),
        ("helpers/builtin/book.yaml", {"tests/builtin/test_book.py"}),
        ("tests/builtin/test_fill.py", {"tests/builtin/test_fill.py"}),
        ("tests/authoring/birds.py", {"tests/authoring/test_builder.py"}),
        ("README.fr.md", {"tests/lessons/test_notebooks.py"}),
        ("requirements.txt", {"tests/setup/test_requirements.py"}),
    ],
)
def test_other_files_have_the_tests_that_import_or_name_them(path: str, near: set[str]) -> None:
    choice = quick.choose([path])
    assert near <= choice.files
    assert (choice.files >= SAMPLE) is path.startswith("helpers/")
    assert (choice.files >= CODE) is path.endswith(".py")
    assert not any(file.startswith(quick.SLOW) for file in choice.files)
    assert len(choice.files) < len(quick.tests()) / 2


def test_a_message_has_the_tests_of_the_catalogues() -> None:
    choice = quick.choose(["helpers/i18n/locale/fr/LC_MESSAGES/course.po"])
    assert choice.files >= CODE | SAMPLE and len(choice.files) < 10


def test_tests_in_a_browser_are_chosen_by_their_own_change_alone() -> None:
    assert "tests/browser/test_views.py" in quick.choose(["tests/browser/using.py"]).files


def test_what_is_not_committed_counts_else_the_last_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*command: str) -> None:
        who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "HOME": str(tmp_path)}
        who |= {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
        subprocess.run(["git", *command], cwd=tmp_path, env={**os.environ, **who}, check=True)

    monkeypatch.setattr(quick, "ROOT", tmp_path)
    git("init", "--quiet")
    for name in ("one", "leçon deux"):
        (tmp_path / name).touch()
        git("add", ".")
        git("commit", "--quiet", "-m", name)
    assert quick.changed() == ["leçon deux"]
    (tmp_path / "one").write_text("changed", "utf-8")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "three").touch()
    git("add", "one")
    assert sorted(quick.changed()) == ["new/three", "one"]


def test_collecting_all_tests_loads_nothing_heavy(tmp_path: Path) -> None:
    """In a process of its own, with every test of the course."""
    (tmp_path / "loaded.py").write_text(
        "import sys\ndef pytest_collection_finish(session):\n"
        f"    heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "    print('collected', len(session.items), 'loaded', heavy)\n",
        encoding="utf-8",
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "loaded", "--collect-only", "-qq"]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("collected")]
    assert int(line.split()[1]) > 1000 and line.endswith("loaded []"), line
