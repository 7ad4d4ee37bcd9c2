"""Holds what the server sends against the types that the openai package has for it."""

from __future__ import annotations

import functools
import json
from typing import Any

import pydantic


def unknown_fields(value: Any, place: str = "") -> list[str]:
    """Return the fields, at any depth, that are not in their model."""
    found = []
    if isinstance(value, pydantic.BaseModel):
        found += [f"{place}.{name}" for name in value.model_extra or {}]
        for name in type(value).model_fields:
            found += unknown_fields(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, list):
        for one in value:
            found += unknown_fields(one, f"{place}[]")
    return found


def check(path: str, status: int, text: str) -> None:
    """Raise ValueError unless openai knows what answers a request: one JSON, or the lines of a stream."""
    from openai import types
    from openai.types import chat, responses, shared

    if text.startswith("event: "):
        for event in text.rstrip("\n").split("\n\n"):
            name, data = event.split("\n")
            validate(responses.ResponseStreamEvent, json.loads(data[6:]))
            if name != f"event: {json.loads(data[6:])['type']}":
                raise ValueError(f"{name} is not the name of {data}")
        return
    legacy = path == "/v1/completions"
    if text.startswith("data: "):
        for event in text.rstrip("\n").split("\n\n"):
            if event != "data: [DONE]":
                chunk = json.loads(event.removeprefix("data: "))
                if legacy:
                    for choice in chunk["choices"]:  # the type knows no piece but the last
                        choice["finish_reason"] = choice["finish_reason"] or "stop"
                validate(types.Completion if legacy else chat.ChatCompletionChunk, chunk)
        return
    whole = json.loads(text)
    if status >= 400:
        validate(shared.ErrorObject, whole.pop("error"))
        envelope: dict[str, Any] = {}
    elif path.startswith("/v1/models"):
        models = whole.pop("data") if whole["object"] == "list" else [whole]
        for model in models:
            validate(types.Model, model)
        envelope = {"object": "list"} if len(whole) == 1 else whole
    elif path == "/v1/responses":
        validate(responses.Response, whole)
        envelope = whole
    else:
        validate(types.Completion if legacy else chat.ChatCompletion, whole)
        envelope = whole
    if whole != envelope:
        raise ValueError(f"besides what is known there is {whole}")


def validate(kind: Any, value: Any) -> None:
    """Raise ValueError unless `value` is one of the openai package's types, and has nothing more."""
    found = _adapter(kind).validate_json(json.dumps(value), strict=True)
    if unknown := unknown_fields(found):
        raise ValueError(f"{type(found).__name__} has no {', '.join(unknown)}")


_adapter = functools.cache(pydantic.TypeAdapter)
