"""Tests of the single commands: what each takes, hands on and returns."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import cli, exercises, i18n
from helpers.authoring import browser, builder, fresh, pins, screenshots, seen, snippet, words
from helpers.authoring.problems import Problem
from helpers.backend import doctor, serving
from helpers.exercises import progress
from helpers.i18n import LANGUAGES, _
from helpers.models import local
from helpers.setup import ROOT, CourseError, environment, jupyter, processes


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """Let commands that enter the environment go on here; the list says with which extra."""
    entered: list[str | None] = []

    def enter(extra: str | None = None) -> None:
        entered.append(extra)

    monkeypatch.setattr(environment, "enter", enter)
    yield entered
    assert len(entered) <= 1


def wrong(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Return what is said of arguments that are wrong."""
    with pytest.raises(SystemExit) as ended:
        cli.main(argv)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_lab_hands_on_what_is_jupyterlabs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[object, ...]] = []

    def serve(*arguments: object) -> int:
        calls.append(arguments)
        return 7

    monkeypatch.setattr(jupyter, "check_notebooks", lambda root, lang: calls.append((root, lang)))
    monkeypatch.setattr(environment, "set_up", lambda: Path("python"))
    monkeypatch.setattr(jupyter, "choose_port", lambda port: port)
    monkeypatch.setattr(jupyter, "serve", serve)
    argv = ["lab", "--lang=fr", "--port", "9000", "--no-browser", "--LabApp.x=1", "-y"]
    assert cli.main(argv) == 7
    extra = ["--no-browser", "--LabApp.x=1", "-y"]
    assert calls == [(ROOT, "fr"), (Path("python"), ROOT, "fr", 9000, "127.0.0.1", extra)]


