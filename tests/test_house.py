"""Who may import whom in helpers/, and what of it the lessons use."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import grimp

import helpers
from helpers.setup import ROOT

STANDARD_LIBRARY_ONLY = ("helpers.setup", "helpers.i18n")


def contracts(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package `helpers` in `folder` against the contracts in the course's pyproject.toml."""
    command = (
        "import sys; sys.path.insert(0, sys.argv[1]); from importlinter.cli import lint_imports; "
    )
    command += "sys.exit(lint_imports(sys.argv[2], no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", command, str(folder), str(ROOT / "pyproject.toml")],
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_imports_go_downwards_and_never_in_a_circle() -> None:
    checked = contracts(ROOT)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_setup_and_i18n_need_nothing_installed() -> None:
    graph = grimp.build_graph("helpers", include_external_packages=True)
    for module in sorted(graph.modules):
        if module.startswith(STANDARD_LIBRARY_ONLY):
            outside = {
                other.partition(".")[0] for other in graph.find_modules_directly_imported_by(module)
            } - {"helpers"}
            if module == "helpers.setup.packages":  # run by the Python whose packages it compares
                outside -= {"packaging", "pip"}
            if module == "helpers.setup.files":  # inside a function, for what a learner keeps
                outside -= {"platformdirs"}
            assert outside <= sys.stdlib_module_names, module


def test_what_lessons_import_is_what_is_public() -> None:
    from helpers.authoring.source import lesson_paths, read_lesson

    used: dict[str, set[str]] = {}
    for path in lesson_paths():
        for cell in read_lesson(path).cells:
            if cell.kind != "code":
                continue
            for node in ast.walk(ast.parse(cell.source("en", solution=True))):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("helpers"):
                    used.setdefault(str(node.module), set()).update(a.name for a in node.names)
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                    assert not [name for name in names if name.startswith("helpers.")], path
                if (
                    isinstance(node, ast.Attribute)
                    and isinstance(node.value, ast.Name)
                    and node.value.id == "helpers"
                ):
                    used.setdefault("helpers", set()).add(node.attr)
    assert used == {module: set(names) for module, names in helpers.PUBLIC.items()}


def test_what_is_public_is_there() -> None:
    for module, names in helpers.PUBLIC.items():
        source = Path(str(importlib.util.find_spec(module).origin))  # type: ignore[union-attr]
        text = source.read_text(encoding="utf-8")
        for name in names:
            assert name in text or (source.parent / f"{name}.py").exists(), (module, name)


def test_no_widget_is_asked_for_what_ipywidgets_7_does_not_say() -> None:
    asking = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "helpers").rglob("*.py")
        if "._repr_mimebundle_()" in path.read_text(encoding="utf-8")
    ]
    assert asking == ["helpers/views/widgets.py"], (
        "helpers.views.widgets.bundle_of does for the rest"
    )
