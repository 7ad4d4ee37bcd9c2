"""Tests of helpers.environment: an environment is made, kept, repaired, or the reader told why not."""

from __future__ import annotations

import ast
import errno
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import __main__ as command_line
from helpers import setup
from helpers.authoring import browser
from helpers.i18n import LANGUAGES
from helpers.setup import CourseError, environment, processes
from helpers.setup import jupyter as lab

STANDARD_ONLY = ("__init__", "__main__", "browser", "environment", "lab", "language")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose environment is set up; its requirements are one small package made here."""
    root = tmp_path_factory.mktemp("课程 é")
    package = root / "package"
    package.mkdir()
    (package / "tiny.py").write_text("", encoding="utf-8")
    wheel_of(package)
    (root / "requirements.txt").write_text("# none yet\n", encoding="utf-8")
    for name in environment.EXTRAS.values():
        (root / name).write_text(wheel_of(package, "heavy"), encoding="utf-8")
    shutil.copytree(setup.ROOT / "helpers", root / "helpers")
    environment.set_up("en", root)
    return root


@pytest.fixture
def finished(made: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Path]:
    """The same, finished again where a test before left it unfinished, in whatever order they run."""
    environment.set_up("en", made)
    capsys.readouterr()
    requirements = (made / "requirements.txt").read_text(encoding="utf-8")
    yield made
    (made / "requirements.txt").write_text(requirements, encoding="utf-8")


def wheel_of(folder: Path, name: str = "tiny", version: str = "1.0") -> str:
    """Write an empty package's wheel into `folder`, and return its requirement; needs no network."""
    info = f"{name}-{version}.dist-info"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{name}.py", "")
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        wheel.writestr(f"{info}/METADATA", about)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    return f"./{folder.name}/{path.name}\n"


def no_processes(*_: object, **__: object) -> None:
    raise AssertionError("a process was started")


def message(lang: str, root: Path) -> str:
    """Return the error of a set-up under `root`."""
    with pytest.raises(CourseError) as caught:
        environment.set_up(lang, root)
    return str(caught.value)


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> str:
    """The command that the errors should ask for."""
    monkeypatch.setattr(sys, "argv", ["helpers", "lab", "--port", "9"])
    return "-m helpers lab --port 9"


def test_set_up_makes_what_it_says(finished: Path) -> None:
    venv = finished / ".venv"
    python = processes.python_of(venv)
    code = "import helpers, sys; print(helpers.__file__); print(sys.prefix)"
    said = subprocess.check_output(
        [python, "-c", code], cwd="/", env=processes.child_environment(), encoding="utf-8"
    )
    assert said.splitlines() == [str(finished / "helpers" / "__init__.py"), str(venv)]
    for lang in LANGUAGES:
        assert (environment.lab_settings(finished, lang) / "overrides.json").is_file()
    (link,) = venv.glob("[lL]ib/**/course.pth")
    assert link.read_text(encoding="utf-8").isascii()


