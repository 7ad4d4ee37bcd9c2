"""Finds the programs on this machine that serve a chat model: Ollama, LM Studio and llama.cpp."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any, NamedTuple

from helpers.backend.servers import NO_CHAT

# Their ports when nobody chose another, and what no other program answers: a path, and a name in the
# JSON that is there. LM Studio has moved its own from one path to the other.
PROGRAMS: dict[str, tuple[int, Sequence[tuple[str, str]]]] = {
    "Ollama": (11434, [("/api/version", "version")]),
    "LM Studio": (1234, [("/api/v0/models", "data"), ("/api/v1/models", "models")]),
    "llama.cpp": (8080, [("/props", "default_generation_settings")]),
}
GLANCE = 0.05  # seconds for each step of an answer that nobody waits for
PATIENCE = 2.0  # seconds, where somebody asked
MOST = 2**22  # bytes that are read of an answer


class Nearby(NamedTuple):
    """A program that runs here, and its base URL."""

    program: str
    url: str


def look(timeout: float = PATIENCE) -> list[Nearby]:
    """Return the programs that answer on loopback, each within about twice `timeout` seconds."""
    with ThreadPoolExecutor(len(PROGRAMS)) as pool:
        there = pool.map(lambda name: _is_there(name, timeout), PROGRAMS)
        return [
            Nearby(name, f"http://127.0.0.1:{port}/v1")
            for (name, (port, _signs)), found in zip(PROGRAMS.items(), there, strict=True)
            if found
        ]


def models(found: Nearby) -> list[str]:
    """Return the names of the models that it lists and that chat."""
    port, _signs = PROGRAMS[found.program]
    listed = _ask(port, "/v1/models", PATIENCE).get("data")
    names = [str(model.get("id")) for model in listed] if isinstance(listed, list) else []
    return [name for name in names if not NO_CHAT.search(name)]


def _is_there(name: str, timeout: float) -> bool:
    port, signs = PROGRAMS[name]
    return any(sign in _ask(port, path, timeout) for path, sign in signs)


def _ask(port: int, path: str, timeout: float) -> dict[str, Any]:
    """Return the JSON object at a path, an empty one where there is none. No proxy is asked."""
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        found = json.loads(connection.getresponse().read(MOST))
    except (OSError, HTTPException, ValueError):  # nobody there, or a stranger
        return {}
    finally:
        connection.close()
    return found if isinstance(found, dict) else {}
