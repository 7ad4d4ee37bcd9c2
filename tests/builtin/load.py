"""A load test of the built-in model: every answer is checked, time and memory are measured.

Another mock server can be put under the same load; its figures then stand beside the model's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import io
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from helpers.builtin import MODEL, reading, tokens, wire
from helpers.setup import ROOT
from helpers.setup.processes import python_of

STREAMS = 200
CALLS = 10_000
WARM_UP = 1_000
AT_A_TIME = 8  # of the calls; more only wait in the server's queue
SHORT = 20  # tokens; the calls are to be many, not long
MOST_GROWTH = 4.0  # MB that the server may take more after CALLS calls
RIVAL = "mockllm==0.0.8"
SERVE = """
import sys
from helpers.builtin.server import serve
server = serve(pace=0)
print(server.url.split(":")[2].split("/")[0], flush=True)
sys.stdin.read()
server.close()
"""
# The first piece of text in a stream: content that is not empty.
_FIRST = re.compile(rb'"content": ?"[^"]')


@dataclass(frozen=True)
class Case:
    """A request that no other one is like, and the one right answer to it."""

    body: dict[str, Any]
    text: str
    reason: str
    id: str = ""  # where it is known

    @property
    def choices(self) -> int:
        return int(self.body.get("n", 1))


class Answer(NamedTuple):
    """What came back for a case: the bytes, and after how many seconds text and end arrived."""

    case: Case
    raw: bytes
    first: float
    end: float


@dataclass
class Figures:
    """What a server did under the load."""

    first: float  # seconds until the first token, median
    first_p95: float
    tokens: float  # a second, of STREAMS streams together
    calls: float  # a second, AT_A_TIME at a time
    growth: float  # MB
    wrong: list[str]


def questions() -> list[tuple[str, str]]:
    """Return the questions of the book that need nothing said before and leave nothing open, with their answers."""
    entries = yaml.safe_load(reading.PATH.read_text(encoding="utf-8"))["entries"]
    found = []
    for entry in entries:
        if not {"system", "earlier"} & set(entry):
            for lang, asked in entry["ask"].items():
                question = asked[0] if isinstance(asked, list) else asked
                if "{" not in question:  # a name to be filled in
                    found.append((question, entry["answer"][lang]))
    return found


def cases(name: str, plain: bool, short: bool = False) -> Iterator[Case]:
    """Yield cases without end; `plain` ones do without what only the built-in model knows.

    The user's name marks a case as no other: the built-in model's id of an answer depends on it.
    """
    usable = [pair for pair in questions() if not short or tokens.count(pair[1]) <= SHORT]
    number = 0
    while True:
        question, text = usable[number % len(usable)]
        body: dict[str, Any] = {
            "model": MODEL,
            "user": f"{name}-{number}",
            "messages": [{"role": "user", "content": question}],
            "stream": not short or number % 2 == 0,
        }
        reason = "stop"
        if not plain and number % 3:
            body |= {"n": 1 + number % 4, "max_tokens": 1 + number % 50}
            whole = tokens.split(text)
            text = "".join(whole[: body["max_tokens"]])
            reason = "length" if len(whole) > body["max_tokens"] else "stop"
        own = "" if plain else wire.request_id("chatcmpl", json.dumps(body).encode())
        yield Case(body, text, reason, own)
        number += 1


async def ask(case: Case, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
    """Send a case over a connection of its own; keep all bytes for later, so as to lose no time."""
    body = json.dumps(case.body).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    start = time.perf_counter()
    writer.write(head.encode() + body)
    raw = b""
    first = 0.0
    while data := await reader.read(2**16):
        raw += data
        if not first and _FIRST.search(raw):
            first = time.perf_counter() - start
    writer.close()
    return Answer(case, raw, first, time.perf_counter() - start)


async def at_once(port: int, several: Sequence[Case]) -> list[Answer]:
    """Ask all cases at the same time; all connections stand before the first question is put."""
    opened = [asyncio.open_connection("127.0.0.1", port) for _ in several]
    ends = await asyncio.gather(*opened)
    asked = [ask(case, *end) for case, end in zip(several, ends, strict=True)]
    return await asyncio.gather(*asked)


async def one_after_another(port: int, several: Sequence[Case]) -> list[Answer]:
    """Ask all cases, AT_A_TIME at a time."""
    left = iter(several)

    async def work() -> list[Answer]:
        return [await ask(case, *await asyncio.open_connection("127.0.0.1", port)) for case in left]

    answers = await asyncio.gather(*(work() for _ in range(AT_A_TIME)))
    return [answer for own in answers for answer in own]


class _Received:
    """Received bytes in the place of a socket, for http.client to read."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.raw)


