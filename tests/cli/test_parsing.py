"""Tests of helpers.cli.parsing: argparse says nothing in English to somebody who reads Chinese or French."""

from __future__ import annotations

import argparse
import ast
import inspect
import re

import pytest

from helpers import i18n
from helpers.authoring import words
from helpers.cli import parsing
from helpers.i18n import LANGUAGES

# What a reader never meets: a programmer's mistakes, and what none of our parsers takes (subcommands,
# files that argparse opens, abbreviations, required groups, numbers of arguments, deprecated options).
NEVER_SAID = {
    *("%r is not callable", ".__call__() not defined", "dest= is required for options like %r"),
    *(
        "'required' is an invalid argument for positionals",
        "cannot merge actions - two groups are named %r",
    ),
    "mutually exclusive arguments must be optional",
    "invalid option string %(option)r: must start with a character %(prefix_chars)r",
    *("invalid conflict_resolution value: %r", "conflicting option string: %s"),
    *("conflicting option strings: %s", "unexpected option string: %s"),
    *("cannot have multiple subparser arguments", "conflicting subparser: %s"),
    *("conflicting subparser alias: %s", "unknown parser %(parser_name)r (choices: %(choices)s)"),
    *("can't open '%(filename)s': %(error)s", 'argument "-" with mode %r'),
    *(
        "ambiguous option: %(option)s could match %(matches)s",
        "one of the arguments %s is required",
    ),
    *("expected at most one argument", "expected at least one argument"),
    *("expected %s argument", "expected %s arguments"),
    *("option '%(option)s' is deprecated", "argument '%(argument_name)s' is deprecated"),
    *("command '%(parser_name)s' is deprecated", "%(prog)s: warning: %(message)s\n"),
    *("show program's version number and exit", " (default: %(default)s)", "subcommands"),
}


def said_by_argparse() -> set[str]:
    """Return every text that this Python's argparse looks up in a catalogue."""
    return {
        part.value
        for node in ast.walk(ast.parse(inspect.getsource(argparse)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        if node.func.id in ("_", "gettext", "ngettext")
        for part in node.args
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def test_all_that_argparse_can_say_is_in_the_catalogues() -> None:
    said = said_by_argparse()
    assert "usage: " in said
    assert said - NEVER_SAID - set(parsing.ARGPARSE) == set()
    assert not NEVER_SAID & set(parsing.ARGPARSE)


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_what_it_says_is_translated_as_it_reads_it(lang: str) -> None:
    catalogue = words.read(lang)
    for text in parsing.ARGPARSE:
        translation = str(catalogue[text].string)
        assert translation.endswith("\n") is text.endswith("\n")
        fields = re.findall(r"%(?:\(\w+\))?[rs]", text)
        assert sorted(re.findall(r"%(?:\(\w+\))?[rs]", translation)) == sorted(fields)
        # argparse shows it as it stands, without our typography.
        assert lang != "fr" or not re.search(r" [:;!?»]", translation)


@pytest.mark.parametrize(
    ("lang", "expected"), [("en", "usage: "), ("zh", "用法："), ("fr", "utilisation\u00a0: ")]
)
def test_argparse_speaks_the_current_language(
    lang: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGUAGE", "de")
    i18n.use(lang)
    with parsing.translated_argparse():
        assert argparse.ArgumentParser().format_usage().startswith(expected)
    assert argparse.ArgumentParser().format_usage().startswith("usage: ")


@pytest.mark.parametrize(
    ("argv", "rest"),
    [
        (["--lang", "fr", "test", "-k", "a b", "tests"], ["test", "-k", "a b", "tests"]),
        (["test", "--lang=fr", "-n", "-1", "--", "--lang", "zh"], ["test", "-n", "-1", "--", "--lang", "zh"]),
        (["snippet", "stream", "--lang", "fr", "new.py"], ["snippet", "stream", "new.py"]),
        (["--help", "--lang", "fr"], ["--help"]),
    ],
)  # fmt: skip
def test_the_language_may_stand_anywhere(argv: list[str], rest: list[str]) -> None:
    assert parsing.take_language(argv) == ("fr", rest)


def test_without_it_the_language_is_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i18n, "system_language", lambda: "zh")
    assert parsing.take_language(["lab"]) == ("zh", ["lab"])
