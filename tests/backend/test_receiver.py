"""The receiver in LangSmith's place, against LangSmith's own client."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from helpers.backend.receiver import Receiver

if TYPE_CHECKING:
    from langsmith import Client

KEY = "canary-5a1e"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


def traced(client: Client) -> None:
    from langchain_core.language_models import FakeListChatModel
    from langsmith import tracing_context

    with tracing_context(enabled=True, client=client):
        FakeListChatModel(responses=["Paris."]).invoke("Where?")
    client.flush(timeout=20)
    client.close()


def test_it_keeps_the_runs_and_not_the_key(receiver: Receiver) -> None:
    from langsmith import Client

    traced(Client(api_url=receiver.url, api_key=KEY))
    (run,) = receiver.runs()
    assert run["inputs"]["messages"][0][0]["kwargs"]["content"] == "Where?"
    assert run["outputs"]["generations"][0][0]["text"] == "Paris."
    assert {request.path for request in receiver.requests} == {"/runs/batch"}
    assert "x-api-key" in receiver.requests[0].headers
    assert KEY not in repr(receiver.requests) and KEY not in repr(vars(receiver))


def test_without_a_key_it_refuses(receiver: Receiver) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{receiver.url}/runs/batch", data=b"{}")
    assert caught.value.code == 401
    assert [request.headers.count("x-api-key") for request in receiver.requests] == [0]


def test_closed_it_does_not_answer(receiver: Receiver) -> None:
    other = Receiver()
    other.close()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(other.url)
    assert urllib.request.urlopen(f"{receiver.url}/info").status == 200
