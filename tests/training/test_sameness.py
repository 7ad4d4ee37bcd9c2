"""Tests of helpers.training.sameness; test_trained shows what it makes of whole trainings."""

from __future__ import annotations

from typing import Any

from helpers.training.sameness import steps


def test_what_belongs_to_a_condition_makes_a_difference() -> None:
    code = "def f(x):\n    if x:\n        print(1)\n    print(2)\n"
    kinds = [code, code.replace("    print(2)", "        print(2)"), code.replace("if", "while")]
    kinds += [code.replace("(1)", "(3)"), code.replace("x", "y"), code.replace("print(2)", "x(2)")]
    found = []
    for kind in kinds:
        names: dict[str, Any] = {}
        exec(kind, names)
        found.append(str(steps(names["f"].__code__)))
    assert len(set(found)) == len(kinds)
