"""Runs the code of a lesson's cells, without Jupyter."""

from __future__ import annotations

import ast
import asyncio
import inspect
from typing import Any


def run(code: str, names: dict[str, Any]) -> None:
    """Run a cell's code in `names`, with `await` at the top as in a notebook."""
    program = compile(code, "<cell>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(program, names)
    if inspect.iscoroutine(result):
        asyncio.run(result)
