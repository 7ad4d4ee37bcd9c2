"""Tests of the command line as a whole: which commands there are, in which language, and how they end."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers import cli, i18n
from helpers.authoring import words
from helpers.cli import parsing
from helpers.i18n import LANGUAGES, _
from helpers.setup import ROOT, CourseError, environment, files, python
from helpers.setup.processes import typed


def refused(*_arguments: object, **_named: object) -> Path:
    raise AssertionError("something would be installed")


def ended(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str]:
    """Return the exit code with which argparse ends the process, and what was said."""
    with pytest.raises(SystemExit) as caught:
        cli.main(argv)
    captured = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, captured.out + captured.err


def test_every_module_is_a_command_that_help_names() -> None:
    modules = {module.name for module in pkgutil.iter_modules(cli.__path__)}
    assert modules - {"parsing"} == set(cli.COMMANDS)
    assert len(cli.COMMANDS) == len(set(cli.COMMANDS))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_commands_are_listed_by_who_wants_them(
    lang: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in (["--lang", lang], ["--help", "--lang", lang], [f"--lang={lang}", "-h"]):
        assert cli.main(argv) == 0
        lines = capsys.readouterr().out.splitlines()
        assert i18n.language() == lang
        expected = []
        for title, names in cli.GROUPS.items():
            expected.append(_(title))
            for name in names:
                does = importlib.import_module(f"helpers.cli.{name}").HELP
                expected.append(f"{name} {_(does)}")
        assert [re.sub(" +", " ", line.strip(" ")) for line in lines[2:-1] if line] == expected


@pytest.mark.parametrize("lang", LANGUAGES)
def test_an_unknown_command_is_told_where_the_others_are(
    lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(i18n, "system_language", lambda: lang)
    assert cli.main(["biuld", "--check"]) == 2
    unknown = _("There is no command {name}. To see the commands, type:\n\n    {command}", lang)
    assert capsys.readouterr().err.strip() == unknown.format(name="biuld", command=typed("--help"))


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_is_in_the_readers_language_and_installs_nothing(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "set_up", refused)
    monkeypatch.setenv("COLUMNS", "200")  # each thing on one line
    texts = {}
    for lang in LANGUAGES:
        for argv in ([command, "--help", "--lang", lang], ["--lang", lang, command, "-h"]):
            code, texts[lang] = ended(capsys, *argv)
            assert code == 0
        assert f"-m helpers {command} " in texts[lang] and "--lang {en,zh,fr}" in texts[lang]
    english = {line.strip() for line in texts["en"].splitlines() if line.strip()}
    for lang in ("zh", "fr"):
        same = english & {line.strip() for line in texts[lang].splitlines()}
        assert same == set(), f"{lang} says this in English"


def test_an_unknown_argument_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = ended(capsys, "training", "--hlep", "--lang", "fr")
    assert code == 2 and "arguments inconnus\u00a0: --hlep" in said
    code, said = ended(capsys, "status", "--lang", "xx")
    assert code == 2 and "'xx'" in said and "fr" in said


def test_an_old_python_is_told_before_all_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "check_python", lambda: python.check_python((3, 8, 10)))
    assert cli.main(["lab", "--lang", "zh"]) == 1
    assert "3.8" in capsys.readouterr().err


def test_what_the_reader_can_put_right_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(extra: str | None) -> None:
        raise CourseError("no network")

    monkeypatch.setattr(environment, "set_up", fail)
    assert cli.main(["training"]) == 1
    assert capsys.readouterr().err == "\nno network\n"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_interrupted_set_up_says_how_to_go_on(
    lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "set_up", interrupt)
    assert cli.main(["test", "-x", "--lang", lang]) == 130
    said = capsys.readouterr().err
    assert f"-m helpers test -x --lang {lang}" in said
    assert said.startswith(
        "\n" + _("Stopped. The same command goes on from here:\n\n    {command}")[:3]
    )


def test_a_code_page_that_lacks_signs_is_no_reason_to_fail() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "helpers", "--lang", "zh"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"},
        capture_output=True,
    )
    assert done.returncode == 0 and b"JupyterLab" in done.stdout and b"?" in done.stdout


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_being_terminated_is_an_end_like_others() -> None:
    code = (
        "import os, signal, sys; from helpers import cli; from helpers.setup import environment\n"
        "def end(): os.kill(os.getpid(), signal.SIGTERM); signal.pause()\n"
        "environment.set_up = end\n"
        "try: cli.main(['test'])\n"
        "finally: print('children are ended')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE)
    assert done.returncode == 128 + 15 and done.stdout.strip() == b"children are ended"


def test_children_do_not_inherit_what_argparse_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    i18n.use("fr")
    with parsing.translated_argparse():
        assert os.environ["LANGUAGE"] == "fr"
    assert os.environ["LANGUAGE"] == "en"
    monkeypatch.delenv("LANGUAGE")
    with parsing.translated_argparse():
        assert os.environ["LANGUAGE"] == "fr"
    assert "LANGUAGE" not in os.environ


def test_chinese_has_chinese_signs_and_a_gap_beside_latin_letters() -> None:
    texts = [
        re.sub(r"https?://[^\s，。]*", "", str(message.string))
        for message in words.read("zh")
        if any(
            path.startswith(("helpers/cli/", "helpers/setup/")) for path, _line in message.locations
        )
    ]
    assert len(texts) > 50
    for text in texts:
        assert not re.search(r"[,;:!?]|[\u4e00-\u9fff][A-Za-z0-9{%]", text)
        assert not re.search(r"[A-Za-z0-9}][\u4e00-\u9fff]", text)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("wanted", [False, True])
def test_no_command_ends_in_a_traceback(
    wanted: bool, lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(extra: str | None) -> None:
        raise ImportError("cannot import name 'X', key sk-12345678901234567890")

    monkeypatch.setattr(environment, "set_up", fail)
    monkeypatch.setattr(sys, "argv", ["helpers", "training"])
    if wanted:
        monkeypatch.setenv(cli.TRACEBACK_VARIABLE, "1")
    assert cli.main(["training", "--lang", lang]) == 1
    said = capsys.readouterr().err
    assert ("Traceback" in said) is wanted
    assert "ImportError: cannot import name 'X'" in said and "sk-1234" not in said
    assert "-m helpers training" in said and cli.TRACEBACK_VARIABLE in said
    assert ("did not foresee" in said) is (lang == "en")


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(13, "Permission denied", "/there/some.json"),
        OSError(28, "No space left on device", "/there/some.json"),
        NotADirectoryError(20, "Not a directory", "/there/some.json"),
    ],
)
def test_a_file_that_the_system_refuses_is_named(
    error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(extra: str | None) -> None:
        raise error

    monkeypatch.setattr(environment, "set_up", fail)
    assert cli.main(["training"]) == 1
    said = capsys.readouterr().err
    assert f"The system refuses /there/some.json: {error.strerror}." in said
    assert "Traceback" not in said


@pytest.mark.skipif(os.name == "nt", reason="closes a POSIX pipe")
def test_whoever_reads_may_stop_reading() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from helpers import cli; raise SystemExit(cli.main([]))"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    with process:
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("command", [["lab"], ["build", "03"]])
def test_a_course_that_cannot_be_written_to_is_told_at_once(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "set_up", refused)
    monkeypatch.setattr(files, "is_writable", lambda path: False)
    assert cli.main([*command, "--lang", "en"]) == 1
    assert capsys.readouterr().err.startswith("\nThis folder cannot be written to")


def test_progress_and_help_need_nothing_installed(tmp_path: Path) -> None:
    """In a Python without packages, as a new computer has it."""
    code = "import sys; sys.path.insert(0, sys.argv.pop(1)); from helpers import cli; "
    code += "sys.exit(cli.main(sys.argv[1:]))"
    for argv in (["progress"], ["progress", "--reset"], ["progress", "--reset", "04"], ["--help"]):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, ROOT, *argv],
            env={**os.environ, "COURSE_PROGRESS": str(tmp_path)},
            capture_output=True,
        )
        assert (done.returncode, done.stderr) == (0, b"")
