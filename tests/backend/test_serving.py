"""A built-in model for a whole room, run as a teacher runs it: in a process of its own."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr

from helpers.backend import serving
from helpers.builtin import MODEL, server
from helpers.cli import serve
from helpers.setup import ROOT, CourseError
from tests.builtin.asking import COUNT, STORY, answered

TOKEN = "canary-3f6a0c"
# The arguments: the language, and those of serving.run as JSON.
MAIN = """
import json, sys
from helpers import i18n
from helpers.backend import serving
from helpers.builtin import handler
{}
i18n.use(sys.argv[1])
sys.exit(serving.run(**json.loads(sys.argv[2])))
"""

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals that can be handled")


def command(lang: str, before: str, **given: Any) -> list[str]:
    """Return the command that serves, on loopback and a free port unless others are given."""
    arguments = {"host": "127.0.0.1", "port": 0, "token": None, "pace": None, **given}
    return [sys.executable, "-c", MAIN.format(before), lang, json.dumps(arguments)]


def variables(**more: str) -> dict[str, str]:
    away = ("COURSE_PACE", serving.TOKEN_VARIABLE)
    kept = {name: value for name, value in os.environ.items() if name not in away}
    course = {"COURSE_ENV_FILE": os.devnull, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
    return {**kept, **course, **more}


class Served:
    """The command while it runs: the lines that it said students need, and its output."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.output = ""
        assert child.stdout
        for line in child.stdout:
            self.output += line
            if "Ctrl-C" in line:
                break
        self.env = dict(re.findall(r"^ +(OPENAI_\w+)=(\S+)$", self.output, re.M))
        self.host, _, port = self.env["OPENAI_BASE_URL"].split("/")[2].rpartition(":")
        self.port = int(port)

    def request(self, key: str | None = None, body: Any = None, path: str = "/v1/models") -> Any:
        """Return the status, the headers and the JSON that answer a request."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        connection.request("POST" if body else "GET", path, body and json.dumps(body), headers)
        with contextlib.closing(connection):
            answer = connection.getresponse()
            return answer.status, answer.headers, json.loads(answer.read())

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it as a person does; return the exit code, and keep the rest of the output."""
        self.child.send_signal(number)
        self.output += self.child.communicate(timeout=20)[0]
        return self.child.returncode


