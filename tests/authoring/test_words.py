"""Tests of helpers.authoring.words: the catalogues follow the code, and what is wrong in one is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message

from helpers import i18n
from helpers.authoring import words

CODE = """
from helpers.i18n import N_, _, ngettext, pgettext

print(_("Hello, {name}!").format(name="Ada"))
print(pgettext("a bird", "crane"), pgettext("a machine", "crane"))
print(ngettext("{count} egg", "{count} eggs", 2).format(count=2))
LATER = N_("later")
print("not marked")
"""
IDS = {
    ("Hello, {name}!", None),
    ("crane", "a bird"),
    ("crane", "a machine"),
    (("{count} egg", "{count} eggs"), None),
    ("later", None),
}


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module with messages, whose catalogues are complete; the words of nothing else are looked at."""
    path = tmp_path / "helpers" / "module.py"
    path.parent.mkdir()
    path.write_text(CODE, encoding="utf-8")
    monkeypatch.setattr(words, "ROOT", tmp_path)
    monkeypatch.setattr(i18n, "FOLDER", tmp_path / "locale")
    for lang in words.TRANSLATIONS:
        catalogue = Catalog(locale=lang)
        catalogue.update(words.in_code())
        for message in catalogue:
            if isinstance(message.id, tuple):
                message.string = tuple(
                    f"{lang} {form} {{count}}" for form in range(catalogue.num_plurals)
                )
            elif message.id:
                message.string = f"{lang}: {message.id}"
        words.path_of(lang).parent.mkdir(parents=True)
        words.path_of(lang).touch()
        words.write(lang, catalogue)
    assert words.problems() == []
    return path


def change(lang: str, key: str, how: Callable[[Message], None]) -> None:
    """Change one message of a catalogue as it is kept."""
    catalogue = words.read(lang)
    message = catalogue[key]
    assert message is not None
    how(message)
    words.write(lang, catalogue)


def found() -> list[tuple[str, str]]:
    return [(problem.lang, problem.what) for problem in words.problems()]


def test_every_way_to_mark_a_message_is_found(code: Path) -> None:
    assert {(message.id, message.context) for message in words.in_code() if message.id} == IDS


def test_a_second_update_changes_nothing(code: Path) -> None:
    def files() -> list[bytes]:
        return [
            words.path_of(lang, kind).read_bytes() for lang in ("zh", "fr") for kind in ("po", "mo")
        ]

    before = files()
    words.update()
    assert files() == before


def test_a_compiled_catalogue_does_not_say_when_it_was_compiled(code: Path) -> None:
    assert b"POT-Creation-Date: 2000-01-01 00:00" in words.path_of("fr", "mo").read_bytes()


def test_a_changed_english_text_keeps_its_translation_as_fuzzy(code: Path) -> None:
    code.write_text(CODE.replace("Hello, {name}!", "Hello there, {name}!"), "utf-8")
    assert found() == [
        (lang, f"'Hello{what}")
        for lang in ("zh", "fr")
        for what in (
            " there, {name}!' is missing from the catalogue",
            ", {name}!' is no longer in the code",
        )
    ]
    words.update()
    what = "'Hello there, {name}!' is fuzzy: its English has changed. "
    what += "Revise the translation and take the mark away"
    assert found() == [("zh", what), ("fr", what)]
    message = words.read("zh")["Hello there, {name}!"]
    assert message is not None and message.string == "zh: Hello, {name}!"
    change("zh", "Hello there, {name}!", lambda message: message.flags.discard("fuzzy"))
    assert found() == [("fr", what)]


def test_a_new_message_is_missing_and_after_an_update_not_translated(code: Path) -> None:
    code.write_text(CODE + 'print(_("Something quite different"))\n', "utf-8")
    missing = "'Something quite different' is missing from the catalogue"
    assert found() == [("zh", missing), ("fr", missing)]
    words.update()
    what = "'Something quite different' is not translated"
    assert found() == [("zh", what), ("fr", what)]


def test_a_message_without_use_is_named_and_goes_with_an_update(code: Path) -> None:
    code.write_text(CODE.replace('LATER = N_("later")\n', ""), "utf-8")
    what = "'later' is no longer in the code"
    assert found() == [("zh", what), ("fr", what)]
    words.update()
    assert found() == []


def test_a_translation_with_other_fields_is_named(code: Path) -> None:
    change("fr", "Hello, {name}!", lambda message: setattr(message, "string", "Bonjour, {nom} !"))
    assert found() == [("fr", "'Hello, {name}!' has other fields than ['name']")]
    change("zh", "{count} egg", lambda message: setattr(message, "string", ("蛋",)))
    assert found()[0] == ("zh", "('{count} egg', '{count} eggs') has other fields than ['count']")


def test_one_plural_form_that_is_not_translated_is_named(code: Path) -> None:
    change("fr", "{count} egg", lambda message: setattr(message, "string", ("{count} œuf", "")))
    assert found() == [("fr", "('{count} egg', '{count} eggs') is not translated")]


@pytest.mark.parametrize("break_it", [Path.unlink, lambda path: path.write_bytes(b"old")])
def test_what_gettext_reads_must_be_what_the_catalogue_says(
    code: Path, break_it: Callable[[Path], object]
) -> None:
    break_it(words.path_of("zh", "mo"))
    assert found() == [("zh", "course.mo is not what course.po says")]
    words.write("zh", words.read("zh"))
    assert found() == []


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("no field", set()),
        ("{one} and {two:.1f} and {one!r}", {"one", "two"}),
        ("%(prog)s takes %s", {"prog", ""}),
    ],
)
def test_fields_of_a_message(text: str, names: set[str]) -> None:
    assert words.fields(text) == names


def test_the_courses_catalogues_have_no_problem() -> None:
    assert words.problems() == []
