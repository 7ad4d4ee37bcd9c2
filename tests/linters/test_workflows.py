"""The files in .github and CITATION.cff are what GitHub expects, and the workflows have few rights."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.setup import ROOT
from helpers.setup.processes import python_of
from helpers.setup.python import OLDEST_PYTHON

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
SCHEMAS = {
    "github-workflows": WORKFLOWS,
    "github-issue-forms": sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml")),
    "github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "dependabot": [GITHUB / "dependabot.yml"],
    "citation-file-format": [ROOT / "CITATION.cff"],
}


def linter(name: str) -> str:
    """Return the path of a program of the linters' environment; skip the test where there is none."""
    folder = python_of(Path(__file__).with_name(".venv")).parent
    found = shutil.which(name, path=str(folder))
    if found is None:
        reason = f"needs {name} in {folder}; see CONTRIBUTING.md"
        # Where everything is to be tested, a test that is skipped would go unnoticed.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return str(found)


def passes(command: list[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr


def workflow(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_are_as_their_schema_says(schema: str) -> None:
    files = list(map(str, SCHEMAS[schema]))
    assert files
    command = [linter("check-jsonschema"), "--force-filetype", "yaml", "--builtin-schema"]
    passes([*command, f"vendor.{schema}", *files])


def test_zizmor_finds_nothing() -> None:
    passes([linter("zizmor"), "--offline", "--no-progress", str(GITHUB)])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_named_by_version(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if "uses:" in line:
            assert re.search(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_who_may_write_runs_no_package(path: Path) -> None:
    """Rights are a job's own; a job that has more than reading runs nothing of the course."""
    found = workflow(path)
    assert found["permissions"] == {}
    for job in found["jobs"].values():
        assert job["timeout-minutes"] <= 90
        if "write" in job["permissions"].values():
            assert not [step for step in job["steps"] if "helpers" in step.get("run", "")]


def test_what_the_scripts_name_is_there() -> None:
    """What a workflow calls is a file that can be run, or a command of the course."""
    from helpers.cli import COMMANDS

    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        for script in re.findall(r"(?<= )\.github/[\w-]+(?= )", text):
            assert (ROOT / script).is_file() and os.access(ROOT / script, os.X_OK), script
        for command in re.findall(r"-m helpers (\w+)", text):
            assert command in (*COMMANDS, "site"), command


def test_the_oldest_python_is_among_those_that_are_tested() -> None:
    (matrix,) = (
        job["strategy"]["matrix"]
        for name, job in workflow(GITHUB / "workflows" / "tests.yml")["jobs"].items()
        if name == "tests"
    )
    assert matrix["python"][0] == ".".join(map(str, OLDEST_PYTHON))
    assert len(matrix["python"]) == 2 and len(matrix["system"]) == 3


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert cited["version"] == project["version"]
    assert re.search(rf"^## {re.escape(project['version'])}$", changes, re.MULTILINE)


def test_nobody_is_named_who_may_not_exist() -> None:
    """An owner that GitHub does not know makes it ignore the line, which nobody notices."""
    for line in (GITHUB / "CODEOWNERS").read_text(encoding="utf-8").splitlines():
        assert line.startswith("#") or re.search(r" @[\w-]+(/[\w-]+)?$", line), line
        assert line.startswith("#") or "OWNER" not in line
