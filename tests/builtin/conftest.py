"""Every answer of every server in these tests is held against openai's own types."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers.builtin import routes
from tests.builtin import published

BROKEN = ("cut", "malformed")  # faults that break an answer off


@pytest.fixture(autouse=True)
def answers_are_as_published(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    wrong: list[str] = []
    answer = routes.answer

    def checked(state: routes.State, asked: routes.Asked) -> Iterator[routes.Step]:
        fault = state.calls.fault if state.calls is not None else None
        free = fault is not None and (fault.kind in BROKEN or fault.ways)
        status = 0
        steps = answer(state, asked)
        try:
            for step in steps:
                if isinstance(step, routes.Head):
                    status = step.status
                elif isinstance(step, bytes) and step and not free:
                    try:
                        published.check(asked.path, status, step.decode())
                    except (ValueError, KeyError) as error:
                        wrong.append(f"{asked.path}: {error}: {step.decode()[:500]}")
                yield step
        finally:
            steps.close()

    monkeypatch.setattr(routes, "answer", checked)
    yield
    assert wrong == []
