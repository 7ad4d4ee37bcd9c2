"""What of `.env` nobody reads is said, keys and addresses are looked at, and no key is ever shown."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helpers.backend import BackendError, choice, keys, network, servers, settings, start, variables
from helpers.backend import doctor as health
from helpers.backend.receiver import Receiver
from helpers.i18n import LANGUAGES
from tests.backend.test_offline import ALL

CANARY = "sk-canary-5d20c9ab77"


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment without a single variable of the clients, and the path of its `.env`."""
    before = dict(os.environ)
    for name in {*ALL, *settings.KNOWN, *network.READ}:
        os.environ.pop(name, None)
    monkeypatch.setattr(variables, "_changed", {})
    path = tmp_path / ".env"
    os.environ[settings.ENV_FILE_VARIABLE] = str(path)
    yield path
    os.environ.clear()
    os.environ.update(before)


class Handler(BaseHTTPRequestHandler):
    """A server that has its list of models at one path only, and remembers who asked."""

    path_of_list = "/v1/models"
    listed: tuple[str, ...] = ("first", "second")

    def do_GET(self) -> None:
        found = self.path == self.path_of_list
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(json.dumps({"data": [{"id": name} for name in self.listed]}).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of such a server, without a path."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("\n# a\nOPENAI_BASE_URL: http://127.0.0.1:9/v1", ["3", "OPENAI_BASE_URL="]),
        ('$env:OPENAI_BASE_URL="http://127.0.0.1:9/v1"', ["1", "OPENAI_BASE_URL="]),
        (f"set OPENAI_API_KEY={CANARY}", ["1", "OPENAI_API_KEY="]),
        (f"OPENAI_API_KEY：{CANARY}", ["1", "OPENAI_API_KEY="]),
        (f"\n{CANARY}", ["2"]),
        (f"openai_api_key={CANARY}", ["openai_api_key", "OPENAI_API_KEY"]),
        ("openai_base_url=http://127.0.0.1:9/v1", ["openai_base_url", "OPENAI_BASE_URL"]),
        ("OPENAI_API_BASEURL=http://127.0.0.1:9/v1", ["OPENAI_API_BASEURL", "BASE"]),
        (f"OPENAI_KEY={CANARY}", ["OPENAI_KEY", "OPENAI_API_KEY"]),
        ("OPENAI_MODEL_NAME=m", ["OPENAI_MODEL_NAME", "OPENAI_MODEL"]),
        (f"LANGSMITH_APIKEY={CANARY}", ["LANGSMITH_APIKEY", "LANGSMITH_API_KEY"]),
        ("# nothing\n", [".env"]),
        (f"ANTHROPIC_API_KEY={CANARY}", [".env"]),
    ],
)
def test_what_nobody_reads_is_said(
    env_file: Path, capsys: pytest.CaptureFixture[str], lang: str, stored: str, said: list[str]
) -> None:
    env_file.write_text(stored, "utf-8")
    assert start(lang) == "built-in"
    first, *lines = capsys.readouterr().out.splitlines()
    notes = [line for line in lines if "helpers.questions()" not in line]
    assert notes and all(part in "\n".join(notes) for part in said)
    findings = list(health._env_file())
    assert [good for good, _ in findings] == [False]
    assert notes[0] in findings[0][1]
    assert CANARY not in "\n".join([first, *notes, findings[0][1]])