def test_second_set_up_starts_no_process(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", no_processes)
    assert environment.set_up("en", finished) == processes.python_of(finished / ".venv")
    assert capsys.readouterr().out == ""


def test_changed_requirements_are_installed_and_half_unpacked_packages_replaced(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (site,) = {path.parent for path in (finished / ".venv").glob("[lL]ib/**/pip")}
    half = site / "tiny-1.0.dist-info"  # what a pip that was killed leaves behind
    half.mkdir()
    (half / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n", "utf-8")
    wheel = "./package/tiny-1.0-py3-none-any.whl\n"
    (finished / "requirements.txt").write_text(wheel, encoding="utf-8")
    (half / "RECORD").write_text("tiny.py,,\n", encoding="utf-8")  # the wheel's own
    monkeypatch.setattr(environment, "create", no_processes)
    environment.set_up("zh", finished)
    assert "环境已经存在" in capsys.readouterr().out
    assert (site / "tiny.py").exists()
    assert environment.is_whole(half)
    assert environment.is_current(finished)


@pytest.mark.parametrize("damage", ["link", "pip", "moved", "unfinished"])
def test_only_a_sound_environment_is_kept(
    damage: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = tmp_path / ".venv"
    light = shutil.ignore_patterns("pip", "setuptools", "__pycache__")  # many files, never run
    shutil.copytree(finished / ".venv", venv, symlinks=True, ignore=light)
    shutil.copy(finished / "requirements.txt", tmp_path)
    if damage != "moved":  # the copied stamp names the place that it was copied from
        (venv / "course.json").unlink()
    if damage == "link":
        processes.python_of(venv).unlink()
        processes.python_of(venv).symlink_to(tmp_path / "gone")
    if damage == "pip":
        (record,) = venv.glob("[lL]ib/**/pip-*.dist-info/RECORD")
        record.write_text("pip/__init__.py,,\n", encoding="utf-8")
    calls: list[str] = []

    def create(root: Path, lang: str) -> None:
        calls.append("create")
        shutil.rmtree(venv)
        shutil.copytree(finished / ".venv", venv, symlinks=True, ignore=light)

    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(environment, "install", lambda *_: calls.append("install"))
    environment.set_up("en", tmp_path)
    assert calls == (["install"] if damage == "unfinished" else ["create", "install"])
    assert environment.is_current(tmp_path)


def installed(root: Path, name: str) -> list[str]:
    """Return the versions of a package that are in the environment under `root`."""
    found = (root / ".venv").glob(f"[lL]ib/**/{name}-*.dist-info")
    return [path.name.split("-")[1].removesuffix(".dist") for path in found]


@pytest.fixture
def own(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of the test's own, finished, with none of the extras added yet."""
    for name in ("package", "helpers"):
        shutil.copytree(finished / name, tmp_path / name)
    (tmp_path / "requirements.txt").write_text("# none\n", encoding="utf-8")
    for name in environment.EXTRAS.values():
        shutil.copy(finished / name, tmp_path)
    environment.set_up("en", tmp_path)
    return tmp_path


@pytest.mark.parametrize("extra", [next(iter(environment.EXTRAS))])  # they differ by a file's name
def test_an_extra_is_added_once_and_then_kept_in_step(
    extra: str, own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert installed(own, "heavy") == [] and not environment.extras_in(own)
    capsys.readouterr()
    environment.set_up("fr", own, extra=extra)
    assert "l'environnement existe déjà" in capsys.readouterr().out
    assert installed(own, "heavy") == ["1.0"] and environment.is_current(own)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", no_processes)
        environment.set_up("en", own, extra=extra)
        environment.set_up("en", own)
    assert capsys.readouterr().out == ""

    newer = wheel_of(own / "package", "heavy", "2.0")
    (own / environment.EXTRAS[extra]).write_text(newer, encoding="utf-8")
    environment.set_up("en", own)
    assert installed(own, "heavy") == ["2.0"]

    processes.python_of(own / ".venv").unlink()  # so that it has to be made anew
    environment.set_up("en", own)
    assert installed(own, "heavy") == ["2.0"] and environment.is_current(own)
    assert environment.extras_in(own) == {extra}


def test_where_training_cannot_be_added_the_rest_goes_on(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    (own / "requirements-train.txt").write_text("heavy-that-is-nowhere==1\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["helpers", "training"])
    with pytest.raises(CourseError, match="-m helpers training"):
        environment.set_up("en", own, extra="training")
    environment.set_up("en", own)
    assert environment.is_current(own) and not environment.extras_in(own)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_command_that_adds_it(
    lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def set_up(lang: str, extra: str | None) -> Path:
        asked.append((lang, extra))
        return Path("python")

    monkeypatch.setattr(environment, "set_up", set_up)
    monkeypatch.setattr(environment, "run", no_processes)
    assert command_line.main(["training", "--lang", lang]) == 0
    assert asked == [(lang, "training")]
    assert capsys.readouterr().out.strip() == environment.tell(environment.TRAINING_READY, lang)


def test_running_environment_is_never_deleted(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finished / ".venv" / "course.json").write_text('{"venv": "/elsewhere"}', encoding="utf-8")
    monkeypatch.setattr(sys, "prefix", str(finished / ".venv"))
    monkeypatch.setattr(environment, "create", no_processes)
    monkeypatch.setattr(environment, "install", lambda *_: None)
    environment.set_up("en", finished)
    assert environment.is_current(finished)


def test_lock_is_exclusive_and_opens_with_its_holder(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from helpers import environment\n"
        "with environment.lock(pathlib.Path(sys.argv[1]), 'en'): print('held'); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-u", "-c", code, tmp_path], stdout=subprocess.PIPE, cwd=setup.ROOT
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    waiter = subprocess.Popen(
        [sys.executable, "-u", "-c", code, tmp_path], stdout=subprocess.PIPE, cwd=setup.ROOT
    )
    assert waiter.stdout is not None
    assert waiter.stdout.readline().decode().strip() == environment.WAITING["en"]
    holder.kill()
    assert waiter.stdout.readline() == b"held\n"
    waiter.kill()
    for process in (holder, waiter):
        process.communicate()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_ensurepip(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    (tmp_path / "requirements.txt").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = message(lang, tmp_path)
    assert "sudo apt install python{}.{}-venv\n".format(*sys.version_info[:2]) in said
    assert typed in said


def test_no_network(finished: Path, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    (finished / "requirements.txt").write_text("tiny-that-is-nowhere==1\n", encoding="utf-8")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("PIP_RETRIES", "0")
    said = message("fr", finished)
    assert typed in said
    assert "HTTPS_PROXY" in said
    assert (finished / ".venv" / "install.log").read_text(encoding="utf-8")
    assert not environment.is_current(finished)


NETWORK = "ERROR: HTTPSConnectionPool(host='pypi.org'): Max retries exceeded with url: /simple"
DISK = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
BUILD = "ERROR: No matching distribution found for tiny==9"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("said", "expected"), [(NETWORK, "HTTPS_PROXY"), (DISK, "1 G"), (BUILD, BUILD)]
)
def test_what_pip_says_is_explained(
    said: str, expected: str, lang: str, tmp_path: Path, typed: str
) -> None:
    text = str(environment.failure("\n".join(["Collecting tiny", said]), tmp_path, lang))
    assert expected in text
    assert typed in text
    assert (str(tmp_path / ".venv" / "install.log") in text) == (said != DISK)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_folder_that_cannot_be_written_to(
    number: int, lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "requirements.txt").touch()
    monkeypatch.setattr(Path, "mkdir", refuse)
    said = message(lang, tmp_path)
    assert typed in said
    assert (f"\n    {tmp_path}\n" in said) == (number != errno.ENOSPC)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_old_python_is_told_what_to_install(lang: str, typed: str) -> None:
    environment.check_python(lang, (3, 10, 0))
    with pytest.raises(CourseError) as caught:
        environment.check_python(lang, (3, 9, 18))
    said = str(caught.value)
    assert "3.9" in said
    assert "https://www.python.org/downloads/" in said
    assert typed in said


@pytest.mark.parametrize("name", STANDARD_ONLY)
def test_old_python_can_read_the_modules_that_tell_it_so(name: str) -> None:
    source = (setup.ROOT / "helpers" / f"{name}.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 7))
    assert "from __future__ import annotations" in source


def test_command_line_needs_only_the_standard_library() -> None:
    code = "import sys; from helpers import __main__, lab; print(*sys.modules)"
    names = subprocess.check_output(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, sys.argv[1]); {code}"]
        + [str(setup.ROOT)],
        encoding="utf-8",
    ).split()
    top = {name.partition(".")[0] for name in names}
    assert top - set(sys.stdlib_module_names) <= {"helpers", "__main__"}


def test_progress_follows_pip() -> None:
    ignored = "Ignoring appnope: markers 'sys_platform == \"darwin\"' don't match\n"
    assert environment.progress(ignored + "Collecting a==1 (from -r x)\n", 4, 0) == (0, 1, 3)
    found = ignored + "Collecting a==1\nCollecting b==1\nRequirement already satisfied: c==1\n"
    fetched = "  Using cached a-1.whl.metadata (1 kB)\n  Downloading a-1.whl (9 kB)\n"
    assert environment.progress(found + fetched, 4, 0) == (1, 1, 2)
    assert environment.progress("Requirement already satisfied: c==1\n", 1, 0) == (0, 1, 1)
    assert environment.progress(found + "Installing collected packages: a, b\n", 4, 1) == (2, 1, 2)


def test_every_text_is_in_every_language() -> None:
    for module in (environment, lab, command_line):
        tables = [value for name, value in vars(module).items() if re.fullmatch("[A-Z_]+", name)]
        tables += [*environment.INSTALLING, *(texts for _, texts in command_line.COMMANDS.values())]
        for texts in tables:
            if isinstance(texts, dict) and "en" in texts:
                assert set(texts) == set(LANGUAGES)
                fields = {lang: set(re.findall(r"{(\w+)}", texts[lang])) for lang in LANGUAGES}
                assert fields["zh"] == fields["fr"] == fields["en"]
                assert not re.search(r"[,;:!?]|[\u4e00-\u9fff][A-Za-z0-9{]", plain(texts["zh"]))


def plain(text: str) -> str:
    """Return `text` without addresses, and without the name of a shell variable's example."""
    return re.sub(r"https?://[^\s，。]*", "", text)


def test_french_spaces_do_not_break() -> None:
    said = environment.tell({"fr": "Tapez : {x} ; « oui »"}, "fr", x="a : b")
    assert said == "Tapez\u00a0: a : b\u00a0; «\u00a0oui\u00a0»"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_unknown_command_and_usage(
    lang: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "system_language", lambda: lang)
    assert command_line.main(["biuld"]) == 2
    said = capsys.readouterr().err
    assert "biuld" in said
    assert "-m helpers --help" in said
    for argv in ([], ["--help"], ["lab", "--help"]):
        assert command_line.main(argv) == 0
        shown = capsys.readouterr().out
        assert all(texts[lang] in shown for _, texts in command_line.COMMANDS.values())


@pytest.mark.parametrize("command", ["training", "doctor", "serve", "build", "test", "screenshots"])
def test_asking_for_help_installs_nothing(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object, **__: object) -> Path:
        raise AssertionError("something would be installed")

    monkeypatch.setattr(environment, "set_up", refused)
    monkeypatch.setattr(environment, "is_current", lambda root: False)
    if command == "training":
        for argv, code in ((["--help"], 0), (["--hlep"], 2)):
            with pytest.raises(SystemExit) as ended:
                command_line.main([command, *argv])
            assert ended.value.code == code
    else:
        assert command_line.main([command, "--help"]) == 0
    assert command in capsys.readouterr().out


def test_commands_run_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def run(command: list[str], cwd: Path | None = None) -> int:
        started.append(command)
        return 5

    monkeypatch.setattr(environment, "set_up", lambda lang, extra: Path("python"))
    monkeypatch.setattr(environment, "run", run)
    monkeypatch.setattr(environment, "is_inside", lambda venv: False)
    assert command_line.main(["test", "-k", "x"]) == 5
    assert command_line.main(["build", "--fast"]) == 5
    assert started == [
        ["python", "-m", "pytest", "-k", "x"],
        ["python", "-m", "helpers", "build", "--fast"],
    ]


@pytest.mark.parametrize("found", [None, Path("chromium")])
def test_what_a_browser_needs_is_added_for_the_tests_where_there_is_one(
    found: Path | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[object] = []

    def set_up(lang: str, extra: str | None) -> Path:
        done.append(extra)
        if extra:
            raise CourseError("no network")
        return Path("python")

    def run(command: list[str], cwd: Path) -> int:
        done.append(command)
        return 0

    monkeypatch.setattr(browser, "find", lambda: found)
    monkeypatch.setattr(environment, "set_up", set_up)
    monkeypatch.setattr(environment, "run", run)
    assert command_line.main(["test", "-x"]) == 0
    assert done == [None, *(["browser"] if found else []), ["python", "-m", "pytest", "-x"]]
    assert ("no network" in capsys.readouterr().err) is bool(found)


def test_interrupted_set_up_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(lang: str, extra: str | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "set_up", interrupt)
    assert command_line.main(["test", "-x"]) == 130
    assert "-m helpers test -x" in capsys.readouterr().err
