"""Which chat model is chosen, what is said, and that no key is shown."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from helpers import backend
from helpers.backend import BackendError, choice, keys, servers, settings, start, variables
from helpers.backend import doctor as health
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT

CANARY = "sk-canary-7c1f4be0"


@pytest.fixture(autouse=True)
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An environment without a single variable of the course, and the path of its `.env`."""
    before = dict(os.environ)
    for name in (*settings.KNOWN, "NO_PROXY", "no_proxy"):
        os.environ.pop(name, None)
    monkeypatch.setattr(variables, "_changed", {})
    path = tmp_path / ".env"
    os.environ[settings.ENV_FILE_VARIABLE] = str(path)
    yield path
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def models_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server whose GET /v1/models answers with `request.param` (status, body); yields its URL."""
    status, body = request.param

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


def test_without_anything_it_is_the_built_in_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert start("en") == "built-in"
    assert (
        "the built-in one, offline, because there is no OPENAI_API_KEY." in capsys.readouterr().out
    )
    url = os.environ["OPENAI_BASE_URL"]
    assert start("en") == "built-in", "harmless when called twice"
    assert os.environ["OPENAI_BASE_URL"] == url, "one server"
    assert "127.0.0.1" in os.environ["NO_PROXY"].split(",")


@pytest.mark.parametrize(
    ("stored", "says"),
    [
        ("OPENAI_API_KEY=", "OPENAI_API_KEY in .env is empty"),
        ("OPENAI_API_KEY='  '", "OPENAI_API_KEY in .env is empty"),
        ("OPENAI_API_KEY", "OPENAI_API_KEY in .env is empty"),
        (
            f"OPENAI_API_KEY={settings.PLACEHOLDER}",
            "OPENAI_API_KEY in .env is still the placeholder",
        ),
    ],
)
def test_a_key_that_is_none_is_recognised(
    env_file: Path, capsys: pytest.CaptureFixture[str], stored: str, says: str
) -> None:
    env_file.write_text(stored, encoding="utf-8")
    assert start("en") == "built-in"
    assert says in capsys.readouterr().out


def test_a_program_that_asks_the_environment_gets_the_same_model(env_file: Path) -> None:
    assert start("en") == os.environ["OPENAI_MODEL"] == "built-in"
    env_file.write_text(f"OPENAI_API_KEY={CANARY}", encoding="utf-8")
    assert start("en") == os.environ["OPENAI_MODEL"] == choice.OPENAI_DEFAULT_MODEL
    os.environ["OPENAI_MODEL"] = "mine"
    assert start("en") == os.environ["OPENAI_MODEL"] == "mine"
    env_file.unlink()
    assert start("en") == os.environ["OPENAI_MODEL"] == "built-in"
    env_file.write_text(f"OPENAI_API_KEY={CANARY}", encoding="utf-8")
    assert start("en") == "mine", "the learner's own is remembered"


def test_the_placeholder_is_that_of_the_example() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    assert f"OPENAI_API_KEY={settings.PLACEHOLDER}\n" in example
    for name in set(settings.READ) - {"OPENAI_API_BASE"}:
        assert f"{name}=" in example, f"{name} is read and not in .env.example"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("written", [CANARY, f"' {CANARY} '", f'"{CANARY}"'])
@pytest.mark.parametrize("byte_order_mark", ["", "\ufeff"])
def test_a_key_in_the_file_means_openai_and_is_never_printed(
    env_file: Path,
    capsys: pytest.CaptureFixture[str],
    lang: str,
    written: str,
    byte_order_mark: str,
) -> None:
    start(lang)
    env_file.write_text(
        f"{byte_order_mark}OPENAI_API_KEY={written}\nOPENAI_MODEL=some-model\n", "utf-8"
    )
    for _ in range(2):
        assert start(lang) == "some-model"
        assert os.environ["OPENAI_API_KEY"] == CANARY
        assert "OPENAI_BASE_URL" not in os.environ, "the built-in model's address is gone"
    printed = capsys.readouterr().out
    assert "OpenAI" in printed and CANARY not in printed and "canary" not in printed
    env_file.unlink()
    assert start(lang) == "built-in", "the key taken out, it is the built-in model again"


def test_a_key_in_the_environment_wins_and_stays_when_called_twice(
    env_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text("OPENAI_API_KEY=other\n", "utf-8")
    os.environ["OPENAI_API_KEY"] = f"  {CANARY} "
    for _ in range(2):
        assert start("en") == choice.OPENAI_DEFAULT_MODEL
        assert os.environ["OPENAI_API_KEY"] == CANARY
        printed = capsys.readouterr().out
        assert "in the environment" in printed and "has spaces" in printed and CANARY not in printed


LISTED = (200, b'{"data": [{"id": "first"}, {"id": "second"}]}')


@pytest.mark.parametrize("models_server", [LISTED], indirect=True)
@pytest.mark.parametrize("name", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
def test_a_base_url_means_that_server_and_its_first_model(
    env_file: Path, capsys: pytest.CaptureFixture[str], models_server: str, name: str
) -> None:
    env_file.write_text(f"{name}={models_server}\nOPENAI_API_KEY={CANARY}\n", "utf-8")
    assert start("en") == "first"
    assert os.environ["OPENAI_BASE_URL"] == models_server
    assert "OPENAI_API_BASE" not in os.environ
    assert "localhost" in os.environ["no_proxy"]
    env_file.write_text(f"{name}={models_server}\nOPENAI_MODEL=second\n", "utf-8")
    assert start("en") == "second"
    printed = capsys.readouterr().out
    assert models_server.split("/")[2] in printed and CANARY not in printed


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "url", ["127.0.0.1:11434", "ftp://x/v1", "http://[", "http://x:port", "http://x y"]
)
def test_a_base_url_that_is_none_is_refused(env_file: Path, lang: str, url: str) -> None:
    env_file.write_text(f"OPENAI_BASE_URL={url}\nOPENAI_API_KEY={CANARY}\n", "utf-8")
    with pytest.raises(BackendError, match=r"http://127\.0\.0\.1:11434/v1") as error:
        start(lang)
    assert CANARY not in str(error.value) and error.value.__cause__ is None


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_server_that_does_not_answer(env_file: Path, lang: str) -> None:
    env_file.write_text(
        f"OPENAI_BASE_URL=http://127.0.0.1:9/v1\nOPENAI_API_KEY={CANARY}\n", "utf-8"
    )
    with pytest.raises(BackendError, match=r"127\.0\.0\.1:9.*OPENAI_BASE_URL") as error:
        start(lang)
    assert CANARY not in str(error.value)
    assert error.value._render_traceback_() == [f"BackendError: {error.value}"]


@pytest.mark.parametrize(
    "models_server", [(404, b"{}"), (200, b"no json"), (200, b'{"data": []}')], indirect=True
)
def test_a_server_that_lists_no_models(env_file: Path, models_server: str) -> None:
    env_file.write_text(f"OPENAI_BASE_URL={models_server}\n", "utf-8")
    with pytest.raises(BackendError, match="OPENAI_MODEL="):
        start("en")


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("models_server", [(401, b"{}"), (403, b"{}")], indirect=True)
def test_a_server_that_refuses_the_key(env_file: Path, models_server: str, lang: str) -> None:
    env_file.write_text(f"OPENAI_BASE_URL={models_server}\nOPENAI_API_KEY={CANARY}\n", "utf-8")
    with pytest.raises(BackendError, match=r"40[13].*OPENAI_API_KEY") as error:
        start(lang)
    assert CANARY not in str(error.value) and "OPENAI_MODEL" not in str(error.value)


def test_what_does_not_speak_http_is_no_server(env_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-none\r\n")

        threading.Thread(target=talk, daemon=True).start()
        port = listening.getsockname()[1]
        # By the older name, which is the one to be named then.
        env_file.write_text(f"OPENAI_API_BASE=http://127.0.0.1:{port}/v1\n", "utf-8")
        with pytest.raises(
            BackendError, match=rf"{port} \(OPENAI_API_BASE in .env\) does not answer"
        ) as error:
            start("en")
    assert "OPENAI_BASE_URL" not in str(error.value)


def test_a_proxy_of_the_learner_comes_back_for_a_service_outside(env_file: Path) -> None:
    os.environ["OPENAI_PROXY"] = "http://127.0.0.1:9"
    start("en")
    assert "OPENAI_PROXY" not in os.environ
    env_file.write_text(f"OPENAI_API_KEY={CANARY}\n", "utf-8")
    start("en")
    assert os.environ["OPENAI_PROXY"] == "http://127.0.0.1:9"
    start("en", builtin=True)
    assert "OPENAI_PROXY" not in os.environ


def test_the_doctor_stays_with_the_model_that_the_notebook_asked_for(
    env_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env_file.write_text(f"OPENAI_API_KEY={CANARY}\n", "utf-8")
    start("en", builtin=True)
    health.doctor()
    said = capsys.readouterr().out
    assert said.count("because this lesson asks for it") == 2 and ".env: OPENAI_API_KEY set" in said
    assert backend.current_model() == "built-in" and CANARY not in said
    start("en", builtin=False, env_file=None)
    assert "at OpenAI" in capsys.readouterr().out


def test_the_doctor_says_of_the_file_what_is_in_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    os.environ["OPENAI_API_BASE"] = "http://127.0.0.1:9/v1"
    start("en", builtin=True)
    health.doctor()
    assert ".env: none, and none is needed" in capsys.readouterr().out


def test_a_file_that_is_not_utf_8_is_refused_without_showing_it(env_file: Path) -> None:
    env_file.write_bytes(f"OPENAI_API_KEY={CANARY}".encode("utf-16"))
    with pytest.raises(BackendError, match="not UTF-8") as error:
        start("en")
    assert CANARY not in str(error.value) and error.value.__suppress_context__


@pytest.mark.parametrize("pace", ["fast", "-1", "nan", "inf"])
def test_a_pace_that_is_none_is_refused(pace: str) -> None:
    os.environ["COURSE_PACE"] = pace
    with pytest.raises(BackendError, match="COURSE_PACE in the environment must be a number"):
        start("en")


def test_a_new_pace_reaches_the_running_model() -> None:
    start("en")
    assert choice._server is not None
    assert choice._server.pace == settings.DEFAULT_PACE
    os.environ["COURSE_PACE"] = "0"
    start("en")
    assert choice._server.pace == 0


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="en, zh, fr.*'de'"):
        start("de")


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"LANGSMITH_TRACING": "true"}, False),
        ({"LANGSMITH_API_KEY": CANARY}, False),
        ({"LANGSMITH_TRACING": "false", "LANGSMITH_API_KEY": CANARY}, False),
        ({"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": CANARY}, True),
        ({"LANGCHAIN_TRACING_V2": "true", "LANGCHAIN_API_KEY": CANARY}, True),
        ({"LANGCHAIN_TRACING_V2": "true"}, False),
    ],
)
def test_tracing_needs_a_wish_and_a_key(
    env_file: Path, capsys: pytest.CaptureFixture[str], variables: dict[str, str], on: bool
) -> None:
    from langsmith.utils import tracing_is_enabled

    env_file.write_text("".join(f"{k}={v}\n" for k, v in variables.items()), "utf-8")
    os.environ.update({k: v for k, v in variables.items() if k.startswith("LANGCHAIN")})
    for _ in range(2):
        start("en")
        assert bool(tracing_is_enabled()) is on
    printed = capsys.readouterr().out
    asked = "true" in variables.values()
    assert ("Tracing was asked for" in printed) is (asked and not on)
    assert CANARY not in printed


@pytest.mark.parametrize(
    ("lang", "why"),
    [
        ("en", "because this lesson asks for it."),
        ("zh", "因为本课需要它。"),
        ("fr", "car cette leçon le demande."),
    ],
)
def test_a_lesson_may_ask_for_the_built_in_model(
    env_file: Path, capsys: pytest.CaptureFixture[str], lang: str, why: str
) -> None:
    env_file.write_text(
        f"OPENAI_API_KEY=' {CANARY}'\nOPENAI_BASE_URL=http://127.0.0.1:9/v1\n", "utf-8"
    )
    assert start(lang, builtin=True) == "built-in"
    assert os.environ["OPENAI_API_KEY"] != CANARY
    [line] = capsys.readouterr().out.splitlines()
    assert line.endswith(why)
    env_file.write_text(f"OPENAI_API_KEY={CANARY}\n", "utf-8")
    assert start(lang, builtin=True) == "built-in"
    assert start(lang) == choice.OPENAI_DEFAULT_MODEL
    assert os.environ["OPENAI_API_KEY"] == CANARY
    with pytest.raises(BackendError):
        choice.builtin_server()


def test_a_proxy_for_openai_is_left_alone_and_loopback_kept_off_it(env_file: Path) -> None:
    env_file.write_text(f"OPENAI_API_KEY={CANARY}\n", "utf-8")
    start("en")
    assert "NO_PROXY" not in os.environ and "no_proxy" not in os.environ
    env_file.unlink()
    os.environ["NO_PROXY"] = "example.org"
    start("en")
    assert os.environ["NO_PROXY"] == "example.org,127.0.0.1,localhost,::1"


@pytest.mark.parametrize(
    ("host", "kept_off"),
    [
        ("192.168.1.5", True),
        ("10.0.0.7", True),
        ("127.0.0.1", True),
        ("8.8.8.8", False),
        ("example.org", False),
    ],
)
def test_a_teachers_server_is_kept_off_proxies(
    env_file: Path, monkeypatch: pytest.MonkeyPatch, host: str, kept_off: bool
) -> None:
    monkeypatch.setattr(servers, "reach", lambda *_: None)
    env_file.write_text(f"OPENAI_BASE_URL=http://{host}:8000/v1\nOPENAI_MODEL=m\n", "utf-8")
    start("en")
    assert (host in os.environ.get("NO_PROXY", "").split(",")) == kept_off


def test_the_built_in_model_answers_with_a_proxy_set() -> None:
    from langchain_openai import ChatOpenAI

    os.environ.update(
        HTTP_PROXY="http://127.0.0.1:9", ALL_PROXY="http://127.0.0.1:9", COURSE_PACE="0"
    )
    model = start("en")
    assert ChatOpenAI(model=model).invoke("What is the capital of France?").text.endswith("Paris.")


def test_keys_are_taken_out_of_other_peoples_errors() -> None:
    os.environ["OPENAI_API_KEY"] = "my-own-key"
    said = "Incorrect API key my-own-key, sk-proj-ab*****cd, sk-1234567890abcdefghij"
    assert keys.without_keys(said) == "Incorrect API key ***, sk-***, sk-***"


def test_a_key_of_another_file_is_known_too(tmp_path: Path) -> None:
    other = tmp_path / "other.env"
    other.write_text("OPENAI_API_KEY=my-other-key\n", encoding="utf-8")
    start("en", env_file=other)
    assert keys.without_keys("no my-other-key") == "no ***"
    start("en")
    assert keys.known_keys() == set(), "what stands for a key is none"


@pytest.mark.parametrize(
    "said", ["class='sk-toggleable__label-arrow'", "#sk-container-id-1", "**sk-learn**"]
)
def test_what_only_looks_like_a_key_stays(said: str) -> None:
    os.environ["OPENAI_API_KEY"] = "x"  # as for a server that takes any
    assert keys.without_keys(said) == said


def test_the_environment_for_building_leads_to_the_built_in_model_only() -> None:
    os.environ.update({"OPENAI_API_KEY": CANARY, "LANGCHAIN_API_KEY": CANARY, "COURSE_PACE": "7"})
    environment = backend.without_real_model()
    assert CANARY not in environment.values()
    assert environment["COURSE_PACE"] == "7"
    assert environment[settings.ENV_FILE_VARIABLE] == os.devnull
