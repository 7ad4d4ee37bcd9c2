"""The naive parrot in helpers is the class of lesson 13, but for its annotations."""

from __future__ import annotations

import ast
from pathlib import Path

from helpers.authoring import source
from helpers.models import naive_parrot


class Bare(ast.NodeTransformer):
    """Takes the annotations out of functions."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def parrot(code: str) -> str:
    (found,) = (part for part in ast.parse(code).body if isinstance(part, ast.ClassDef))
    return ast.dump(Bare().visit(found))


def test_it_is_the_class_that_lesson_13_writes() -> None:
    lesson = source.read_lesson(source.SOURCE / "13-parrot-link.md")
    (cell,) = (cell for cell in lesson.cells if cell.id == "parrot-link")
    kept = Path(naive_parrot.__file__).read_text(encoding="utf-8")
    assert parrot(kept) == parrot(cell.source("en"))
