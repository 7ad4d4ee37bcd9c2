"""A network of this machine behind the server's interface: a tiny one, which has learnt nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from helpers.builtin import server
from helpers.models import local
from helpers.models.chat_shop import ChatShop
from helpers.setup import CourseError
from tests import needs

needs.required()

ASKED: Any = [{"role": "developer", "content": "Be short."}, {"role": "user", "content": "Hello"}]
CONTEXT = 256


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights as Hugging Face's libraries write it."""
    made = tmp_path_factory.mktemp("weights") / "tiny-random.v2"
    for part in needs.tiny(context=CONTEXT).values():
        part.save_pretrained(made)
    return made


@pytest.fixture(scope="module")
def shop(folder: Path) -> ChatShop:
    return local.load(folder)


@pytest.fixture(scope="module")
def client(shop: ChatShop) -> Iterator[openai.OpenAI]:
    started = server.serve(0, source=local.source(shop))
    with openai.OpenAI(base_url=started.url, api_key="no-key-needed", max_retries=0) as client:
        yield client
    started.close()


def create(client: openai.OpenAI, **given: Any) -> Any:
    asked = {"model": "tiny-random", "messages": ASKED, "temperature": 0, "max_tokens": 12, **given}
    return client.chat.completions.create(**asked)


def test_it_is_listed_under_the_name_of_its_folder(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny-random"]
    with pytest.raises(openai.NotFoundError, match="has `tiny-random`"):
        create(client, model="built-in")


def test_whole_and_streamed_it_says_what_the_network_writes(
    client: openai.OpenAI, shop: ChatShop
) -> None:
    whole = create(client)
    expected = shop.invoke([("system", "Be short."), ("user", "Hello")], max_tokens=12)
    assert whole.choices[0].message.content == expected.text != ""
    assert whole.choices[0].finish_reason == "length"
    usage = expected.usage_metadata
    assert usage and usage["output_tokens"] == 12
    counted = (usage["input_tokens"], 12, usage["total_tokens"])
    assert (
        whole.usage.prompt_tokens, whole.usage.completion_tokens, whole.usage.total_tokens
    ) == counted  # fmt: skip
    chunks = list(create(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text == expected.text and len(chunks) > 6
    assert chunks[-2].choices[0].finish_reason == "length" and chunks[-1].usage == whole.usage


def test_stop_temperature_seed_and_n(client: openai.OpenAI) -> None:
    text = create(client).choices[0].message.content
    middle = text[len(text) // 2]
    cut = create(client, stop=[middle]).choices[0]
    assert cut.message.content == text[: text.index(middle)] and cut.finish_reason == "stop"
    one, same, other = (
        create(client, temperature=1, seed=seed).choices[0].message.content for seed in (1, 1, 2)
    )
    assert one == same != other
    both = create(client, n=2)
    assert [choice.message.content for choice in both.choices] == [text, text]
    assert both.usage.completion_tokens == 24


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "support 'tools'"),
        ({"response_format": {"type": "json_object"}, "messages": [{"role": "user", "content": "JSON"}]}, "support 'response_format'"),
        ({"logprobs": True}, "support 'logprobs'"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}]}]}, "anything but text"),
        ({"messages": [{"role": "user", "content": "word " * CONTEXT}]}, "maximum context length is 256"),
    ],
)  # fmt: skip
def test_what_it_cannot_do_it_says(client: openai.OpenAI, given: Any, says: str) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match=says):
            create(client, stream=stream, **given)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_stops_it(
    stream: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And others are answered meanwhile: the server's loop never waits for the network."""
    shop = local.load(folder)
    steps = threading.Semaphore(0)
    asked, closed = threading.Event(), threading.Event()
    write = shop._tokens

    def tokens(prompt: list[int]) -> Iterator[int]:
        try:
            for token in write(prompt):
                asked.set()
                assert steps.acquire(timeout=10)
                yield token
        finally:
            closed.set()

    monkeypatch.setattr(ChatShop, "_tokens", lambda self, prompt: tokens(prompt))
    started = server.serve(0, source=local.source(shop))
    with openai.OpenAI(base_url=started.url, api_key="-", max_retries=0, timeout=0.3) as client:
        with contextlib.suppress(openai.APITimeoutError):
            answer = create(client, stream=stream, max_tokens=200)
            answer.close()
        assert asked.wait(5)
        assert [model.id for model in client.models.list()] == ["tiny-random"]
    for _ in range(5):
        steps.release()
    assert closed.wait(5), "it went on writing"
    started.close()


def test_a_folder_without_weights_and_one_that_cannot_chat(tmp_path: Path, folder: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "none.gguf"):
        with pytest.raises(CourseError, match="no weights in"):
            local.load(path)
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(CourseError, match="cannot be loaded"):
        local.load(tmp_path)
    (tmp_path / "bad.gguf").write_bytes(b"GGUF\x03\x00")
    with pytest.raises(CourseError, match="cannot be loaded"):
        local.load(tmp_path / "bad.gguf")
    for file in folder.iterdir():
        if file.name != "chat_template.jinja":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "bad.gguf").unlink()
    with pytest.raises(CourseError, match="no chat template"):
        local.load(tmp_path)
