"""Windows and macOS imitated: what the code does otherwise there, as far as that is possible here.

CONTRIBUTING.md has the list, with the test of each entry. A whole run on the real systems is what
.github/workflows/tests.yml is for.
"""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import io
import os
import re
import selectors
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from helpers import i18n
from helpers.backend import serving
from helpers.builtin import MODEL, faults, handler, server
from helpers.setup import ROOT, CourseError, environment, files, jupyter, pip, processes, python
from tests.authoring import alone
from tests.builtin.asking import COUNT, answered

GUIDE = ROOT / "CONTRIBUTING.md"


def on_windows(module: types.ModuleType, patch: pytest.MonkeyPatch) -> None:
    """Let `module` alone believe that os.name is Windows': pathlib believes it too otherwise."""
    patch.setattr(module, "os", types.SimpleNamespace(**{**vars(os), "name": "nt"}))


def anew(module: types.ModuleType) -> types.ModuleType:
    """Return the module run a second time, beside the one that is imported."""
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_anew", str(module.__file__))
    assert spec and spec.loader
    again = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(again)
    return again


class Console:
    """msvcrt's locks, which are of bytes: the first byte may be locked by one open file only."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1) and os.lseek(descriptor, 0, os.SEEK_CUR) == 0
        name = str(os.fstat(descriptor).st_ino)
        if self.held.setdefault(name, descriptor) != descriptor:
            raise PermissionError(13, "Permission denied")


@pytest.fixture
def windows_files(monkeypatch: pytest.MonkeyPatch) -> Any:
    """helpers.setup.files as it is on Windows."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", Console())
    return anew(files)


