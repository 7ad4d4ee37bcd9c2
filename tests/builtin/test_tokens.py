"""The token rule: what a token is, and that no text is lost."""

from __future__ import annotations

import random
import time

import pytest

from helpers.builtin import tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello, world!", ["Hello", ",", " world", "!"]),
        ("I don't know", ["I", " don't", " know"]),
        ("l'avion, l’été", ["l'avion", ",", " l’été"]),
        ("the dogs' 'tail'", ["the", " dogs", "'", " '", "tail", "'"]),
        ("Bonjour\u00a0!", ["Bonjour", "\u00a0!"]),
        ("模型是 AI。", ["模", "型", "是", " AI", "。"]),
        ("ねこ 고양이", ["ね", "こ", " 고", "양", "이"]),
        ("2024年 12345", ["202", "4", "年", " 123", "45"]),
        ("a1b2", ["a", "1", "b", "2"]),
        ("snake_case", ["snake", "_", "case"]),
        ("one\n2. two  ", ["one", "\n2", ".", " two", "  "]),
        ("🦜!", ["🦜", "!"]),
        ("\ud800x", ["\ud800", "x"]),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    assert tokens.split(text) == expected
    assert tokens.count(text) == len(expected)


def test_any_text_is_the_sum_of_its_tokens() -> None:
    generator = random.Random(7)
    ranges = [(0, 0x250), (0x300, 0x36F), (0x4E00, 0x4E20), (0x1F300, 0x1FAFF), (0, 0x10FFFF)]
    spaces = [*" \n\t\u00a0\u3000'’", "\u200d", "e\u0301", "\ud83e"]
    for _ in range(2000):
        pieces = (chr(generator.randint(*generator.choice(ranges))) for _ in range(20))
        text = "".join(generator.choice([piece, generator.choice(spaces)]) for piece in pieces)
        split = tokens.split(text)
        assert "".join(split) == text
        assert "" not in split
        # The first tokens of a text are the tokens of its beginning, so usage can be recomputed.
        beginning = split[: generator.randrange(len(split) + 1)]
        assert tokens.split("".join(beginning)) == beginning


def test_a_conversation_costs_three_tokens_a_message_and_three_for_the_reply() -> None:
    assert tokens.count_messages([]) == 3
    assert tokens.count_messages(["Hello!", "你好"]) == 3 + (3 + 2) + (3 + 2)


def test_a_mebibyte_of_anything_is_quick() -> None:
    start = time.perf_counter()
    for text in (" " * 2**20, "a'" * 2**19, "字" * 2**20):
        tokens.count(text)
    assert time.perf_counter() - start < 3