def problems(answer: Answer) -> list[str]:
    """Return what is wrong with an answer: lost, broken off, or another request's."""
    case = answer.case
    try:
        response = http.client.HTTPResponse(_Received(answer.raw))  # type: ignore[arg-type]
        response.begin()
        text = response.read().decode()
        if response.status != 200:
            return [f"{case.body['user']}: status {response.status}: {text[:200]}"]
        written = streamed(text) if case.body["stream"] else [json.loads(text)]
        if case.id and any(part["id"] != case.id for part in written):
            return [f"{case.body['user']}: has parts of another answer"]
        got = [(choice["index"], *said(choice)) for part in written for choice in part["choices"]]
    except (http.client.HTTPException, OSError, ValueError) as error:
        return [f"{case.body['user']}: {error!r}"]
    for index in range(case.choices):
        own = [(part, end) for number, part, end in got if number == index]
        said_in_all = "".join(part for part, _ in own), [end for _, end in own if end]
        if said_in_all != (case.text, [case.reason]):
            return [f"{case.body['user']}: not its own answer: {said_in_all!r:.200}"]
    if {number for number, *_ in got} != set(range(case.choices)):
        return [f"{case.body['user']}: too many choices"]
    return []


def streamed(text: str) -> list[Any]:
    *events, done, end = text.split("\n\n")
    if (done, end) != ("data: [DONE]", ""):
        raise ValueError("the stream breaks off")
    return [json.loads(event.removeprefix("data: ")) for event in events]


def said(choice: dict[str, Any]) -> tuple[str, str | None]:
    part = choice.get("delta") or choice.get("message") or {}
    return part.get("content") or "", choice["finish_reason"]


