"""Reads JSON schemas and judges values by them.

A schema is brought into the canonical form of jsonschema-rs, which resolves `allOf`, `not`, `if`
and bounds that belong together, so that few kinds of node are left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema_rs import CanonicalSchema

PLAIN = find_spec("jsonschema_rs") is None  # as in a browser, for which it is not built
if PLAIN:
    from jsonschema.exceptions import SchemaError as NoSchemaError

    from helpers.builtin import plain
else:
    import jsonschema_rs

MAX_SCHEMA = 100_000  # characters of a schema, written as JSON
MAX_ALL_OF = 10  # branches, where they are not alone: each multiplies the work

# What `strict` does not take.
NOT_PERMITTED = [
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "dependencies",
    "contains",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "prefixItems",
    "uniqueItems",
]

VALUES = ("const", "default", "enum", "examples")  # what stands there is no schema


class SchemaError(Exception):
    """The schema is none, or asks for more than the built-in model can make up; the message says what."""


def read(schema: dict[str, Any]) -> CanonicalSchema | Any:
    """Return the canonical form of `schema`; raise SchemaError where it is not a JSON schema."""
    if len(json.dumps(schema)) > MAX_SCHEMA:
        raise SchemaError(f"it is longer than {MAX_SCHEMA:,} characters")
    branches = [part["allOf"] for part in parts(schema) if isinstance(part.get("allOf"), list)]
    if sum(map(len, branches)) > max(MAX_ALL_OF, len(branches)):
        raise SchemaError(f"it has more than {MAX_ALL_OF} branches of 'allOf'")
    if PLAIN:
        try:
            return plain.read(schema)
        except NoSchemaError as error:
            raise SchemaError(error.message) from error
    try:
        # Offline: no reference is fetched from anywhere.
        return jsonschema_rs.canonicalize(schema, offline=True, validate_formats=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError(str(error).splitlines()[0]) from error


def check_strict(schema: Any, place: tuple[str, ...] = ()) -> None:
    """Raise SchemaError unless OpenAI takes `schema` with `strict`.

    Each schema has a type, and no word that OpenAI does not know; each object is closed and asks
    for all its properties. The rules of https://platform.openai.com/docs/guides/structured-outputs
    and of what the interface refuses; `place` leads to the schema.
    """
    for reason in _against(schema):
        raise SchemaError(f"In context={place}, {reason}")
    for word in ("properties", "$defs", "definitions"):
        for name, part in schema.get(word, {}).items():
            check_strict(part, (*place, word, name))
    for index, part in enumerate(schema.get("anyOf", [])):
        check_strict(part, (*place, "anyOf", str(index)))
    if "items" in schema:
        check_strict(schema["items"], (*place, "items"))


def _against(schema: Any) -> Iterator[str]:
    """Yield what OpenAI has against a schema, not counting those in it."""
    if not isinstance(schema, dict):
        schema = {}  # true and false: anything and nothing
    yield from (f"'{word}' is not permitted" for word in NOT_PERMITTED if word in schema)
    if "$ref" in schema and (others := set(schema) - {"$ref", "$defs", "definitions"}):
        yield f"$ref cannot have keywords {{{', '.join(map(repr, sorted(others)))}}}"
    if not {"type", "$ref", "anyOf"} & set(schema):
        yield "schema must have a 'type' key"
    kind = schema.get("type")
    kinds = kind if isinstance(kind, list) else [kind]
    if "array" in kinds and "items" not in schema:
        yield "array schema missing items"
    properties = properties_of(schema)
    if "object" in kinds or properties:
        if schema.get("additionalProperties") is not False:
            yield "'additionalProperties' is required to be supplied and to be false"
        for name in properties:
            if name not in schema.get("required", []):
                yield (
                    "'required' is required to be supplied and to be an array including every key "
                    f"in properties. Missing {name!r}"
                )


def parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the schema and all schemas in it, from the outside to the inside."""
    if isinstance(schema, dict):
        yield schema
        schema = [part for name, part in schema.items() if name not in VALUES]
    for part in schema:
        if isinstance(part, (dict, list)):
            yield from parts(part)


def properties_of(part: dict[str, Any]) -> dict[str, Any]:
    """Return the schemas of an object's properties by name, none where it has no such."""
    properties = part.get("properties")
    return properties if isinstance(properties, dict) else {}


def validator(node: CanonicalSchema) -> Any:
    """Return the function that says whether a value is valid under `node`."""
    if PLAIN:
        return plain.validator(node)
    schema: Any = node.to_json_schema()
    return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True).is_valid


def fits(schema: dict[str, Any], value: Any) -> bool:
    """Return whether `value` is valid under `schema`; raise SchemaError where that is none."""
    return bool(validator(read(schema))(value))
