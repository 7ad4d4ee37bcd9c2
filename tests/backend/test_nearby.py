"""The programs on this machine that serve a chat model, and the strangers on their ports."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from helpers import cli
from helpers.backend import choice, nearby, settings, variables
from helpers.i18n import LANGUAGES
from helpers.setup import environment

LIST = {"object": "list", "data": [{"id": "nomic-embed-text"}, {"id": "llama3.2"}, {"id": "qwen3"}]}
# As the three answer what they are asked here; LM Studio in its older and its newer way.
OLLAMA = {"/api/version": {"version": "0.12.3"}, "/v1/models": LIST}
LM_STUDIO = {"/api/v0/models": {"object": "list", "data": []}, "/v1/models": {"data": []}}
LM_STUDIO_NEW = {"/api/v1/models": {"models": []}, "/v1/models": LIST}
LLAMA_CPP = {"/props": {"default_generation_settings": {}, "total_slots": 1}, "/v1/models": LIST}
STRANGER = {"/": {"hello": "world"}, "/v1/models": LIST}

Put = Callable[..., None]


@pytest.fixture
def put(monkeypatch: pytest.MonkeyPatch) -> Iterator[Put]:
    """Let a fake server stand for a program, on a free port; all others are on ports where nobody is."""
    servers: list[ThreadingHTTPServer] = []
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        port = closed.getsockname()[1]
        known = {name: (port, signs) for name, (_port, signs) in nearby.PROGRAMS.items()}
        monkeypatch.setattr(nearby, "PROGRAMS", known)

        def put(program: str, answers: dict[str, Any] | bytes) -> None:
            class Handler(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    if isinstance(answers, bytes):
                        self.wfile.write(answers)
                        return
                    self.send_response(200 if self.path in answers else 404)
                    self.end_headers()
                    error = {"error": "Unexpected endpoint or method."}
                    self.wfile.write(json.dumps(answers.get(self.path, error)).encode())

                def log_message(self, *_: object) -> None:
                    pass

            servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
            serve = {"poll_interval": 0.01}
            threading.Thread(target=servers[-1].serve_forever, kwargs=serve, daemon=True).start()
            known[program] = (servers[-1].server_port, known[program][1])

        yield put
        for server in servers:
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize(
    ("program", "answers"),
    [
        ("Ollama", OLLAMA),
        ("LM Studio", LM_STUDIO),
        ("LM Studio", LM_STUDIO_NEW),
        ("llama.cpp", LLAMA_CPP),
    ],
)
def test_each_is_known_by_what_it_alone_answers(program: str, answers: Any, put: Put) -> None:
    put(program, answers)
    (found,) = nearby.look()
    assert found == (program, f"http://127.0.0.1:{nearby.PROGRAMS[program][0]}/v1")
    chat = ["llama3.2", "qwen3"] if answers["/v1/models"] == LIST else []
    assert nearby.models(found) == chat


@pytest.mark.parametrize(
    "answers", [STRANGER, {}, b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\n\r\n[1"]
)
def test_a_stranger_is_none_of_them(answers: Any, put: Put) -> None:
    for program in nearby.PROGRAMS:
        put(program, answers)
    assert nearby.look() == []


def test_one_that_says_nothing_costs_a_glance(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        program = (silent.getsockname()[1], nearby.PROGRAMS["Ollama"][1])
        monkeypatch.setitem(nearby.PROGRAMS, "Ollama", program)
        begun = time.monotonic()
        assert nearby.look(nearby.GLANCE) == []
        assert time.monotonic() - begun < nearby.PATIENCE


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_command_prints_the_lines_that_use_it(
    lang: str, put: Put, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "enter", lambda: None)
    put("LM Studio", LM_STUDIO)
    assert cli.main(["local", "--lang", lang]) == 0
    said = capsys.readouterr().out
    assert "LM Studio" in said and "OPENAI_" not in said and "local --run" in said
    put("Ollama", OLLAMA)
    assert cli.main(["local", "--lang", lang]) == 0
    said = capsys.readouterr().out
    url = f"http://127.0.0.1:{nearby.PROGRAMS['Ollama'][0]}/v1"
    assert f"    OPENAI_BASE_URL={url}\n    OPENAI_MODEL=llama3.2\n" in said
    assert "qwen3" in said and "--run" not in said and "embed" not in said


def test_start_mentions_one_that_is_not_used_but_on_no_page_that_is_built(
    put: Put, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    put("Ollama", OLLAMA)
    before = dict(os.environ)
    for name in settings.KNOWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(variables, "_changed", {})
    monkeypatch.setattr(settings, "learners", lambda name: tmp_path / name)
    monkeypatch.setattr(nearby, "GLANCE", nearby.PATIENCE)  # however busy this machine is
    try:
        for named, builtin, mentioned in (
            (None, False, True),
            (None, True, False),
            (os.devnull, False, False),
        ):
            monkeypatch.delenv(settings.ENV_FILE_VARIABLE, raising=False)
            if named:
                monkeypatch.setenv(settings.ENV_FILE_VARIABLE, named)
            assert choice.start("en", builtin=builtin) == "built-in"
            assert ("(Ollama runs on this computer: " in capsys.readouterr().out) is mentioned
    finally:
        os.environ.clear()
        os.environ.update(before)
