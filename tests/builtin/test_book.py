"""The prepared answers: which one is found, what a mistake in the book says, and how they read."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.builtin import answers, book, chat_request, reading, tokens
from helpers.builtin.book import Message
from helpers.i18n import LANGUAGES
from tests.builtin.asking import ENTRIES, SOURCE


def user(*texts: str) -> list[Message]:
    return [Message("user", text) for text in texts]


def as_list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


def answer(messages: list[Message]) -> str:
    request = chat_request.Request("id", "big", messages, 1, (), None, False, False)
    return "".join(answers.replies(request)[0].tokens)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("entry", SOURCE["entries"], ids=ENTRIES)
def test_each_wording_gets_its_answer(entry: dict[str, Any], lang: str) -> None:
    for wording in as_list(entry["ask"][lang]):
        messages = user(re.sub(r"\{[nN]ame\}", "Zoe", wording))
        if "earlier" in entry:
            earlier = re.sub(r"\{[nN]ame\}", "Zoe", as_list(entry["earlier"][lang])[-1])
            messages = [*user(earlier), Message("assistant", "…"), *user("…"), *messages]
        if "system" in entry:
            messages = [Message("system", entry["system"][lang]), *messages]
        told = answer(messages).replace(" Zoe", "Zoe")
        assert told == as_list(entry["answer"][lang])[0].replace("{name}", "Zoe").replace(
            " Zoe", "Zoe"
        )


@pytest.mark.parametrize(
    "question",
    [
        "what is a TOKEN",
        "  What is a token ?!\n",
        "Ｗｈａｔ　ｉｓ　ａ　ｔｏｋｅｎ？",
        "«What» is: a 'token'…",
    ],
)
def test_case_width_punctuation_and_space_do_not_matter(question: str) -> None:
    assert answer(user(question)) == ENTRIES["token"]["answer"]["en"]


def test_the_last_user_message_counts() -> None:
    hello = ENTRIES["hello"]["answer"]["en"]
    assert answer([*user("What is a token?", "Hello!"), Message("assistant", "42")]) == hello


def test_the_system_message_is_preferred_to_an_earlier_question(tmp_path: Path) -> None:
    def entry(name: str, **conditions: str) -> dict[str, Any]:
        given = {"ask": "And?", "answer": name, **conditions}
        texts = {
            field: {lang: f"{text} {lang}" for lang in LANGUAGES} for field, text in given.items()
        }
        return {"id": name, **texts}

    entries = [
        entry("neither"),
        entry("earlier", earlier="before"),
        entry("system", system="told"),
        entry("both", system="told", earlier="before"),
    ]
    found = load(tmp_path, entries).entries
    assert found[("anden", None, None)].answer == "neither en"
    assert found[("anden", "tolden", "beforeen")].answer == "both en"
    messages = [Message("developer", "Told EN"), *user("Before en", "And en")]
    for name in ("both", "system", "earlier", "neither"):
        with pytest.MonkeyPatch.context() as patch:
            loaded = load(tmp_path, entries)
            patch.setattr(book, "course_book", lambda loaded=loaded: loaded)
            assert answer(messages).startswith(f"{name} en")
        entries = [entry for entry in entries if entry["id"] != name]
        entries = entries or [ENTRIES["hello"]]


def test_another_system_message_changes_nothing() -> None:
    messages = [Message("system", "Be brief."), *user("What is the capital of France?")]
    assert answer(messages) == ENTRIES["capital"]["answer"]["en"]


@pytest.mark.parametrize(
    ("question", "lang"),
    [
        ("Why is the sky blue?", "en"),
        ("Is there a good café in Paris?", "en"),
        ("", "en"),
        ("???", "en"),
        ("天空为什么是蓝色的？", "zh"),
        ("Fortran 是什么", "zh"),
        ("Pourquoi le ciel est-il bleu ?", "fr"),
        ("Qui a peint la Joconde", "fr"),
        ("Éléphant rose !", "fr"),
        ("Préférez-vous Python ?", "fr"),
    ],
)
def test_an_unknown_question_is_answered_honestly_in_its_language(question: str, lang: str) -> None:
    assert answer(user(question)) == SOURCE["unknown"][lang]
    assert "00" in SOURCE["unknown"][lang]


def test_a_conversation_without_a_user_message() -> None:
    assert answer([Message("system", "Bonjour à vous")]) == SOURCE["unknown"]["fr"]


def test_a_long_question_takes_no_time() -> None:
    start = time.perf_counter()
    for text in ("。" * 1000, "买有卖" * 330, "-" * 300, "ignore " * 40, "order " * 160):
        answer([Message("system", text), *user(*[text] * 12)])
    for char in ("\u0301", "\ufdfa", "A"):
        assert answer(user("Hello" + char * 500_000)) == SOURCE["unknown"]["en"]
        assert book.go_on(char * 500_000) == SOURCE["unknown"]["en"]
    assert time.perf_counter() - start < 3


# How the answers read


@pytest.mark.parametrize("lang", LANGUAGES)
def test_typography(lang: str) -> None:
    texts = [SOURCE["unknown"][lang]]
    for entry in SOURCE["entries"]:
        for field in ("ask", "system", "earlier", "answer", "result"):
            texts += as_list(entry[field][lang]) if field in entry else []
    texts += [entry[field][lang].strip() for entry in SOURCE["continuations"] for field in entry]
    for text in texts:
        assert text == text.strip() and "  " not in text and " \n" not in text
        if lang == "zh":
            assert not re.search(r"[\u4e00-\u9fff][,;:!?()]", text), text
            assert not re.search(r"[\u4e00-\u9fff] [\u4e00-\u9fff]", text), text
            assert not re.search(r"[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]", text), (
                text
            )
        if lang == "fr" and text != "I love programming.":
            assert not re.search(r"[^\u00a0][;:!?»]|«[^\u00a0]", text.replace("?\u00a0»", "»")), (
                text
            )


def test_lengths_that_lessons_rely_on() -> None:
    for lang in LANGUAGES:
        assert 45 <= tokens.count(ENTRIES["regularization"]["answer"][lang]) <= 60
        assert 95 <= tokens.count(ENTRIES["story"]["answer"][lang]) <= 130
        assert len(re.findall("[.。]", ENTRIES["story"]["answer"][lang])) == 5
        assert ENTRIES["haiku"]["answer"][lang].count("\n") == 2
        assert ENTRIES["count"]["answer"][lang] == ", ".join(map(str, range(1, 11)))


def test_both_yaml_loaders_read_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LOADER", yaml.SafeLoader)
    pure = reading.load()
    monkeypatch.setattr(reading, "LOADER", yaml.CSafeLoader)
    assert reading.load()._replace(wordings=pure.wordings) == pure


# Mistakes in a book


def load(
    folder: Path, entries: Any, unknown: Any = SOURCE["unknown"], continuations: Any = ()
) -> reading.Book:
    continuations = list(continuations)
    path = folder / "book.yaml"
    text = yaml.safe_dump(
        {
            "unknown": unknown,
            "notes": SOURCE["notes"],
            "entries": entries,
            "continuations": continuations,
        },
        allow_unicode=True,
    )
    path.write_text(text, encoding="utf-8")
    return reading.load(path)


def all_languages(text: Any) -> dict[str, Any]:
    return {lang: f"{text} {lang}" if isinstance(text, str) else text for lang in LANGUAGES}


GOOD: dict[str, Any] = {"id": "x", "ask": all_languages("Q"), "answer": all_languages("A")}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"id": None}, "entry 1: must have an id"),
        ({"note": "n"}, "entry 'x': unknown key note"),
        ({"call": {"en": {}}}, "entry 'x': call must be given for each of en, zh, fr"),
        ({"call": dict.fromkeys(LANGUAGES, "f")}, "entry 'x', en: call must be an object"),
        ({"result": {"en": "R"}}, "entry 'x', zh: result is missing"),
        ({"ask": None}, "entry 'x': ask must be given for each of en, zh, fr"),
        ({"answer": "A"}, "entry 'x': answer must be given for each of en, zh, fr"),
        ({"answer": {"en": "A", "fr": "A"}}, "entry 'x', zh: answer is missing"),
        ({"ask": {"en": "Q", "zh": "问"}}, "entry 'x', fr: ask is missing"),
        ({"system": {"en": "S", "zh": "S"}}, "entry 'x', fr: system is missing"),
        ({"earlier": {"zh": "S", "fr": "S"}}, "entry 'x', en: earlier is missing"),
        ({"ask": {**all_languages("Q"), "de": "F"}}, "entry 'x': ask has an unknown language, de"),
        ({"answer": {**all_languages("A"), "zh": " "}}, "entry 'x', zh: answer must be text"),
        ({"answer": {**all_languages("A"), "fr": 1}}, "entry 'x', fr: answer must be text"),
        (
            {"result": all_languages(["a", "b"]), "call": all_languages({"f": {}}), "about": "f"},
            "entry 'x', en: result must be one text",
        ),
        ({"ask": {**all_languages("Q"), "fr": []}}, "entry 'x', fr: ask must be text"),
        ({"ask": {**all_languages("Q"), "fr": ["R", "?!"]}}, "entry 'x', fr: ask must be text"),
        ({"ask": {**all_languages("Q"), "zh": "Q en!"}}, "entry 'x', zh: 'Q en!' already has"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, change: dict[str, Any], expected: str) -> None:
    load(tmp_path, [GOOD])
    with pytest.raises(reading.BookError, match=re.escape(expected)):
        load(tmp_path, [{**GOOD, **change}])


def test_duplicates_between_entries(tmp_path: Path) -> None:
    with pytest.raises(reading.BookError, match="entry 'x': another entry has the same id"):
        load(tmp_path, [GOOD, GOOD])
    with pytest.raises(reading.BookError, match="entry 'y', en: 'Q en' already has an answer"):
        load(tmp_path, [GOOD, {**GOOD, "id": "y"}])
    load(tmp_path, [GOOD, {**GOOD, "id": "y", "system": all_languages("S")}])


def test_a_wrong_file(tmp_path: Path) -> None:
    with pytest.raises(reading.BookError, match="entries must be a list"):
        load(tmp_path, {"x": GOOD})
    with pytest.raises(reading.BookError, match="entry 1: must have an id"):
        load(tmp_path, ["x"])
    with pytest.raises(reading.BookError, match="book.yaml, zh: unknown is missing"):
        load(tmp_path, [GOOD], {"en": "U"})
    path = tmp_path / "book.yaml"
    for text, expected in [
        ("- a", "must have the keys"),
        ("{unknown: {}, entries: []}", "must have the keys"),
        ("{unknown: {}, entries: [], continuations: 1}", "continuations must be a list"),
        ("a: [", "is not valid YAML"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(reading.BookError, match=expected):
            reading.load(path)


def test_a_wrong_continuation(tmp_path: Path) -> None:
    text = dict.fromkeys(LANGUAGES, "T")
    for entry in ("text", {"text": text}, {"text": text, "next": text, "more": text}):
        with pytest.raises(reading.BookError, match="continuation 1: must have text and next"):
            load(tmp_path, [], continuations=[entry])


@pytest.mark.parametrize("lang", LANGUAGES)
def test_how_texts_go_on(lang: str) -> None:
    for entry in SOURCE["continuations"]:
        assert book.go_on(entry["text"][lang]) == entry["next"][lang]
    assert book.go_on(ENTRIES["hello"]["ask"][lang][0]) == SOURCE["unknown"][lang]
