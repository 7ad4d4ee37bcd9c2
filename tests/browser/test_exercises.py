"""Exercises, drills and predictions in JupyterLab, by mouse and by keyboard alone, in each language."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import pytest

from helpers import i18n
from helpers.authoring import browser
from helpers.authoring.browser import Course
from helpers.exercises.drilling import drills_of
from helpers.exercises.texts import all_texts, predictions, solution_code
from helpers.i18n import LANGUAGES, _
from tests.browser.looking import barriers
from tests.browser.using import cell, select, shows, tab_to, type_into, write_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

CODE, CHOICE = "04-stream/first-token", "04-stream/pieces"
PREDICTED = "12-chains/steps-code"
LONG = "print('antidisestablishmentarianism ' * 40)"


class Answers(NamedTuple):
    """What a learner writes for an exercise; `mistake` is the text that answers `wrong`."""

    name: str
    stub: str
    wrong: str
    mistake: str
    right: str


ANSWERS = {
    CODE: Answers(
        "first_token",
        "def first_token(stream): ...",
        "def first_token(stream): return next(stream)",
        "chunk",
        "def first_token(stream): return next(c.text for c in stream if c.text)",
    ),
    CHOICE: Answers("answer", "answer = ...", "answer = 'b'", "b", "answer = 'a'"),
}


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest, course: Course, page: Page) -> Iterator[str]:
    """A language, in which a notebook with the exercises is open; its cells have run."""
    lang = str(request.param)
    cells = [f"import helpers\nhelpers.start({lang!r})\nfrom helpers import exercise"]
    for name, answers in ANSWERS.items():
        cells += [answers.stub, f"exercise({name!r}).check({answers.name})"]
    cells += [f"helpers.predict({PREDICTED!r})", LONG]
    path = write_notebook(course, f"exercises-{lang}", cells)
    browser.open_notebook(page, course, path)
    browser.run_all(page)
    yield lang
    browser.close_notebook(page, course, path)


def test_exercises(lang: str, page: Page) -> None:
    """One that asks for code by mouse, one that asks for a letter by keyboard alone."""
    keys = itertools.cycle(["Space", "Enter"])

    def press(button: Locator) -> None:
        select(page, 4)
        tab_to(page, button)
        page.keyboard.press(next(keys))

    use(page, 2, CODE, lang, lambda button: button.click())
    use(page, 4, CHOICE, lang, press)
    select(page, 2)
    drill(page, 2, lang)
    predict(page, 5, lang)
    assert whole_words(page, 6), "printed lines are broken inside of words"
    assert not barriers(page)


def drill(page: Page, number: int, lang: str) -> None:
    """Take a drill by keyboard alone, first wrongly, then rightly; the code is there each time."""
    (one, *_others) = drills_of(CODE)
    i18n.use(lang)
    view = cell(page, number).locator(".jp-OutputArea")
    verdict = view.get_by_role("status")
    tab_to(page, view.get_by_role("button", name=_("Drill", lang), exact=True))
    page.keyboard.press("Enter")
    shows(verdict, one.name(one.right))
    for letter in ("a" if one.right != "a" else "b", one.right):
        button = view.get_by_role("button", name=f"({letter})", exact=True)
        if not button.evaluate("it => it === document.activeElement"):
            select(page, number)
            tab_to(page, button)
        page.keyboard.press("Space")
        shows(verdict, "✓" if letter == one.right else "✗")
        shows(verdict.locator("pre"), one.codes[lang].splitlines()[-1].strip())


def predict(page: Page, number: int, lang: str) -> None:
    """Write down a prediction by keyboard alone, and run the cell below it."""
    field = cell(page, number).get_by_label(_("Prediction", lang))
    select(page, number)
    tab_to(page, field)
    page.keyboard.type("two words, or perhaps three?")
    select(page, number + 1)
    page.keyboard.press("Control+Enter")
    compared = cell(page, number + 1).get_by_role("status")
    shows(compared, "two words, or perhaps three?")
    shows(compared, _("What the cell showed:", lang).rstrip(" :："))
    shows(compared, max(re.split(r"[`’]", predictions()[PREDICTED][lang]), key=len).strip())


def whole_words(page: Page, number: int) -> bool:
    """Say whether each line of a cell's printed text ends with a word."""
    fits: bool = (
        cell(page, number)
        .locator(".jp-RenderedText pre")
        .evaluate(
            """pre => {
            const text = pre.firstChild, range = document.createRange();
            const top = place => {
                range.setStart(text, place); range.setEnd(text, place + 1);
                return range.getBoundingClientRect().top;
            };
            const word = [...text.data.matchAll(/\\w+/g)];
            const lines = new Set(word.map(found => top(found.index)));
            return lines.size > 1
                && word.every(found => top(found.index) === top(found.index + found[0].length - 1));
        }"""
        )
    )
    return fits


def use(page: Page, number: int, name: str, lang: str, press: Callable[[Locator], None]) -> None:
    """Go through an exercise as one does who errs, asks for all there is, and gets it right.

    Its check is the cell `number`, its answer the one before.
    """
    answers, said = ANSWERS[name], all_texts()[name]
    view = cell(page, number).locator(".jp-OutputArea")
    check, hint, solution = (
        view.get_by_role("button", name=_(label, lang), exact=True)
        for label in ("Check", "Hint", "Solution")
    )
    verdict = view.get_by_role("status")

    def reads(text: str) -> None:
        """Wait for a text, or what is longest in it between marks and fields."""
        shows(verdict, max(re.split(r"[`*]|\{.*?\}", text), key=len).strip())

    reads(
        _(
            "**Not attempted.** Replace the `...` above, run that cell, then this one. "
            "If that cell showed an error, fix it first. For a hint: `exercise({name!r}).hint()`.",
            lang,
        )
    )
    press(solution)
    reads(
        _(
            "Try first, the check will say what is missing. To see the model answer all the same, ask once more.",
            lang,
        )
    )
    press(hint)
    reads(said["hint-1"][lang])
    type_into(page, number - 1, answers.wrong)
    press(check)
    reads(_("**Not yet.** {message}", lang))
    reads(said[answers.mistake][lang])
    press(hint)
    reads(said["hint-2"][lang])
    press(solution)
    reads(_("**Model answer.**", lang))
    code = solution_code(name, lang)
    assert code is not None
    shows(verdict.locator("pre"), code)
    type_into(page, number - 1, answers.right)
    press(check)
    reads(_("**Correct.** {message}", lang))
    reads(said["correct"][lang])
