"""Tests of helpers.authoring.minutes: the rule gives what readers needed, and each part of it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from helpers.authoring import builder
from helpers.authoring.minutes import LONGEST, minutes
from helpers.authoring.source import read_lesson
from helpers.i18n import LANGUAGES
from tests.authoring.birds import GOOD, write

WORDS = {"en": "word " * 3400, "zh": "词" * 5100, "fr": "mot " * 3800}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_words_code_and_exercises_take_time(tmp_path: Path, lang: str) -> None:
    short = minutes(read_lesson(write(tmp_path, GOOD)), lang)
    heading = {"en": "## Why\n", "zh": "## 为什么\n", "fr": "## Pourquoi\n"}[lang]
    more = {
        "words": GOOD.replace(heading, heading + "\n" + WORDS[lang] + "\n"),
        "code": GOOD.replace("print(f", "1\n" * 100 + "print(f"),
        "cells": GOOD
        + "".join(f"\n```{{code-cell}} python\n:id: c{n}\n\n1\n```\n" for n in range(50)),
    }
    took = {kind: minutes(read_lesson(write(tmp_path, text)), lang) for kind, text in more.items()}
    assert took == {"words": short + 20, "code": short + 20, "cells": short + 20}


def test_code_that_is_shown_in_prose_is_not_read_word_by_word(tmp_path: Path) -> None:
    fence = "## Why\n\n```text\n" + "word " * 3400 + "\n```\n"
    plain = minutes(read_lesson(write(tmp_path, GOOD)), "en")
    assert minutes(read_lesson(write(tmp_path, GOOD.replace("## Why\n", fence))), "en") == plain


def test_the_three_languages_agree_and_status_names_what_is_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lessons, _ = builder.read_course()
    for lesson in lessons:
        english, *others = (minutes(lesson, lang) for lang in LANGUAGES)
        assert all(abs(other - english) <= max(2, english * 0.1) for other in others), lesson.name
    monkeypatch.setattr(builder, "check", lambda names: [])
    said = builder.status().splitlines()
    long = [
        x for x in lessons if max(minutes(x, lang) for lang in LANGUAGES) > LONGEST and not x.sheet
    ]
    assert sum(f"over {LONGEST}" in line for line in said) == len(long)
