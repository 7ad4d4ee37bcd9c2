"""Tests of helpers.training.shop_data: what lesson 15 trains on is the same each time, and nothing leaks."""

from __future__ import annotations

import random
import re

import pytest

from helpers.training import shop_data
from helpers.training.shop_data import LANGUAGES


def bare(text: str) -> str:
    """Return a text without marks and capitals, so that two wordings compare by their words."""
    return re.sub(r"[^\w{}]", "", text.lower())


def said(language: str, part: str) -> set[str]:
    return {
        bare(variant)
        for intent in shop_data.intents()
        for pattern in shop_data.wordings(language, intent, part)
        for variant in shop_data.variants(pattern)
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_wordings_kept_back_are_in_no_dialogue_and_no_text(language: str) -> None:
    known, text = said(language, "known"), "\n".join(said(language, "text"))
    validation, test = said(language, "validation"), said(language, "test")
    assert not validation & known and not test & known and not test & validation
    assert [wording for wording in validation | test if wording in text] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_every_list_of_every_intent(language: str) -> None:
    wordings = shop_data.book()["wordings"][language]
    assert list(wordings) == shop_data.intents()
    for intent, lists in wordings.items():
        assert lists.keys() == {"replies", "known", "validation", "test", "text"}, intent
        assert lists["replies"].keys() in ({"reply"}, {"number", "ask"}), intent
        for part in ("known", "validation", "test", "text"):
            lines = shop_data.wordings(language, intent, part)
            assert len(lines) == len(set(lines)) >= 3, (intent, part)


def test_the_same_seed_gives_the_same_and_another_seed_something_else() -> None:
    assert shop_data.texts(20, 1) == shop_data.texts(20, 1) != shop_data.texts(20, 2)
    assert shop_data.registers(5, 1) == shop_data.registers(5, 1) != shop_data.registers(5, 2)
    one = shop_data.dialogues("known", 20, 1, thanks=0.25)
    assert one == shop_data.dialogues("known", 20, 1, thanks=0.25)
    assert one != shop_data.dialogues("known", 20, 2, thanks=0.25)


@pytest.mark.parametrize("part", ["known", "validation", "test"])
def test_a_dialogue_takes_turns_and_its_reply_has_the_number(part: str) -> None:
    found = shop_data.dialogues(part, 200, 3, thanks=0.2)
    assert {dialogue.language for dialogue in found} == set(LANGUAGES)
    for dialogue in found:
        roles = [message["role"] for message in dialogue.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert not any(re.search(r"[{}()|\[\]]", m["content"]) for m in dialogue.messages), dialogue
        reply = dialogue.messages[-1]["content"]
        assert shop_data.intent_of(reply) is not None
        if dialogue.number:
            assert dialogue.number in reply
            assert dialogue.number in dialogue.messages[-2]["content"]
    assert sum(dialogue.number is not None for dialogue in found) > 50


def test_the_text_holds_no_dialogue_and_repeats_numbers() -> None:
    for text in shop_data.texts(100, 4):
        assert "{" not in text and "<|im_start|>" not in text
    for text in shop_data.registers(20, 4):
        numbers = re.findall(r"\d{4}", text)
        assert len(numbers) >= 5 and len(set(numbers)) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_text_says_again_and_again_where_each_product_is_made(language: str) -> None:
    texts = shop_data.texts(400, 5)
    for product in shop_data.book()["products"]:
        line = shop_data.book()["catalogue"][language]
        said = shop_data.sentence(line.format(p=product[language], o=product["origin"][language]))
        assert sum(said in text for text in texts) >= 20, said


def test_a_reply_tells_its_intent() -> None:
    assert shop_data.intent_of("The lamp costs 29 euros.") == "price"
    assert shop_data.intent_of("What is your order number?") == "status number"
    assert shop_data.intent_of("请问您的账户号是多少？") == "bill number"
    assert shop_data.intent_of("The lamp costs") is None


def test_variants_are_all_that_a_pattern_can_say() -> None:
    assert list(shop_data.variants("(a|b)c[ d]")) == ["ac", "ac d", "bc", "bc d"]
    rng = random.Random(0)
    every = set(shop_data.variants("(a|b)c[ d| e] f"))
    assert {shop_data.say("en", "(a|b)c[ d| e] f", rng) for _ in range(200)} == every


def test_each_wording_is_said_before_any_is_said_again() -> None:
    mixed = shop_data.Wordings(random.Random(0))
    lines = shop_data.wordings("en", "hello", "known")
    rounds = [[next(mixed["en", "hello", "known"]) for _ in lines] for _ in range(2)]
    assert [sorted(said) for said in rounds] == [sorted(lines)] * 2
    assert rounds[0] != rounds[1]
