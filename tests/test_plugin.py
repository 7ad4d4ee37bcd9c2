"""Tests of tests.plugin: a run that is not what the page shows is an error, though nbmake passes it."""

from __future__ import annotations

from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tests.plugin import page_error

ERROR = {"ename": "KeyError", "evalue": "'a'", "traceback": ["KeyError: 'a'"]}


def page(text: str, tags: tuple[str, ...] = ()) -> Any:
    output = new_output("error", **ERROR) if text == "error" else new_output("stream", text=text)
    cell = new_code_cell("1", id="one", metadata={"tags": list(tags)}, outputs=[output])
    return new_notebook(cells=[cell])


def test_a_run_that_gives_what_the_page_shows_is_no_error() -> None:
    assert page_error(page("at 0x0"), page("at 0x7f63340eba90")) is None
    assert page_error(page("1 s", ("varies",)), page("2 s", ("varies",))) is None


@pytest.mark.parametrize(
    ("committed", "executed", "says"),
    [
        (page("old"), page("new"), "the page shows"),
        (page("1 s"), page("2 s"), "the page shows"),
        (page("x"), page("error"), "raised KeyError"),
        (page("error", ("raises-exception",)), page("x", ("raises-exception",)), "raised nothing"),
    ],
)
def test_a_run_that_does_not_is_an_error_and_names_the_cell(
    committed: Any, executed: Any, says: str
) -> None:
    error = page_error(committed, executed)
    assert error is not None and error.failing_cell_index == 0
    assert error.summary.startswith("cell 'one'") and says in error.summary
