"""What several test modules ask the built-in model, and what its book has for it."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
import time
from typing import Any

import yaml

from helpers.builtin import reading
from helpers.builtin.server import Server

SOURCE: dict[str, Any] = yaml.load(reading.PATH.read_text(encoding="utf-8"), Loader=reading.LOADER)
ENTRIES: dict[str, Any] = {entry["id"]: entry for entry in SOURCE["entries"]}
KEY = "sk-canary-5f1c9a2e"
COUNT = "Count from 1 to 10."
STORY = "Tell me the story of the parrot, in five sentences."


def asked(name: str, lang: str = "en") -> str:
    """Return the first wording of a question, with Ada's name where it takes one."""
    wording = ENTRIES[name]["ask"][lang]
    text: str = wording[0] if isinstance(wording, list) else wording
    return re.sub(r"(?<=[\u4e00-\u9fff])\{name\}", " {name}", text).replace("{name}", "Ada")


def answered(name: str, lang: str = "en") -> str:
    """Return its answer in words."""
    text: str = ENTRIES[name]["answer"][lang]
    return re.sub(r"(?<=[\u4e00-\u9fff])\{name\}", " {name}", text).replace("{name}", "Ada")


def request(
    running: Server, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, http.client.HTTPMessage, str]:
    """Send a request with the standard library; a body that is not bytes goes as JSON."""
    connection = http.client.HTTPConnection(running.url.split("/")[2], timeout=10)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(method, path, content, {"Authorization": f"Bearer {KEY}", **headers})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, response.headers, text


def unfinished(running: Server) -> int:
    """Return how many tasks the server's loop has besides its own."""
    counted: list[int] = []
    done = threading.Event()

    def count() -> None:
        counted.append(len(asyncio.all_tasks(running._loop)) - 1)
        done.set()

    running._loop.call_soon_threadsafe(count)
    assert done.wait(5)
    return counted[0]


def eventually_idle(running: Server) -> bool:
    """Wait until nothing is under way, up to two seconds; return whether that is so."""
    deadline = time.monotonic() + 2
    while unfinished(running) and time.monotonic() < deadline:
        time.sleep(0.01)
    return unfinished(running) == 0
