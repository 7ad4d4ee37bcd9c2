"""What runs before anything is installed needs the standard library alone, and tells an old Python so."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from helpers.setup import ROOT

IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import helpers.__main__
for name in ("helpers.i18n", "helpers.setup", "helpers.cli"):
    for module in pkgutil.iter_modules(importlib.import_module(name).__path__, f"{name}."):
        importlib.import_module(module.name)
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def imported() -> list[str]:
    """The modules that are there once the rooms that come first are imported, without site-packages."""
    command = [sys.executable, "-I", "-S", "-c", IMPORT_ALL, str(ROOT)]
    return subprocess.check_output(command, encoding="utf-8").split()


def test_nothing_else_is_imported(imported: list[str]) -> None:
    top = {name.partition(".")[0] for name in imported}
    assert top - set(sys.stdlib_module_names) <= {"helpers", "__main__"}
    rooms = {name.split(".")[1] for name in imported if name.startswith("helpers.")}
    assert rooms == {"__main__", "cli", "setup", "i18n"}


def test_an_old_python_can_read_what_tells_it_so(imported: list[str]) -> None:
    for name in imported:
        if name.partition(".")[0] == "helpers":
            path = ROOT / name.replace(".", "/")
            path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            source = path.read_text(encoding="utf-8")
            ast.parse(source, feature_version=(3, 7))
            assert "from __future__ import annotations" in source, name
