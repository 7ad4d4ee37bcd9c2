"""Tests of drills: every one, answered right and wrong, in each language."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers import i18n
from helpers.exercises import exercise, texts
from helpers.exercises.drilling import LETTERS, Drill, drills_of
from helpers.exercises.verdict import CORRECT, INCORRECT, SHARED, SHARED_NAMES, UNNAMED
from helpers.i18n import LANGUAGES, _


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_drill_answered_right_and_wrong(lang: str) -> None:
    """Each mistake of each exercise comes once; one of four different names fits, and the code stays in sight."""
    i18n.use(lang)
    seen: list[Drill] = []
    for name in texts.all_texts():
        one = exercise(name)
        for drill in drills_of(name):
            asked = one._drill().text
            assert drill.codes[lang] in asked and drill.name(drill.right) in asked
            assert len({drill.name(letter) for letter in LETTERS}) == 4, drill
            assert one._drill().text == asked, "as long as it is not answered"
            for letter in LETTERS:
                if letter != drill.right:
                    wrong = one._drill(letter)
                    assert wrong.outcome == INCORRECT and drill.codes[lang] in wrong.text
                    assert drill.name(letter) in wrong.text.partition("```")[0]
            right = one._drill(f"({drill.right.upper()})")
            assert right.outcome == CORRECT and drill.codes[lang] in right.text
            assert drill.name(drill.right) in right.text
            seen.append(drill)
    assert len(seen) > 350
    known = {(drill.exercise, drill.mistake) for drill in seen}
    assert known == {(name, key) for name, own in (texts.drills() or {}).items() for key in own}


def test_the_right_letter_is_none_that_one_can_guess() -> None:
    rights = [drill.right for name in texts.all_texts() for drill in drills_of(name)]
    assert all(0.15 < rights.count(letter) / len(rights) < 0.35 for letter in LETTERS)


def test_what_every_exercise_knows_has_a_name_too() -> None:
    assert set(SHARED) - set(UNNAMED) == set(SHARED_NAMES)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_where_there_is_no_drill_one_is_told_so(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    i18n.use(lang)
    one = exercise("04-stream/first-token")
    assert "drill('b')" in one._drill("x").text, "what no letter is, is no answer"
    letter = exercise("04-stream/pieces")._drill().text
    assert letter == _("This exercise has no drill: it asks for a letter, not for code.")
    monkeypatch.setattr("helpers.exercises.session._states", {})
    monkeypatch.setattr(texts, "DRILLS_FILE", tmp_path / "nothing.json")
    without = exercise("04-stream/first-token")._drill().text
    assert without == _("This copy of the course comes without drills. Ask whoever gave it to you.")
