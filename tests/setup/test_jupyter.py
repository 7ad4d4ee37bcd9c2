"""Tests of helpers.setup.jupyter: JupyterLab is started, found, and stopped again."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import i18n, setup
from helpers.authoring import browser
from helpers.i18n import LANGUAGES
from helpers.setup import CourseError, processes
from helpers.setup import jupyter as lab

# What is started from a shell's background ignores Ctrl-C, and so would all that it starts.
SERVE = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from pathlib import Path; from helpers.setup import jupyter as lab; _, lang, port, *extra = sys.argv; "
    "sys.exit(lab.serve(Path(sys.executable), Path.cwd(), lang, int(port), extra=extra))"
)
# A JupyterLab that notes where it is and the token that it was given, listens, and ends.
INFO = {"sock": "", "secure": False, "hostname": "127.0.0.1", "port": 8888, "base_url": "/"}
SHOW_TOKEN = f"""
import json, os, pathlib, socket, time
server = socket.create_server(("127.0.0.1", 0))
info = {{**{INFO}, "port": server.getsockname()[1]}}
token = os.environ.get("JUPYTER_TOKEN", "")
pathlib.Path("token").write_text(token)
note = pathlib.Path(os.environ["JUPYTER_RUNTIME_DIR"], "jpserver-1.json")
note.write_text(json.dumps({{**info, "token": token or "mine"}}))
time.sleep(1)
"""
posix = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
HOOK = "def before_save(model, **kwargs): model['content'] = 'from the hook'\n"


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course with one empty notebook in Chinese and a hook that leaves its mark."""
    root = tmp_path / "课程"
    shutil.copytree(setup.ROOT / "helpers", root / "helpers")
    (root / "helpers" / "backend" / "saving.py").write_text(HOOK, encoding="utf-8")
    notebook = root / "notebooks" / "zh" / "00-start.ipynb"
    notebook.parent.mkdir(parents=True)
    empty = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    notebook.write_text(json.dumps(empty), encoding="utf-8")
    return root


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@contextlib.contextmanager
def started(course: Path, lang: str) -> Iterator[subprocess.Popen[str]]:
    """JupyterLab starting on `course`, in a process group of its own as a terminal's command is."""
    quiet = {f"JUPYTER_{kind}_DIR": str(course / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, lang, port, "--no-browser"],
        cwd=course,
        env=processes.child_environment(**quiet, PYTHONUNBUFFERED="1", TMPDIR=str(course)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def server(course: Path) -> Iterator[subprocess.Popen[str]]:
    """JupyterLab starting on `course` in Chinese."""
    with started(course, "zh") as process:
        yield process


def served(process: subprocess.Popen[str]) -> tuple[str, str, str]:
    """Wait until JupyterLab answers; return its address, the first notebook and the token."""
    assert process.stdout is not None
    seen = ""
    while not (found := re.search(r"(http://\S+)/lab/tree/(\S+)\?token=(\w+)", seen)):
        line = process.stdout.readline()
        assert line, seen
        seen += line
    base, notebook, token = found.groups()
    return base, notebook, token


def fetch(url: str, method: str = "GET", body: object = None) -> bytes:
    """Return what a server on this computer answers."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    with direct.open(urllib.request.Request(url, data, method=method), timeout=60) as answer:
        return bytes(answer.read())


@posix
def test_jupyterlab_serves_and_stops(course: Path, server: subprocess.Popen[str]) -> None:
    base, notebook, token = served(server)
    assert notebook == "notebooks/zh/00-start.ipynb"
    assert b"jupyter-config-data" in fetch(f"{base}/lab/tree/{notebook}?token={token}")
    text = {"type": "file", "format": "text", "content": "mine"}
    fetch(f"{base}/api/contents/note.txt?token={token}", "PUT", text)
    assert (course / "note.txt").read_text(encoding="utf-8") == "from the hook"
    assert notebook in json.loads(fetch(f"{base}/api/contents/{notebook}?token={token}"))["path"]

    lines = subprocess.check_output(
        ["ps", "-ww", "-eo", "pgid,args"], encoding="utf-8"
    ).splitlines()
    ours = [line for line in lines if line.split()[0] == str(server.pid)]
    assert any("jupyterlab" in line for line in ours)
    assert not any(token in line for line in lines)

    os.killpg(server.pid, signal.SIGINT)
    said, _ = server.communicate(timeout=60)
    assert server.returncode == 0, said
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        os.killpg(server.pid, 0)


LANGUAGE = "lab/api/settings/@jupyterlab/translation-extension:plugin"


def interface(base: str, token: str) -> tuple[str, str]:
    """Return the locale that a JupyterLab's interface takes, and what the menu "Kernel" is in it."""
    language = json.loads(fetch(f"{base}/{LANGUAGE}?token={token}"))
    default = language["schema"]["properties"]["locale"]["default"]
    locale = language["settings"].get("locale", default)
    pack = json.loads(fetch(f"{base}/lab/api/translations/{locale}?token={token}"))["data"]
    return locale, pack["jupyterlab"]["menu\x04Kernel"][0] if pack else "Kernel"


@posix
def test_interface_is_in_the_learners_language(course: Path) -> None:
    """Two JupyterLabs in two languages at once; then the learner chooses a third in the menu."""
    with started(course, "zh") as one, started(course, "fr") as other:
        chinese, _, token = served(one)
        french, _, key = served(other)
        assert interface(chinese, token) == ("zh_CN", "内核")
        assert interface(french, key) == ("fr_FR", "Noyau")
        news = "settings/@jupyterlab/apputils-extension:notification"
        asked = json.loads(fetch(f"{french}/lab/api/{news}?token={key}"))["schema"]["properties"]
        assert asked["fetchNews"]["default"] == "false"
        chosen = {"raw": '{"locale": "en"}'}
        fetch(f"{french}/{LANGUAGE}?token={key}", "PUT", chosen)
        assert interface(french, key) == ("en", "Kernel")
    with started(course, "fr") as other:
        french, _, key = served(other)
        assert interface(french, key) == ("en", "Kernel")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_jupyterlab_that_dies_is_reported(
    lang: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jupyterlab.py").write_text("raise SystemExit('out of order')", encoding="utf-8")
    before = signal.getsignal(signal.SIGINT)
    i18n.use(lang)
    with pytest.raises(CourseError) as caught:
        lab.serve(Path(sys.executable), tmp_path, lang, 1)
    assert signal.getsignal(signal.SIGINT) == before
    assert "out of order" in capfd.readouterr().err
    assert f"-m helpers lab --lang {lang}" in str(caught.value)
    assert ".venv" in str(caught.value)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_port_in_use(lang: str, taken: int) -> None:
    i18n.use(lang)
    with pytest.raises(CourseError) as caught:
        lab.choose_port(taken)
    said = str(caught.value)
    assert str(taken) in said
    other = re.search(rf"-m helpers lab --lang {lang} --port (\d+)", said)
    assert other
    assert lab.is_free(int(other[1]))
    for none in (0, -1, 65536):
        assert not lab.is_free(none)


def test_first_free_port(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "FIRST_PORT", taken)
    assert lab.choose_port(None) > taken


def test_a_port_for_tests_is_free(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert browser.free_port() in browser.PORTS
    monkeypatch.setattr(browser, "PORTS", range(taken, taken + 1))
    with pytest.raises(browser.BrowserError, match=str(taken)):
        browser.free_port()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_missing_notebooks(lang: str, tmp_path: Path) -> None:
    (tmp_path / "notebooks" / "zh").mkdir(parents=True)
    (tmp_path / "notebooks" / "en").mkdir()
    i18n.use(lang)
    with pytest.raises(CourseError) as caught:
        lab.check_notebooks(tmp_path, lang)
    said = str(caught.value)
    assert f"notebooks/{lang}/00-start.ipynb" in said
    assert f"-m helpers lab --lang {'zh' if lang == 'en' else 'en'}" in said


@pytest.mark.parametrize(
    ("extra", "made"),
    [([], True), (["--IdentityProvider.token=mine"], False), (["--ServerApp.password=x"], False)],
)
def test_token_is_made_unless_the_reader_brings_one(
    extra: list[str],
    made: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    (tmp_path / "jupyterlab.py").write_text(SHOW_TOKEN, encoding="utf-8")
    assert lab.serve(Path(sys.executable), tmp_path, "fr", 8888, extra=extra) == 0
    token = (tmp_path / "token").read_text(encoding="utf-8")
    assert bool(token) is made
    assert ("?token=" in capsys.readouterr().out) is made


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ({}, "http://127.0.0.1:8888/page?token=t"),
        ({"base_url": "/course/"}, "http://127.0.0.1:8888/course/page?token=t"),
        ({"base_url": "/user/a%20b/"}, "http://127.0.0.1:8888/user/a%20b/page?token=t"),
        ({"secure": True, "port": 9106}, "https://127.0.0.1:9106/page?token=t"),
        ({"hostname": "::1", "port": 9102}, "http://[::1]:9102/page?token=t"),
        ({"hostname": "::"}, "http://[::1]:8888/page?token=t"),
        ({"hostname": "0.0.0.0"}, "http://127.0.0.1:8888/page?token=t"),
        ({"hostname": "localhost"}, "http://localhost:8888/page?token=t"),
        ({"token": "the reader's own"}, "http://127.0.0.1:8888/page"),
        ({"token": ""}, "http://127.0.0.1:8888/page"),
        ({"sock": "/tmp/x", "url": "http+unix://%2Ftmp%2Fx/"}, "http+unix://%2Ftmp%2Fx/"),
    ],
)
def test_address_is_the_one_that_the_server_notes(moved: dict[str, Any], expected: str) -> None:
    assert lab.address({**INFO, "token": "t", **moved}, "/page", "t") == expected


def test_a_note_that_is_half_written_is_waited_for(tmp_path: Path) -> None:
    assert lab.server_info(tmp_path) is None
    note = tmp_path / "jpserver-7.json"
    note.write_text('{"port":', encoding="utf-8")
    assert lab.server_info(tmp_path) is None
    note.write_text(json.dumps(INFO), encoding="utf-8")
    assert lab.server_info(tmp_path) == INFO


def test_the_address_is_told_once_it_can_be_opened(tmp_path: Path) -> None:
    """Jupyter's server notes where it is before it listens there."""
    with (
        socket.socket() as server,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child,
    ):
        server.bind(("127.0.0.1", 0))
        info = {**INFO, "port": server.getsockname()[1]}
        (tmp_path / "jpserver-7.json").write_text(json.dumps(info), encoding="utf-8")
        threading.Timer(0.3, server.listen).start()
        try:
            assert lab.wait_until_there(child, tmp_path, Path("python")) == info
            socket.create_connection(("127.0.0.1", info["port"])).close()
        finally:
            child.kill()
    assert lab.wait_until_there(child, tmp_path, Path("python")) is None


@posix
def test_settings_that_move_jupyterlab(course: Path) -> None:
    """The reader's own file sets another base, a socket and a token; the address printed is right."""
    settings = course / "CONFIG" / "jupyter_server_config.py"
    settings.parent.mkdir()
    settings.write_text(
        "c.ServerApp.base_url = '/course/'\nc.ServerApp.sock = '/nowhere/sock'\n"
        "c.ServerApp.port = 1\n",
        encoding="utf-8",
    )
    with started(course, "zh") as server:
        base, notebook, token = served(server)
        assert base.endswith("/course")
        assert b"jupyter-config-data" in fetch(f"{base}/lab/tree/{notebook}?token={token}")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_jupyterlab_that_does_not_come_is_told_once(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    i18n.use(lang)
    monkeypatch.setattr(lab, "PATIENCE", 0)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"]) as child:
        assert lab.wait_until_there(child, tmp_path, Path("python")) is None
    said = capsys.readouterr().out
    assert said.count("python -m jupyter --paths") == 1 and "Ctrl-C" in said
