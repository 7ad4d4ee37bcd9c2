"""Reads requests as OpenAI's interface does: each value is checked, each refusal names its parameter."""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
from collections.abc import Collection, Mapping
from typing import Any

from helpers.builtin import MODELS

# As OpenAI words it.
UNKNOWN_MODEL = "The model `{model}` does not exist or you do not have access to it."
MAX_STOPS = 4
_JSON_TYPES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    type(None): "null",
}


class RequestError(Exception):
    """A request that is answered with an error in OpenAI's shape.

    `param` names the parameter at fault, `code` is OpenAI's word for the error, `status` the HTTP
    status, and `headers` are those that the answer has besides.
    """

    def __init__(
        self,
        message: str,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status
        self.headers = headers or {}


def load(body: bytes) -> dict[str, Any]:
    """Return the JSON object that `body` holds; raise RequestError where it holds none."""
    try:
        text = body.decode()
        data = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"The body of the request is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        kind = _JSON_TYPES[type(data)]
        raise RequestError(f"The body of the request must be a JSON object, but it is {kind}.")
    if "\\ud" in text.lower():
        _refuse_half_characters(data)
    return data


def _refuse_half_characters(data: dict[str, Any]) -> None:
    """Refuse half of a surrogate pair, which no answer could repeat."""
    for name, value in data.items():
        try:
            json.dumps({name: value}, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            short = name[:80].encode(errors="replace").decode()
            message = f"Invalid '{short}': it holds half of a surrogate pair."
            raise RequestError(message, short, "invalid_value") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"{reprlib.repr(text)} is too large a number")
    return number


def request_id(kind: str, body: bytes) -> str:
    """Return an id: the same request has the same one, so that the same lesson gives the same page."""
    return f"{kind}-{hashlib.sha256(body).hexdigest()[:24]}"


def get(parent: Any, key: str | int, expected: str, path: str = "", required: bool = False) -> Any:
    """Return what an object or array holds under `key`, which must be of the expected JSON type.

    As with OpenAI, null stands for a parameter that is left out. `path` leads to the parent.
    """
    param = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}".lstrip(".")
    value = parent.get(key) if isinstance(parent, dict) else parent[key]
    if value is None:
        if required:
            message = f"Missing required parameter: '{param}'."
            raise RequestError(message, param, "missing_required_parameter")
        return None
    kind = _JSON_TYPES[type(value)]
    if kind != expected and (kind, expected) != ("integer", "number"):
        message = f"Invalid type for '{param}': expected {expected}, but got {kind} instead."
        raise RequestError(message, param, "invalid_type")
    return value


def number(data: Any, name: str, kind: str, least: float, most: float = math.inf) -> Any:
    """Return the number under `name`, which must be within the bounds, or None."""
    value = get(data, name, kind)
    if value is not None and not least <= value <= most:
        allowed = f"at least {least}" if most == math.inf else f"from {least} to {most}"
        message = f"Invalid '{name}': expected {kind} {allowed}, but got {reprlib.repr(value)}."
        code = f"{kind}_{'below_min' if value < least else 'above_max'}_value"
        raise RequestError(message, name, code)
    return value


def known(value: str, values: Collection[str], param: str) -> str:
    """Return `value`, which must be one of `values`."""
    if value not in values:
        names = ", ".join(f"'{name}'" for name in values)
        message = f"Invalid value: {reprlib.repr(value)}. Supported values are: {names}."
        raise RequestError(message, param, "invalid_value")
    return value


def model(name: str, models: Collection[str] = MODELS) -> str:
    """Return the name of a model, which must be one of `models`."""
    if name not in models:
        message = UNKNOWN_MODEL.format(model=name[:64])
        *others, last = (f"`{known}`" for known in models)
        message += f" This server has {', '.join(others) + ' and ' if others else ''}{last}."
        raise RequestError(message, code="model_not_found", status=404)
    return name


def parameters(data: Mapping[str, Any], names: Collection[str], refused: Mapping[str, str]) -> None:
    """Refuse a parameter that the interface does not know, or that `refused` gives a reason against."""
    for name, value in data.items():
        if value is not None and name in refused:
            message = f"Unsupported parameter: '{name}': {refused[name]}."
            raise RequestError(message, name, "unsupported_parameter")
        if name not in names and name not in refused:
            short = reprlib.repr(name)
            raise RequestError(f"Unknown parameter: {short}.", name[:80], "unknown_parameter")


def stops(data: Mapping[str, Any]) -> list[str]:
    """Return the stop strings."""
    if isinstance(data.get("stop"), str):
        data = {"stop": [data["stop"]]}
    given = get(data, "stop", "array") or []
    found = [get(given, index, "string", "stop", required=True) for index in range(len(given))]
    if len(found) > MAX_STOPS or "" in found:
        raise RequestError(f"Invalid 'stop': expected up to {MAX_STOPS} non-empty strings.", "stop")
    return found


def streaming(data: Mapping[str, Any]) -> tuple[bool, bool]:
    """Return whether to stream, and whether the stream ends in the token usage."""
    stream = get(data, "stream", "boolean") or False
    options = get(data, "stream_options", "object")
    if options is None:
        return stream, False
    if not stream:
        raise RequestError("'stream_options' is only allowed with 'stream'.", "stream_options")
    for name in ("include_usage", "include_obfuscation"):
        get(options, name, "boolean", "stream_options")
    return stream, options.get("include_usage") or False