@pytest.fixture
def run() -> Iterator[Callable[..., Served]]:
    """Return a function that starts the command with arguments of serving.run and variables."""
    children = []

    def start(before: str = "pass", more: Mapping[str, str] | None = None, **given: Any) -> Served:
        child = subprocess.Popen(
            command("en", before, **given),
            env=variables(**(more or {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        children.append(child)
        return Served(child)

    yield start
    for child in children:
        child.kill()
        child.communicate()


def failed(lang: str = "en", more: Mapping[str, str] | None = None, **given: Any) -> str:
    """Return what the command says before it ends with exit code 1."""
    done = subprocess.run(
        command(lang, "pass", **given),
        env=variables(**(more or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=20,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def test_on_loopback_no_token_is_needed(run: Callable[..., Served]) -> None:
    from langchain_openai import ChatOpenAI

    served = run(pace=0)
    assert (served.host, served.env["OPENAI_API_KEY"]) == ("127.0.0.1", "no-key-needed")
    chat = ChatOpenAI(
        model=MODEL,
        base_url=served.env["OPENAI_BASE_URL"],
        api_key=SecretStr(served.env["OPENAI_API_KEY"]),
    )
    assert chat.invoke(COUNT).text == answered("count")


@pytest.mark.parametrize(("token", "more"), [(TOKEN, {}), (None, {serving.TOKEN_VARIABLE: TOKEN})])
def test_a_token_is_needed_everywhere(
    run: Callable[..., Served], token: str | None, more: dict[str, str]
) -> None:
    import openai
    from langchain_openai import ChatOpenAI

    served = run(token=token, more=more)
    assert served.env["OPENAI_API_KEY"] == TOKEN
    for key in (None, "", TOKEN[:-1], TOKEN + "x", "é"):
        for path in ("/v1/models", "/v1/models/built-in", "/v1/nowhere", "/v1/chat/completions"):
            status, _, answer = served.request(key, path=path)
            assert status == 401
            assert answer["error"]["code"] == "invalid_api_key"
            assert TOKEN not in str(answer)
    assert served.request(TOKEN)[0] == 200
    with pytest.raises(openai.AuthenticationError):
        ChatOpenAI(
            model=MODEL, base_url=served.env["OPENAI_BASE_URL"], api_key=SecretStr("x")
        ).invoke(COUNT)
    if sys.platform != "win32":
        assert served.stop() == 0
        assert served.output.count(TOKEN) == 1, "where students are told, and nowhere else"


def test_the_network_is_served_with_a_token_only(run: Callable[..., Served]) -> None:
    first, second = (run(host="0.0.0.0") for _ in range(2))
    tokens = [served.env["OPENAI_API_KEY"] for served in (first, second)]
    assert len(set(tokens)) == 2 and min(map(len, tokens)) > 20
    assert first.host != "0.0.0.0"
    first.host = "127.0.0.1"
    assert first.request(tokens[1])[0] == 401
    assert first.request(tokens[0])[0] == 200


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_stopped_finishes_the_answers(run: Callable[..., Served], number: int) -> None:
    import openai

    served = run(pace=40)
    client = openai.OpenAI(base_url=served.env["OPENAI_BASE_URL"], api_key="x", max_retries=0)
    idle = socket.create_connection((served.host, served.port))
    messages: Any = [{"role": "user", "content": COUNT}]
    stream = client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    texts = [next(stream).choices[0].delta.content or ""]
    stopping = threading.Thread(target=served.stop, args=(number,))
    stopping.start()
    time.sleep(0.2)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((served.host, served.port))
    texts += [chunk.choices[0].delta.content or "" for chunk in stream]
    assert "".join(texts) == answered("count")
    start = time.monotonic()
    stopping.join()
    assert time.monotonic() - start < serving.PATIENCE - 2, (
        "a connection without a request is not waited for"
    )
    idle.close()
    assert served.child.returncode == 0
    assert "Traceback" not in served.output


@posix_only
def test_being_stopped_twice_is_at_once(run: Callable[..., Served]) -> None:
    served = run(pace=0.1)
    body = {"model": MODEL, "messages": [{"role": "user", "content": STORY}]}

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            served.request(body=body, path="/v1/chat/completions")

    asking = threading.Thread(target=ask)
    asking.start()
    time.sleep(0.3)
    served.child.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert served.child.poll() is None
    start = time.monotonic()
    assert served.stop(signal.SIGINT) == 0
    assert time.monotonic() - start < serving.PATIENCE - 2
    asking.join()
    assert "Traceback" not in served.output


def test_beyond_the_limit_it_says_that_it_is_full(run: Callable[..., Served]) -> None:
    served = run(before="serving.MAX_CONNECTIONS = 3")
    address = (served.host, served.port)
    idle = [socket.create_connection(address) for _ in range(3)]
    status, headers, answer = served.request()
    assert (status, headers["Retry-After"]) == (503, "1")
    assert "too many connections" in answer["error"]["message"]
    idle += [socket.create_connection(address) for _ in range(3)]
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        served.request()
    for connection in idle:
        connection.close()
    time.sleep(0.1)
    assert served.request()[0] == 200


def read_slowly(served: Served, seconds: float) -> int:
    """Ask for a long stream, let it lie for so long, and return how many bytes there are of it."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect((served.host, served.port))
        messages = [{"role": "user", "content": STORY}]
        body = json.dumps({"model": MODEL, "messages": messages, "stream": True, "n": 16})
        connection.sendall(
            f"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        time.sleep(seconds)
        size = 0
        with contextlib.suppress(ConnectionResetError):
            while data := connection.recv(65536):
                size += len(data)
        return size


def test_a_client_that_does_not_read_is_cut_off(run: Callable[..., Served]) -> None:
    served = run(pace=0, before="handler.WRITE_TIMEOUT = 0.5")
    whole = read_slowly(served, 0)
    assert whole > 4 * server.SEND_BUFFER
    assert read_slowly(served, 1.5) < whole
    assert served.request()[0] == 200


@pytest.mark.parametrize(
    ("lang", "word"), [("en", "taken"), ("zh", "占用"), ("fr", "Choisissez-en un autre")]
)
def test_a_port_that_is_taken(lang: str, word: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = failed(lang, port=port)
    assert str(port) in said and word in said and "--port" in said


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_a_host_that_is_not_ours(host: str) -> None:
    said = failed(host=host)
    assert host in said and "--host 0.0.0.0" in said


def test_a_port_that_is_not_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError(errno.EACCES, "")

    monkeypatch.setattr(serving, "start_server", forbid)
    with pytest.raises(CourseError, match="does not allow you port 80"):
        serving.listen(0, "127.0.0.1", 80, None)


def test_a_token_that_no_header_can_hold() -> None:
    said = failed("fr", token="clé secrète")
    assert "ASCII" in said and "secrète" not in said


@pytest.mark.parametrize("token", ['"abc"', "'abc'", "abc`", "a#b", "a$HOME", "a\\nb", 'a"'])
def test_a_token_that_an_env_file_would_change(token: str) -> None:
    with pytest.raises(CourseError, match="none of the signs") as refused:
        serving.choose_token(token, "127.0.0.1")
    assert token not in str(refused.value)


@pytest.mark.parametrize("token", ["abc", "a-b_c.~!%&()*+,/:;<=>?@[]^{|}", "=abc=", "1"])
def test_a_token_that_an_env_file_keeps(token: str, tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(f"OPENAI_API_KEY={serving.choose_token(token, '')}", encoding="utf-8")
    assert dotenv_values(env_file) == {"OPENAI_API_KEY": token}


def test_what_it_speaks_is_said(run: Callable[..., Served]) -> None:
    assert (
        "Chat Completions and Responses, and its models are built-in, big, built-in-thinking."
        in run().output
    )


@pytest.mark.parametrize("cors", [None, "*", "https://example.org"])
def test_web_pages_may_use_it_if_told_so(run: Callable[..., Served], cors: str | None) -> None:
    _, headers, _ = run(cors=cors).request()
    assert headers["Access-Control-Allow-Origin"] == cors


@pytest.mark.parametrize(
    "origin", ["*", "http://localhost:5173", "https://example.org", "http://[::1]:80"]
)
def test_an_origin(origin: str) -> None:
    assert serve.origin(origin) == origin


@pytest.mark.parametrize("origin", ["", "**", "localhost:5173", "http://x/", "http://x/y", "http://x,http://y"])  # fmt: skip
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ArgumentTypeError, match="http://localhost:5173"):
        serve.origin(origin)


def test_the_pace_is_that_of_the_course(run: Callable[..., Served], tmp_path: Path) -> None:
    assert "COURSE_PACE" in failed(more={"COURSE_PACE": "fast"})
    env_file = tmp_path / ".env"
    env_file.write_text("COURSE_PACE=10", encoding="utf-8")
    body = {"model": MODEL, "max_tokens": 3, "messages": [{"role": "user", "content": COUNT}]}
    took = []
    for pace in (None, 0):
        served = run(pace=pace, more={"COURSE_ENV_FILE": str(env_file)})
        start = time.monotonic()
        assert served.request(body=body, path="/v1/chat/completions")[0] == 200
        took.append(time.monotonic() - start)
    assert took[0] >= 1 and took[1] < took[0]


@posix_only
def test_the_limit_of_open_files_is_raised() -> None:
    import resource

    code = (
        "import resource as r; from helpers.backend import serving; _, hard = r.getrlimit(r.RLIMIT_NOFILE);"
        "r.setrlimit(r.RLIMIT_NOFILE, (64, {hard}));"
        "print(serving.allow_files(500), r.getrlimit(r.RLIMIT_NOFILE)[0])"
    )
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for limit, expected in (("hard", "500 1100"), ("300", "100 300")):
        if limit == "hard" and resource.RLIM_INFINITY != hard < 1100:
            continue
        said = subprocess.check_output(
            [sys.executable, "-c", code.format(hard=limit)], env=variables(), encoding="utf-8"
        )
        assert said.strip() == expected
