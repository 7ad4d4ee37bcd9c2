"""Judges and fills JSON schemas where there is no jsonschema-rs, in a browser: by jsonschema, which is Python.

It fills what Pydantic makes of ordinary classes. Of alternatives it takes the first that is not null,
and of bounds it knows `minimum` alone; a value that is then not valid is an error.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import jsonschema


def read(schema: Any) -> Any:
    """Return `schema`; raise jsonschema.SchemaError where it is none."""
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def validator(schema: Any) -> Any:
    """Return the function that says whether a value is valid under `schema`."""
    return jsonschema.Draft202012Validator(schema).is_valid


def fill(
    schema: Any, root: Any, heard: str, strings: list[str], numbers: list[float], text: str
) -> Any:
    """Return a value for `schema`, a part of `root`; what it uses of the strings and numbers goes.

    `heard` is where a value of an `enum` is looked for, and `text` is said where no string is left.
    """

    def part(inner: Any) -> Any:
        return fill(inner, root, heard, strings, numbers, text)

    if "$ref" in schema:
        path = schema["$ref"].removeprefix("#").strip("/").split("/")
        return part(reduce(lambda node, key: node[key], filter(None, path), root))
    if "const" in schema:
        return schema["const"]
    if values := schema.get("enum"):
        return next((v for v in values if str(v).casefold() in heard), values[0])
    if branches := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return part(next((b for b in branches if b.get("type") != "null"), branches[0]))
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if kind == "object":
        return {name: part(inner) for name, inner in schema.get("properties", {}).items()}
    if kind == "array":
        return [part(schema.get("items", {}))]
    if kind in ("integer", "number"):
        least = schema.get("minimum", 1)
        found = next((n for n in numbers if n >= least or "minimum" not in schema), None)
        if found is not None:
            numbers.remove(found)
        number = least if found is None else found
        return int(number) if kind == "integer" or float(number).is_integer() else number
    if kind == "string":
        return strings.pop(0) if strings else text
    return kind == "boolean" or None
