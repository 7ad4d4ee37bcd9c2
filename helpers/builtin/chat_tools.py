"""Reads what a chat completion may do beside words: the tools it is offered, and the form of its answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from helpers.builtin import schemas
from helpers.builtin.book import Message
from helpers.builtin.wire import RequestError, get, known

MAX_TOOLS = 128


class Tool(NamedTuple):
    """A function that may be called, and the JSON schema of its arguments."""

    name: str
    description: str
    parameters: dict[str, Any]


def read_tools(data: dict[str, Any]) -> list[Tool]:
    """Return the tools that a request offers."""
    given = get(data, "tools", "array")
    if given is None:
        return []
    if not 1 <= len(given) <= MAX_TOOLS:
        message = f"Invalid 'tools': expected 1 to {MAX_TOOLS} tools, but got {len(given)}."
        code = "array_above_max_length" if given else "empty_array"
        raise RequestError(message, "tools", code)
    return [_tool(given, index) for index in range(len(given))]


def _tool(given: list[Any], index: int) -> Tool:
    path = f"tools[{index}]"
    tool = get(given, index, "object", "tools", required=True)
    function = function_of(tool, path)
    path += ".function"
    name = _name(function, path)
    description = get(function, "description", "string", path) or ""
    schema = get(function, "parameters", "object", path)
    strict = get(function, "strict", "boolean", path)
    if schema is None:
        schema = {"type": "object", "properties": {}}
    what = f"Invalid schema for function '{name}'"
    if schema.get("type") != "object":
        message = f"{what}: schema must be a JSON Schema of 'type: \"object\"'."
        raise RequestError(message, f"{path}.parameters", "invalid_function_parameters")
    _check_schema(schema, strict, what, f"{path}.parameters", "invalid_function_parameters")
    return Tool(name, description, schema)


def function_of(tool: Any, path: str) -> Any:
    """Return the function of a tool or a call; tools of the type 'custom' are refused."""
    kind = get(tool, "type", "string", path, required=True)
    if kind == "custom":
        message = (
            f"Unsupported value: '{path}.type' is 'custom': the built-in model gives arguments in "
            "JSON. Take a tool of the type 'function'."
        )
        raise RequestError(message, f"{path}.type", "unsupported_value")
    known(kind, ("function",), f"{path}.type")
    return get(tool, "function", "object", path, required=True)


def _name(data: Any, path: str) -> str:
    name: str = get(data, "name", "string", path, required=True)
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name):
        message = (
            f"Invalid '{path}.name': expected 1 to 64 letters, digits, underscores or hyphens."
        )
        raise RequestError(message, f"{path}.name", "invalid_value")
    return name


def _check_schema(schema: Any, strict: bool | None, what: str, param: str, code: str) -> None:
    try:
        schemas.read(schema)
        if strict:
            schemas.check_strict(schema)
    except schemas.SchemaError as error:
        raise RequestError(f"{what}: {error}.", param, code) from error


def read_choice(data: dict[str, Any], names: Sequence[str]) -> tuple[str, Sequence[str], str]:
    """Return how free the choice is, which tools it is from, and the one asked for by name."""
    choice = data.get("tool_choice")
    for name in ("tool_choice", "parallel_tool_calls"):
        if data.get(name) is not None and not names:
            raise RequestError(f"'{name}' is only allowed when 'tools' are specified.", name)
    if choice is None:
        return "auto", names, ""
    if isinstance(choice, str):
        return known(choice, ("none", "auto", "required"), "tool_choice"), names, ""
    choice = get(data, "tool_choice", "object")
    if get(choice, "type", "string", "tool_choice", required=True) != "allowed_tools":
        name = _offered(choice, "tool_choice", names)
        return "required", [name], name
    path = "tool_choice.allowed_tools"
    choice = get(choice, "allowed_tools", "object", "tool_choice", required=True)
    mode = get(choice, "mode", "string", path, required=True)
    known(mode, ("auto", "required"), f"{path}.mode")
    tools = get(choice, "tools", "array", path, required=True)
    if not tools:
        message = f"Invalid '{path}.tools': expected at least 1 tool, but got none."
        raise RequestError(message, f"{path}.tools", "empty_array")
    return mode, [_allowed(tools, index, f"{path}.tools", names) for index in range(len(tools))], ""


def _allowed(tools: list[Any], index: int, path: str, names: Sequence[str]) -> str:
    tool = get(tools, index, "object", path, required=True)
    return _offered(tool, f"{path}[{index}]", names)


def _offered(tool: Any, path: str, names: Sequence[str]) -> str:
    """Return the name of a tool that must be one of those offered."""
    function = function_of(tool, path)
    name = get(function, "name", "string", f"{path}.function", required=True)
    return known(name, names, f"{path}.function.name")


def read_schema(data: dict[str, Any], messages: Sequence[Message]) -> dict[str, Any] | None:
    """Return the schema that the answer must be valid under, None for words."""
    given = get(data, "response_format", "object")
    if given is None:
        return None
    path = "response_format"
    kinds = ("text", "json_object", "json_schema")
    kind = known(get(given, "type", "string", path, required=True), kinds, f"{path}.type")
    if kind == "text":
        return None
    if kind == "json_object":
        if not any("json" in message.text.casefold() for message in messages):
            raise RequestError(
                "'messages' must contain the word 'json' in some form, to use 'response_format' of "
                "type 'json_object'.",
                "messages",
            )
        return {"type": "object"}
    path += ".json_schema"
    inner = get(given, "json_schema", "object", "response_format", required=True)
    name = _name(inner, path)
    get(inner, "description", "string", path)
    schema: dict[str, Any] = get(inner, "schema", "object", path) or {}
    strict = get(inner, "strict", "boolean", path)
    what = f"Invalid schema for response_format '{name}'"
    if strict and schema.get("type") != "object" and "$ref" not in schema:
        message = f"{what}: schema must be a JSON Schema of 'type: \"object\"'."
        raise RequestError(message, f"{path}.schema", "invalid_json_schema")
    _check_schema(schema, strict, what, f"{path}.schema", "invalid_json_schema")
    return schema
