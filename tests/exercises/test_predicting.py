"""Tests of predictions, in a shell as a notebook has it, and in one that knows the ids of cells."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import helpers
from helpers import i18n
from helpers.exercises import progress
from helpers.exercises.texts import predictions
from helpers.i18n import LANGUAGES, _

NAME = "04-stream/look-at-chunks"
ASK = f"import helpers; helpers.predict({NAME!r})"


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    """A shell without a front end; what it displays is captured."""
    shell = InteractiveShell.instance()
    yield shell
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, code: str, cell_id: str = "") -> tuple[str, list[Any]]:
    """Run a cell; return what it printed, and the data that it displayed."""
    with capture_output() as captured:
        shell.run_cell(code, store_history=True, cell_id=cell_id or None)
    return captured.stdout, [output.data for output in captured.outputs]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_was_thought_stands_beside_what_came(shell: InteractiveShell, lang: str) -> None:
    i18n.use(lang)
    guess = "two <b>chunks</b>"
    _printed, (asked,) = run(shell, f"import helpers; helpers.predict({NAME!r}, {guess!r})")
    assert "helpers" not in asked["text/plain"] and guess in asked["text/plain"]
    printed, (compared,) = run(shell, "print('one')\n6 * 7")
    assert printed == "one\n" or "one" in printed
    for kind, written in (("text/plain", guess), ("text/html", html.escape(guess))):
        assert written in compared[kind] and "one" in compared[kind] and "42" in compared[kind]
        assert _("Your prediction:") in compared[kind]
    assert predictions()[NAME][lang] in compared["text/plain"]
    assert "<b>chunks" not in compared["text/html"]
    assert progress.read_all()["predictions"] == {NAME: guess}
    assert run(shell, "print('two')")[1] == [], "once is enough"
    assert guess in run(shell, ASK)[1][0]["text/plain"], "it is there again another day"


@pytest.mark.parametrize(
    ("code", "shown"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("None", "(nothing that is text)")],
)
def test_how_a_cell_ends_is_shown_too(shell: InteractiveShell, code: str, shown: str) -> None:
    run(shell, f"import helpers; helpers.predict({NAME!r}, 'a number')")
    assert shown in run(shell, code)[1][-1]["text/plain"]


def test_who_predicts_nothing_is_shown_nothing(shell: InteractiveShell) -> None:
    """As on a saved page: there stands how to answer, and no word of a widget."""
    (asked,) = run(shell, ASK)[1]
    assert "Write it down" in asked["text/markdown"] and "Textarea" not in asked["text/plain"]
    assert run(shell, "print('one')") == ("one\n", [])
    assert progress.read_all()["predictions"] == {}


def test_where_the_front_end_tells_ids_the_cell_of_the_lesson_is_waited_for(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = {"metadata": {"cellId": "look-at-chunks-predict"}}
    monkeypatch.setattr(shell, "get_parent", lambda: parent, raising=False)
    run(shell, f"import helpers; helpers.predict({NAME!r}, 'x')", "look-at-chunks-predict")
    assert run(shell, "print('another')", "setup")[1] == []
    assert len(run(shell, "print('this')", "look-at-chunks")[1]) == 1


def test_without_jupyter_the_question_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    helpers.predict(NAME)
    assert "What will the next cell show?" in capsys.readouterr().out
    with pytest.raises(LookupError, match="'04-stream/x'.*04-stream/look-at-chunks"):
        helpers.predict("04-stream/x")