@pytest.mark.parametrize("found", [None, Path("chromium")])
def test_what_a_browser_needs_is_added_for_the_tests_where_there_is_one(
    found: Path | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[object] = []

    def set_up(extra: str | None = None) -> Path:
        done.append(extra)
        if extra:
            raise CourseError("no network")
        return Path("python")

    def run(command: list[str], cwd: Path) -> int:
        done.append(command)
        return 5

    monkeypatch.setattr(browser, "find", lambda: found)
    monkeypatch.setattr(environment, "set_up", set_up)
    monkeypatch.setattr(processes, "run", run)
    assert cli.main(["test", "tests/cli", "-k", "a or b", "-x"]) == 5
    command = ["python", "-m", "pytest", "tests/cli", "-k", "a or b", "-x"]
    assert done == [None, *(["browser", "site"] if found else []), command]
    assert ("no network" in capsys.readouterr().err) is bool(found)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_training_adds_its_packages(
    lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    monkeypatch.setattr(environment, "set_up", lambda extra: asked.append(extra))
    assert cli.main(["training", "--lang", lang]) == 0
    assert asked == ["training"]
    ready = "What training needs is installed. Restart the kernel of any notebook that is open."
    assert capsys.readouterr().out.strip() == _(ready)


def test_local_runs_what_it_installs_or_the_weights_that_it_is_given(
    inside: list[str | None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    done: list[object] = []

    def run(*given: object, source: object) -> int:
        done.append((given, source))
        return 3

    monkeypatch.setattr(environment, "add_weights", lambda: done.append("added"))
    monkeypatch.setattr(local, "weights", lambda: Path("small.gguf"))
    monkeypatch.setattr(local, "load", str)
    monkeypatch.setattr(local, "source", lambda shop: shop)
    monkeypatch.setattr(serving, "run", run)
    assert cli.main(["local", "--run", "--port", "0"]) == 3
    assert inside == ["training"]
    inside.clear()
    assert cli.main(["local", "--weights", str(tmp_path)]) == 3
    here = "127.0.0.1"
    assert done == [
        "added",
        ((here, 0, None, 0), "small.gguf"),
        ((here, 8000, None, 0), str(tmp_path)),
    ]


@pytest.mark.parametrize("well", [True, False])
def test_doctor_tells_by_its_exit_code(
    well: bool, inside: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "doctor", lambda: well)
    assert cli.main(["doctor", "--lang", "zh"]) == (0 if well else 1)
    assert inside == [None] and i18n.language() == "zh"


def test_progress_is_shown_and_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(progress.FOLDER_VARIABLE, str(tmp_path))
    for name in ("04-stream/first-token", "00-start/ask", "03-invoke/say"):
        progress.record(name, solved=True)
    for asked in ("04", "start"):
        assert cli.main(["progress", "--reset", asked]) == 0
    assert list(progress.read()) == ["03-invoke/say"]
    assert cli.main(["progress", "--reset"]) == 0
    assert progress.read() == {}
    capsys.readouterr()
    assert cli.main(["progress", "--lang", "fr"]) == 0
    assert capsys.readouterr().out == f"{exercises.overview()}\n"
    said = wrong(capsys, "progress", "--reset", "99", "--lang", "fr")
    assert "pas de leçon 99" in said and "04-stream" in said


def test_progress_that_cannot_be_forgotten(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(lesson: str | None) -> None:
        raise progress.ProgressError("in use")

    monkeypatch.setattr(progress, "reset", refuse)
    assert cli.main(["progress", "--reset"]) == 1
    assert "could not be saved: in use" in capsys.readouterr().err


@pytest.mark.parametrize("lang", LANGUAGES)
def test_snippets_are_listed_printed_or_written(
    lang: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["snippet", "--lang", lang]) == 0
    assert capsys.readouterr().out == snippet.table(snippet.snippets(lang)) + "\n"
    program = snippet.program(snippet.choose("stream", lang))
    assert cli.main(["snippet", "stream", "--lang", lang]) == 0
    assert capsys.readouterr().out == program
    new = tmp_path / "new.py"
    assert cli.main(["snippet", "stream", "--lang", lang, str(new)]) == 0
    assert str(new) in capsys.readouterr().out and new.read_text(encoding="utf-8") == program
    assert cli.main(["snippet", "strem", "--lang", lang]) == 1


def test_serve_hands_on_what_it_is_told(
    inside: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def run(*arguments: object) -> int:
        calls.append(arguments)
        return 3

    monkeypatch.setattr(serving, "run", run)
    assert cli.main(["serve"]) == 3
    inside.clear()
    given = "serve --host :: --port 0 --token t --pace 0.5 --cors *"
    assert cli.main(given.split()) == 3
    assert calls == [("127.0.0.1", 8000, None, None, None), ("::", 0, "t", 0.5, "*")]


def test_serve_names_the_variable_that_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["serve", "--help"])
    assert serving.TOKEN_VARIABLE in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--port", "65536"), "--port: must be from 0 to 65535"),
        (("--port", "-1"), "--port: must be from 0 to 65535"),
        (("--port", "x"), "--port: invalid port value: 'x'"),
        (("--pace", "nan"), "--pace: must be 0 or more"),
        (("--pace", "inf"), "--pace: must be 0 or more"),
        (("--pace", "-1"), "--pace: must be 0 or more"),
    ],
)
def test_serve_refuses_ports_and_paces_that_are_none(
    arguments: tuple[str, str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in wrong(capsys, "serve", *arguments, "--lang", "en")


def test_build_builds_or_checks_and_prints_the_problems(
    inside: list[str | None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[object] = []

    def check(names: list[str]) -> list[Problem]:
        calls.append(names)
        return [Problem("04-stream", "why", "zh", "is stale")]

    def build(names: list[str], teachers: Path | None) -> list[Problem]:
        calls.append((names, teachers))
        return []

    monkeypatch.setattr(builder, "check", check)
    monkeypatch.setattr(builder, "build", build)
    assert cli.main(["build", "--check"]) == 1
    assert capsys.readouterr().err == "04-stream, cell 'why', zh: is stale\n"
    inside.clear()
    assert cli.main(["build", "04", "05", "--solutions", "teacher"]) == 0
    assert calls == [[], (["04", "05"], Path("teacher"))]
    assert "--check" in wrong(capsys, "build", "--check", "--solutions", "teacher")


def test_status_and_translated_print_what_the_builder_says(
    inside: list[str | None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(builder, "status", lambda: "ready")
    assert cli.main(["status"]) == 0
    inside.clear()
    monkeypatch.setattr(builder, "translated", lambda *names: " ".join(names))
    assert cli.main(["translated", "04", "why", "zh", "--lang", "fr"]) == 0
    assert capsys.readouterr().out == "ready\n04 why zh\n" and i18n.language() == "fr"


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_words_are_updated_unless_only_checked(
    arguments: list[str],
    inside: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    problems = [Problem("words", "", "fr", "'Yes' is fuzzy")]
    monkeypatch.setattr(words, "update", problems.clear)
    monkeypatch.setattr(words, "problems", lambda: problems)
    assert cli.main(["words", *arguments]) == (1 if arguments else 0)
    assert ("'Yes' is fuzzy" in capsys.readouterr().err) is bool(arguments)


@pytest.mark.parametrize(
    ("arguments", "options", "extra"),
    [
        (["17"], [], None),
        (["17", "--pre"], ["--pre"], None),
        (["17", "--training", "--constraint", "old.txt"], ["--constraint"], "training"),
    ],
)
@pytest.mark.parametrize("changed", [False, True])
def test_fresh_reports_what_differs_and_notes_what_does_not(
    changed: bool,
    arguments: list[str],
    options: list[str],
    extra: str | None,
    inside: list[str | None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = fresh.Difference(fresh.SHEET, "stream", "en", "old", "new")
    made: list[str] = []
    noted: list[seen.Run] = []

    def make(packages: list[str], options: list[str]) -> Path:
        made.extend(options)
        return Path("python")

    monkeypatch.setattr(fresh, "REPORT", tmp_path / "report.md")
    monkeypatch.setattr(fresh, "make", make)
    now = {"python": "3.14", **dict.fromkeys(seen.TAUGHT, "9.0")}
    monkeypatch.setattr(fresh, "versions", lambda python: now)
    monkeypatch.setattr(fresh, "run_pages", lambda lessons, python: [page] if changed else [])
    alone = [page._replace(alone=True)] if changed else []
    monkeypatch.setattr(fresh, "run_snippets", lambda python: alone)
    monkeypatch.setattr(seen, "note", noted.append)
    assert cli.main(["fresh", *arguments]) == int(changed)
    assert inside == [extra] and [one for one in made if one.startswith("--")] == options
    report, said = (tmp_path / "report.md").read_text("utf-8"), capsys.readouterr().out
    assert ("<pre>new</pre>" in report) is changed is ("in this run" in said)
    assert "| openai |" in report and "openai: " in said and str(tmp_path) in said
    if "--pre" in arguments:
        assert noted == []
        return
    (run,) = noted
    assert run.versions == now
    assert (
        ("17-cheat-sheet" in run.different) is ("17-cheat-sheet/stream" in run.different) is changed
    )
    assert "17-cheat-sheet/batch" in run.alike


def test_pins_are_made_and_named(
    inside: list[str | None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pins, "make", lambda upgrade: [Path(f"upgrade-{upgrade}.txt")])
    assert cli.main(["pins", "--upgrade"]) == 0
    assert capsys.readouterr().out == "upgrade-True.txt\n" and inside == [None]


def test_screenshots_ask_for_a_browser_before_anything_is_installed(
    inside: list[str | None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screenshots, "make", lambda folder: [folder / "lesson-en.png"])
    monkeypatch.setattr(browser, "find", lambda: None)
    assert cli.main(["screenshots"]) == 1
    assert inside == []
    monkeypatch.setattr(browser, "find", lambda: Path("chromium"))
    assert cli.main(["screenshots"]) == 0
    assert inside == ["browser"]
    assert str(screenshots.IMAGES / "lesson-en.png") in capsys.readouterr().out