def test_a_file_of_lines_that_are_all_wrong_does_not_fill_the_page(
    env_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text("{\\rtf1 x}\n" * 50, "utf-8")
    start("en")
    assert len(capsys.readouterr().out.splitlines()) == 1 + settings.MOST_REMARKS


@pytest.mark.parametrize("stored", ["OPENAI_API_KEY=\n# x\nexport COURSE_PACE=0", "COURSE_PACE=3"])
def test_what_is_read_is_not_remarked_on(
    env_file: Path, capsys: pytest.CaptureFixture[str], stored: str
) -> None:
    env_file.write_text(stored, "utf-8")
    start("en")
    assert len(capsys.readouterr().out.splitlines()) == 1


@pytest.mark.parametrize("name", [".env.txt", "env", "_env", ".env.env"])
def test_a_file_of_another_name(
    env_file: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    env_file.with_name(name).write_text(f"OPENAI_API_KEY={CANARY}", "utf-8")
    env_file.with_name(".env.example").write_text("", "utf-8")
    start("en")
    assert capsys.readouterr().out.endswith(f"but there is {name}: rename it to .env.)\n")
    env_file.write_text("OPENAI_API_KEY=", "utf-8")
    start("en")
    assert "rename" not in capsys.readouterr().out


@pytest.mark.parametrize("failing", [PermissionError(13, "no"), OSError(5, "no")])
def test_a_file_that_cannot_be_read(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, failing: OSError
) -> None:
    env_file.write_text("", "utf-8")

    def read_text(*_: object, **__: object) -> str:
        raise failing

    monkeypatch.setattr(Path, "read_text", read_text)
    with pytest.raises(BackendError, match=r"\.env cannot be read: no"):
        start("en")


def test_utf_16_without_a_mark(env_file: Path) -> None:
    env_file.write_bytes(f"OPENAI_API_KEY={CANARY}".encode("utf-16-le"))
    with pytest.raises(BackendError, match="not UTF-8"):
        start("en")


@pytest.mark.parametrize("quotes", ["“”", "‘’", "«»", "„“", "「」", "＂＂", "``"])
def test_quotes_of_a_word_processor_are_left_out(
    env_file: Path, capsys: pytest.CaptureFixture[str], quotes: str
) -> None:
    env_file.write_text(f"OPENAI_API_KEY={quotes[0]} {CANARY} {quotes[1]}", "utf-8")
    assert start("en") == choice.OPENAI_DEFAULT_MODEL
    assert os.environ["OPENAI_API_KEY"] == CANARY
    said = capsys.readouterr().out
    assert "spaces or quotes" in said and CANARY not in said


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "wrong",
    ["你的密钥", f"{CANARY[:9]} {CANARY[9:]}", f"\u200b{CANARY}", f"{CANARY[:9]}–x", f"{CANARY}é"],
)
def test_a_key_with_signs_that_no_key_has(env_file: Path, lang: str, wrong: str) -> None:
    env_file.write_text(f"OPENAI_API_KEY={wrong}", "utf-8")
    for line in ("", "\nOPENAI_BASE_URL=http://127.0.0.1:9/v1"):
        env_file.write_text(f"OPENAI_API_KEY={wrong}{line}", "utf-8")
        with pytest.raises(BackendError, match=r"OPENAI_API_KEY.*U\+[0-9A-F]{4}") as error:
            start(lang)
        assert wrong not in str(error.value) and "canary" not in str(error.value)
    assert start(lang, builtin=True) == "built-in"


def test_a_key_over_two_lines(env_file: Path) -> None:
    env_file.write_text(f'OPENAI_API_KEY="{CANARY}\nmore"', "utf-8")
    with pytest.raises(BackendError, match=r"U\+000A"):
        start("en")


@pytest.mark.parametrize("named", ["", "OPENAI_MODEL=m"])
@pytest.mark.parametrize(
    "path",
    ["", "/", "/v1/chat/completions", "/v1/models/", "/v1/v1", "/api", "/v1/responses", "//"],
)
def test_an_address_without_v1_or_with_too_much(
    env_file: Path, server: str, path: str, named: str
) -> None:
    env_file.write_text(f"OPENAI_BASE_URL={server}{path}\n{named}", "utf-8")
    with pytest.raises(BackendError) as error:
        start("en")
    assert f"the address should end in /v1: {server}/v1" in str(error.value)


def test_an_address_that_needs_no_v1(
    env_file: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "path_of_list", "/api/v3/models")
    env_file.write_text(f"OPENAI_BASE_URL={server}/api/v3/", "utf-8")
    assert start("en") == "first" and os.environ["OPENAI_BASE_URL"] == f"{server}/api/v3"
    env_file.write_text(f"OPENAI_BASE_URL={server}/api/v3/chat/completions", "utf-8")
    with pytest.raises(BackendError, match=f"end in /api/v3: {server}/api/v3"):
        start("en")
    env_file.write_text(f"OPENAI_BASE_URL={server}/other\nOPENAI_MODEL=m", "utf-8")
    assert start("en") == "m", "a server need not list its models"


def test_a_name_and_a_password_in_the_address(
    env_file: Path, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text(f"OPENAI_BASE_URL={server.replace('//', '//ada:secret77@')}/v1", "utf-8")
    assert start("en") == "first"
    env_file.write_text(f"OPENAI_BASE_URL={server.replace('//', '//ada:secret77@')}", "utf-8")
    with pytest.raises(BackendError) as error:
        start("en")
    assert "secret77" not in capsys.readouterr().out + str(error.value)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_server_that_is_down_although_a_model_is_named(env_file: Path, lang: str) -> None:
    env_file.write_text("OPENAI_BASE_URL=http://127.0.0.1:9/v1\nOPENAI_MODEL=m", "utf-8")
    start(lang, builtin=True)
    url = os.environ["OPENAI_BASE_URL"]
    with pytest.raises(BackendError, match=r"127\.0\.0\.1:9 .*OPENAI_BASE_URL"):
        start(lang)
    assert os.environ["OPENAI_BASE_URL"] == url, "nothing was changed"


def test_models_that_do_not_chat_are_passed_over(
    env_file: Path,
    server: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("nomic-embed-text", "bge-m3:latest", "whisper-1", "tts-1-hd", "qwen3:8b", "watts-7b")
    monkeypatch.setattr(Handler, "listed", names)
    env_file.write_text(f"OPENAI_BASE_URL={server}/v1", "utf-8")
    assert start("en") == "qwen3:8b"
    assert "(The first of 2 models that the server lists. Others, for OPENAI_MODEL: watts-7b.)" in (
        capsys.readouterr().out
    )
    monkeypatch.setattr(Handler, "listed", names[:2])
    with pytest.raises(BackendError, match=r"nomic-embed-text, bge-m3:latest.*OPENAI_MODEL="):
        start("en")


def test_a_model_that_is_named_for_nothing(
    env_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text("OPENAI_MODEL=qwen3:8b", "utf-8")
    assert start("en") == "built-in"
    assert "OPENAI_MODEL in .env is not used" in capsys.readouterr().out


def test_runs_go_where_the_file_says(env_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from langchain_core.tracers.langchain import wait_for_all_tracers
    from langchain_openai import ChatOpenAI

    os.environ["LANGSMITH_GATEWAY"] = "http://203.0.113.9:9"
    os.environ["LANGCHAIN_HANDLER"] = "langchain"
    first, second = Receiver(), Receiver()
    for receiver, prefix in ((first, "LANGSMITH"), (second, "LANGCHAIN")):
        env_file.write_text(
            f"{prefix}_TRACING_V2=True\n{prefix}_API_KEY={CANARY}\nCOURSE_PACE=0\n"
            f"{prefix}_ENDPOINT={receiver.url}\n{prefix}_PROJECT=mine\n{prefix}_HIDE_INPUTS=true\n",
            "utf-8",
        )
        ChatOpenAI(model=start("en"), timeout=5, max_retries=0).invoke("Hello!")
        wait_for_all_tracers()
        [run] = receiver.runs()
        assert run["session_name"] == "mine" and "Hello" not in json.dumps(run["inputs"])
        said = capsys.readouterr().out
        assert "also sent to 127.0.0.1" in said and CANARY not in said
        receiver.close()
    env_file.unlink()
    start("en")
    assert "LANGSMITH_ENDPOINT" not in os.environ and "LANGCHAIN_PROJECT" not in os.environ


def test_a_gateway_is_not_used_and_that_is_said(
    env_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.environ["LANGSMITH_GATEWAY"] = "http://203.0.113.9:9"
    env_file.write_text(f"OPENAI_API_KEY={CANARY}", "utf-8")
    start("en")
    assert "LANGSMITH_GATEWAY is not used" in capsys.readouterr().out
    assert "LANGSMITH_GATEWAY" not in os.environ


@pytest.mark.parametrize("name", ["ALL_PROXY", "https_proxy", "OPENAI_PROXY"])
def test_a_proxy_that_the_client_cannot_use_for_a_service_outside(
    env_file: Path, name: str
) -> None:
    os.environ[name] = f"socks5://ada:{CANARY}@127.0.0.1:1"
    start("en")
    assert name not in os.environ
    env_file.write_text(f"OPENAI_API_KEY={CANARY}", "utf-8")
    with pytest.raises(BackendError, match=rf"{name}.*http://") as error:
        start("en")
    assert CANARY not in str(error.value) and name not in os.environ
    del os.environ["OPENAI_BASE_URL"]
    env_file.unlink()


@pytest.mark.parametrize(
    "broken", [ImportError("cannot import ContextOverflowError"), RuntimeError(CANARY), OSError()]
)
def test_the_doctor_ends_in_no_traceback(
    env_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    broken: Exception,
) -> None:
    def fail(*_: object) -> None:
        raise broken

    os.environ["OPENAI_API_KEY"] = CANARY
    for part in ("compare_packages", "start_again"):
        with monkeypatch.context() as patch:
            patch.setattr(health, part, fail)
            assert health.doctor() is False
    said = capsys.readouterr().out
    assert "!! Something unforeseen" in said and CANARY not in said


def test_the_doctor_tells_no_file_from_one_that_sets_nothing(env_file: Path) -> None:
    assert list(health._env_file()) == [(True, ".env: none, and none is needed")]
    env_file.write_text("", "utf-8")
    [(good, line)] = health._env_file()
    assert not good and line.startswith(".env: there, but it sets nothing\n")


def test_no_key_is_in_what_an_echoing_server_makes_us_say() -> None:
    variables.put(OPENAI_API_KEY=CANARY)
    address = servers.Address("OPENAI_BASE_URL", "in .env", "http://127.0.0.1:9/v1")
    assert CANARY not in str(servers._no_answer(address, ValueError(f"Bearer {CANARY}")))
    assert CANARY in keys.known_keys()