def test_a_lock_of_windows_lets_one_in(windows_files: Any, tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with path.open("a", encoding="utf-8") as first, path.open("a", encoding="utf-8") as second:
        assert windows_files.try_lock(first)
        assert not windows_files.try_lock(second)


def test_a_file_that_is_being_read_is_replaced_when_its_reader_is_done(
    windows_files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, refusals = Path.replace, [PermissionError(13, "in use")] * 2

    def busy(new: Path, target: Path) -> Path:
        if refusals:
            raise refusals.pop()
        return replace(new, target)

    monkeypatch.setattr(Path, "replace", busy)
    windows_files.PAUSES = (0, 0, 0)
    path = tmp_path / "progress.json"
    windows_files.write_whole(path, "新\n")
    assert path.read_bytes() == "新\n".encode()
    refusals += [PermissionError(13, "in use")] * 4
    with pytest.raises(PermissionError):
        windows_files.write_whole(path, "other")
    assert [one.name for one in tmp_path.iterdir()] == ["progress.json"]


def test_a_set_up_of_windows_asks_for_no_user_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "getuid", raising=False)
    monkeypatch.setattr(environment, "try_lock", lambda file: True)
    with environment.lock(tmp_path / ".venv"):
        (lock,) = tmp_path.glob("course-*.lock")
    assert re.fullmatch(r"course-[0-9a-f]{16}\.lock", lock.name)


@pytest.mark.parametrize(("has_py", "name"), [(True, "py"), (False, "python.exe")])
def test_on_windows_it_is_py_that_people_type(
    has_py: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_windows(processes, monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda _: "C:\\Windows\\py.exe" if has_py else None)
    monkeypatch.setattr(sys, "executable", "/somewhere/python.exe")
    assert processes.typed("lab") == f"{name} -m helpers lab"
    folder = processes.typed("build", "--solutions", "C:\\My course\\teacher")
    assert folder.endswith('build --solutions "C:\\My course\\teacher"')


def test_an_environment_of_windows_has_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    on_windows(processes, monkeypatch)
    assert processes.python_of(Path(".venv")).as_posix() == ".venv/Scripts/python.exe"


def test_an_old_python_of_windows_is_told_to_use_py(monkeypatch: pytest.MonkeyPatch) -> None:
    on_windows(python, monkeypatch)
    with pytest.raises(CourseError, match="py -3 -m helpers"):
        python.check_python((3, 10, 0))


@pytest.mark.parametrize("lang", i18n.LANGUAGES)
def test_a_path_that_is_too_long_is_explained(lang: str, tmp_path: Path) -> None:
    i18n.use(lang)
    said = (
        "ERROR: Could not install packages due to an OSError: [Errno 2] No such file or directory: "
        "'C:\\\\a\\\\very\\\\long\\\\path'\nHINT: This error might have occurred since this system "
        "does not have Windows Long Path support enabled."
    )
    told = str(pip.failure(said, tmp_path))
    assert "C:\\course" in told and "260" in told and "install.log" in told


@pytest.mark.parametrize(
    ("number", "lang"), [(0x0804, "zh"), (0x0C04, "zh"), (0x0C0C, "fr"), (0x0407, "en"), (1, "en")]
)
def test_windows_says_its_language_by_a_number(
    number: int, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel32 = types.SimpleNamespace(GetUserDefaultUILanguage=lambda: number)
    fake = types.SimpleNamespace(windll=types.SimpleNamespace(kernel32=kernel32))
    monkeypatch.setitem(sys.modules, "ctypes", fake)
    monkeypatch.setattr(sys, "platform", "win32")
    assert i18n.system_language() == lang


@pytest.mark.parametrize(
    ("page", "lang", "sign"), [("cp936", "zh", "课"), ("cp936", "fr", "?"), ("cp1252", "fr", "ç"), ("cp437", "zh", "?")]
)  # fmt: skip
def test_a_console_shows_what_its_code_page_has(
    page: str, lang: str, sign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from helpers import cli

    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, page, newline="\r\n"))
    assert cli.main(["--lang", lang]) == 0
    sys.stdout.flush()
    assert sign in shown.getvalue().decode(page)


STARTS = ("run", "Popen", "check_output")  # of subprocess


def test_no_text_is_read_or_written_in_the_code_page() -> None:
    """ruff's PLW1514 sees what opens a file; this sees a subprocess whose text has no encoding."""
    for path in (ROOT / "helpers").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in STARTS:
                named = {keyword.arg for keyword in node.keywords}
                assert not named & {"text", "universal_newlines"} or "encoding" in named, (
                    f"{path}:{node.lineno}"
                )


@pytest.fixture
def on_select(monkeypatch: pytest.MonkeyPatch) -> Iterator[server.Server]:
    """A built-in model whose loop waits as Windows' does: by select()."""
    loop = asyncio.SelectorEventLoop

    def selecting() -> asyncio.SelectorEventLoop:
        return loop(selectors.SelectSelector())

    monkeypatch.setattr(asyncio, "SelectorEventLoop", selecting)
    on_windows(server, monkeypatch)
    started = server.serve(0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("LANGSMITH_TRACING_V2", "false")
    yield started
    started.close()


def test_serve_answers_on_the_selector_loop_of_windows(on_select: server.Server) -> None:
    from langchain_openai import ChatOpenAI

    chat = ChatOpenAI(model=MODEL, base_url=on_select.url, api_key=SecretStr("x"), max_retries=0)
    assert chat.invoke(COUNT).text == answered("count")
    assert "".join(chunk.text for chunk in chat.stream(COUNT)) == answered("count")
    assert [one.text for one in chat.batch([COUNT] * 20)] == [answered("count")] * 20

    async def together() -> list[str]:
        return [one.text for one in await asyncio.gather(*(chat.ainvoke(COUNT) for _ in range(20)))]

    assert asyncio.run(together()) == [answered("count")] * 20


def test_a_port_that_is_let_go_is_ours_again_on_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """There SO_REUSEADDR would let another program take it at the same time."""
    asked = []
    monkeypatch.setattr(socket.socket, "setsockopt", lambda *given: asked.append(given[1:]))
    for module in (server, jupyter):
        on_windows(module, monkeypatch)
    server._bound(socket.AF_INET, ("127.0.0.1", 0)).close()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert not jupyter.is_free(taken.getsockname()[1])
    assert (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1) not in asked


def test_a_fault_that_refuses_ends_on_windows(on_select: server.Server) -> None:
    address = ("127.0.0.1", int(on_select.url.split(":")[2].partition("/")[0]))
    calls = on_select.provoke(faults.Fault("refused"), None, None)
    with pytest.raises(OSError):
        socket.create_connection(address, timeout=1)
    calls.end()
    socket.create_connection(address, timeout=1).close()


def test_windows_resets_a_connection_by_two_short_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert struct.unpack("HH", anew(handler).RESET) == (1, 0)


def test_a_loop_of_windows_takes_fewer_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert serving.allow_files(500) * 2 < 512 - 20
    assert serving.allow_files(3) == 3


def test_jupyterlab_on_windows_asks_nobody_who_is_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = []

    def start(command: list[str], **_: Any) -> None:
        commands.append(command)
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.delattr(os, "geteuid", raising=False)
    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        jupyter.serve_from(tmp_path, Path(sys.executable), ROOT, "en", 8888, "127.0.0.1", [])
    assert "--allow-root" not in commands[0]


def test_where_nothing_can_fork_each_snippet_has_an_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fork", raising=False)
    for name, code in (("good", "print('é')"), ("bad", "import regex")):
        (tmp_path / f"{name}.py").write_text(code, encoding="utf-8")
    assert alone.run_all(tmp_path, ["packaging"]) == {"bad": 1, "good": 0}
    assert (tmp_path / "good.out").exists() and "regex" in (tmp_path / "bad.err").read_text("utf-8")


OTHERWISE = re.compile(r"os\.name|sys\.platform|hasattr\(os,")


def test_the_list_has_each_place_where_the_code_does_something_else() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    section = guide.partition("## Windows and macOS")[2].partition("\n## ")[0]
    places = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "helpers").rglob("*.py")
        if OTHERWISE.search(path.read_text(encoding="utf-8"))
    }
    listed = set(re.findall(r"`(helpers/[\w/]+\.py)`", section))
    assert places <= listed and all((ROOT / place).exists() for place in listed)


def test_the_list_names_tests_that_there_are() -> None:
    section = GUIDE.read_text(encoding="utf-8").partition("## Windows and macOS")[2]
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", section.partition("\n## ")[0])
    assert len(named) > 15
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), test
