"""Every answer of every server in these tests is held against openai's own types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from helpers.builtin import faults, routes
from tests.builtin import published

BROKEN = ("cut", "malformed")  # faults that break an answer off


@pytest.fixture(autouse=True)
def answers_are_as_published(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    wrong: list[str] = []
    write = routes._Handler.write

    def checked(handler: Any, chunk: Any) -> None:
        before = len(handler._write_buffer)
        write(handler, chunk)
        if getattr(handler, "fault", faults.NONE).kind not in BROKEN:
            text = b"".join(handler._write_buffer[before:]).decode()
            try:
                published.check(handler.request.path, handler.get_status(), text)
            except (ValueError, KeyError) as error:
                wrong.append(f"{handler.request.path}: {error}: {text[:500]}")

    monkeypatch.setattr(routes._Handler, "write", checked)
    yield
    assert wrong == []