@contextlib.contextmanager
def built_in() -> Iterator[tuple[int, int]]:
    """Run the built-in model in a process of its own; yield the port and the process's id."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVE],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        yield int(process.stdout.readline()), process.pid
        process.stdin.close()  # which ends it; where this process dies, the system does it


@contextlib.contextmanager
def rival() -> Iterator[tuple[int, int]]:
    """Install the other mock server, give it the same answers, and run it at its fastest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = str(python_of(folder / "venv"))
        subprocess.run([python, "-m", "pip", "install", "--quiet", RIVAL], check=True)
        answers = folder / "responses.yml"
        # Its streams look the answer up as if that were the question; hence both.
        responses = {key: text for question, text in questions() for key in (question, text)}
        answers.write_text(yaml.safe_dump({"responses": responses}), encoding="ascii")
        # It reads the file anew for each request unless its time is a whole second.
        os.utime(answers, (0, 1_000_000_000))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["-m", "uvicorn", "mockllm.server:app", "--port", str(port)]
        with subprocess.Popen(
            [python, *command, "--log-level", "warning", "--no-access-log"],
            cwd=folder,
            env={**os.environ, "MOCKLLM_RESPONSES_FILE": str(answers)},
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                _wait_for(port)
                yield port, process.pid
            finally:
                process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def memory(pid: int) -> float:
    """Return the memory that a process holds, in MB."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20


def measure(servers: Sequence[tuple[int, int]], plain: bool, rounds: int) -> list[Figures]:
    """Put the whole load on servers in turn, so that none has the machine's better minutes."""
    calls = cases("call", plain, short=True)
    streams = cases("stream", plain)
    runs = [Run(*where) for where in servers]
    for run in runs:
        run.call(list(islice(calls, WARM_UP)))
        run.stream(list(islice(streams, STREAMS)))
        run.start()
    for _ in range(rounds):
        for run in runs:
            run.call(list(islice(calls, CALLS // rounds)))
            run.stream(list(islice(streams, STREAMS)))
    return [run.figures() for run in runs]


class Run:
    """The load on one server, and what is measured meanwhile."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        self.wrong: list[str] = []
        self.start()

    def start(self) -> None:
        """Measure from here on."""
        self.before = memory(self.pid)
        self.call_rates: list[float] = []
        self.token_rates: list[float] = []
        self.first: list[float] = []

    def call(self, several: Sequence[Case]) -> None:
        start = time.perf_counter()
        answers = asyncio.run(one_after_another(self.port, several))
        self.call_rates.append(len(several) / (time.perf_counter() - start))
        self.check(answers, several)

    def stream(self, several: Sequence[Case]) -> None:
        answers = asyncio.run(at_once(self.port, several))
        self.check(answers, several)
        self.first += [answer.first for answer in answers]
        written = sum(tokens.count(case.text) * case.choices for case in several)
        self.token_rates.append(written / max(answer.end for answer in answers))

    def check(self, answers: Sequence[Answer], several: Sequence[Case]) -> None:
        self.wrong += [problem for answer in answers for problem in problems(answer)]
        if len(answers) != len(several):
            self.wrong.append(f"{len(several) - len(answers)} answers are missing")

    def figures(self) -> Figures:
        return Figures(
            first=statistics.median(self.first),
            first_p95=statistics.quantiles(self.first, n=20)[-1],
            tokens=statistics.median(self.token_rates),
            calls=statistics.median(self.call_rates),
            growth=memory(self.pid) - self.before,
            wrong=self.wrong,
        )


def rows(figures: Figures) -> dict[str, float]:
    return {
        "first token, median (ms)": 1000 * figures.first,
        "first token, 95 % (ms)": 1000 * figures.first_p95,
        "tokens a second": figures.tokens,
        "calls a second": figures.calls,
        f"memory over {CALLS:,} calls (MB)": figures.growth,
        "wrong or lost answers": len(figures.wrong),
    }


def compare(own: Figures, other: Figures) -> list[str]:
    """Print both servers' figures side by side, and return where the built-in model is behind."""
    print(f"\n{'':34}{'built-in':>12}{RIVAL:>16}{'times as good':>16}")
    for name, value in rows(own).items():
        theirs = rows(other)[name]
        ratio = ""
        if name.startswith("first"):
            ratio = f"{theirs / value:16.1f}"
        elif name.endswith("second"):
            ratio = f"{value / theirs:16.1f}"
        print(f"{name:34}{value:12,.1f}{theirs:16,.1f}{ratio}")
    behind = {
        "first token": other.first < own.first,
        "tokens a second": other.tokens > own.tokens,
        "calls a second": other.calls > own.calls,
    }
    return [f"slower than {RIVAL}: {name}" for name, slower in behind.items() if slower]


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help=f"how often {STREAMS} streams")
    parser.add_argument(
        "--rival", action="store_true", help=f"install {RIVAL} from PyPI and compare with it"
    )
    options = parser.parse_args(argv)
    with built_in() as where:
        [own] = measure([where], plain=False, rounds=options.rounds)
    print(f"The built-in model, {STREAMS} streams at once, n and max_tokens varied:")
    for name, value in rows(own).items():
        print(f"{name:34}{value:12,.1f}")
    failed = own.wrong[:10]
    if own.growth > MOST_GROWTH:
        failed.append(f"the memory grows by more than {MOST_GROWTH} MB")
    if options.rival:
        with built_in() as ours, rival() as theirs:
            own, other = measure([ours, theirs], plain=True, rounds=options.rounds)
        failed += own.wrong[:10] + compare(own, other)
    print("\n".join(["", *failed]) if failed else "\nNothing is lost, mixed up or too slow.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
