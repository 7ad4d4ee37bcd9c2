"""Values for JSON schemas: valid by another validator's judgement, and taken from the prompt."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.builtin import fill, schemas
from helpers.setup import ROOT

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def array(items: Any, **change: Any) -> dict[str, Any]:
    return {"type": "array", "items": items, **change}


PERSON = closed(name=TEXT, age=WHOLE)
OPTIONAL = {**closed(name=TEXT, age={"type": ["integer", "null"]}), "required": ["name"]}
ORDER = {**TEXT, "pattern": r"^ORD-\d{4}$"}
EMAIL = {**TEXT, "format": "email"}
TREE: dict[str, Any] = {
    "$ref": "#/$defs/Node",
    "$defs": {"Node": closed(v=WHOLE, kids=array({"$ref": "#/$defs/Node"}))},
}
LIST: dict[str, Any] = {
    "$ref": "#/$defs/L",
    "$defs": {"L": closed(v=WHOLE, next={"anyOf": [{"$ref": "#/$defs/L"}, {"type": "null"}]})},
}

# What no finite value is valid under, and references of which each leads into the next one.
ENDLESS: dict[str, Any] = {"$ref": "#/$defs/E"}
ENDS = {"$defs": {"E": closed(e=ENDLESS)}}
CHAIN = {
    "$ref": "#/$defs/d0",
    "$defs": {f"d{n}": closed(a={"$ref": f"#/$defs/d{n + 1}"}) for n in range(8)} | {"d8": WHOLE},
}


@pytest.mark.parametrize(
    ("schema", "prompt", "expected"),
    [
        (closed(a=WHOLE, b=WHOLE), "What is 3 times 12?", {"a": 3, "b": 12}),
        (closed(b=WHOLE, a=WHOLE), "What is 3 times 12?", {"b": 3, "a": 12}),
        (closed(a=WHOLE, b=WHOLE), "3加12等于多少？", {"a": 3, "b": 12}),
        (closed(t={"type": "number"}), "It is -2.5 degrees.", {"t": -2.5}),
        (closed(t={**WHOLE, "minimum": 10}), "Not 3 but 12.", {"t": 12}),
        (closed(city=TEXT), "How is the weather in San Francisco today?", {"city": "San Francisco"}),
        (closed(city=TEXT), "Quel temps fait-il à Évry ?", {"city": "Évry"}),
        (closed(city=TEXT), "“巴黎”的天气怎么样？", {"city": "巴黎"}),
        (closed(name=TEXT), "我的朋友 Ada 是谁？", {"name": "Ada"}),
        (closed(title=TEXT), "Find «\u00a0Le Petit Prince\u00a0» now", {"title": "Le Petit Prince"}),
        (closed(query=TEXT), "what is a parrot", {"query": "what is a parrot"}),
        (closed(unit={"enum": ["celsius", "fahrenheit"]}), "In Fahrenheit, please", {"unit": "fahrenheit"}),
        (closed(order=ORDER), "Where is my order ORD-1234?", {"order": "ORD-1234"}),
        (closed(mail=EMAIL, day={**TEXT, "format": "date"}), "Ask ada@example.com on 2026-03-04.",
         {"mail": "ada@example.com", "day": "2026-03-04"}),
        (OPTIONAL, "My friend Ada Lovelace is 36.", {"name": "Ada Lovelace", "age": 36}),
        (OPTIONAL, "My friend Ada Lovelace sleeps.", {"name": "Ada Lovelace"}),
        (closed(age={"anyOf": [WHOLE, {"type": "null"}]}), "Nobody knows.", {"age": None}),
        (array(PERSON), "We met Ada, 36, and Bob, 40.", [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 40}]),
        (array(TEXT), "The capitals of France, Italy and Spain.", ["France", "Italy", "Spain"]),
        (array(WHOLE, maxItems=2), "Take 1, 2 and 3.", [1, 2]),
        (array(WHOLE, uniqueItems=True), "Take 3 and 3 and 4.", [3, 4]),
        (LIST, "Put 1 and then 2 into it.", {"v": 1, "next": {"v": 2, "next": None}}),
        (LIST, "Nothing.", {"v": 1, "next": None}),
        (closed(a=WHOLE, o=closed(a=WHOLE)), "Take 1 and 2.", {"a": 1, "o": {"a": 2}}),
        (closed(unit={"enum": ["celsius", "fahrenheit"]}), "In Fahrenheit, not Celsius", {"unit": "fahrenheit"}),
        (closed(city=TEXT), "Tell my friend Ada of 'Rome'.", {"city": "Rome"}),
        (closed(a={"type": ["integer", "string"]}, b=WHOLE), "Take 'x' and 3.", {"a": "x", "b": 3}),
        (array(WHOLE, minItems=3, uniqueItems=True), "Take 1 and 2.", [1, 2, 3]),
        ({"type": "array", "prefixItems": [WHOLE, WHOLE], "maxItems": 1}, "Take 1 and 2.", [1]),
        # what a branch took that came to nothing is there for the next one
        ({"anyOf": [closed(x=TEXT, y=ENDLESS), closed(z=TEXT)], **ENDS}, "Find 'Rome'.", {"z": "Rome"}),
        (CHAIN, "3", {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 3}}}}}}}}),
        ({"allOf": [{"required": ["a"], "type": "object"}, {"properties": {"a": {"const": 7}}}]}, "", {"a": 7}),
    ],
)  # fmt: skip
def test_what_the_prompt_says(schema: Any, prompt: str, expected: Any) -> None:
    import jsonschema

    found = fill.fill(schema, prompt)
    assert found == expected
    assert json.dumps(found) == json.dumps(expected), "in the schema's order"
    jsonschema.validate(found, schema)


@pytest.mark.parametrize(
    "schema",
    [
        closed(order=ORDER, mail=EMAIL),
        *({**TEXT, "format": name} for name in
          ["date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri", "json-pointer"]),
        {**TEXT, "minLength": 300},
        {**TEXT, "maxLength": 3},
        {**TEXT, "pattern": "^[\\u4e00-\\u9fff]{2,4}$"},
        {**TEXT, "pattern": "[^a-z]{3}"},
        {**WHOLE, "multipleOf": 7, "minimum": 15},
        {**WHOLE, "allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "minimum": 1, "maximum": 13},
        {**WHOLE, "minimum": 10**30},
        {**WHOLE, "maximum": -5},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "number", "multipleOf": 0.5, "minimum": 0.75},
        {"type": "number", "maximum": -5.5},
        array(WHOLE, minItems=5, uniqueItems=True),
        array({"enum": ["a", "b"]}, minItems=3),
        array(closed(a=TEXT), minItems=3, uniqueItems=True),
        {"type": "array", "prefixItems": [WHOLE, TEXT], "minItems": 4},
        {"type": "array", "contains": {"const": 5}, "minContains": 2},
        {"type": "object", "minProperties": 3, "additionalProperties": WHOLE},
        {"type": "object", "required": ["a", "b"], "additionalProperties": WHOLE},
        {"oneOf": [closed(k={"const": "a"}, x=WHOLE), closed(k={"const": "b"}, y=TEXT)]},
        {"not": {"type": ["string", "null", "object"]}},
        {"if": {"type": "object"}, "then": {"required": ["x"]}, "type": "object"},
        {"$ref": "#/$defs/a/b", "$defs": {"a": {"b": closed(x=TEXT)}}},
        TREE,
        closed(**{f"p{n}": {"$ref": "#/$defs/x"} for n in range(30)})
        | {"$defs": {"x": {"$ref": "#/$defs/y"}, "y": WHOLE}},
        closed(properties={"type": "object", "properties": {"properties": True}}),
        {},
    ],
    ids=str,
)  # fmt: skip
def test_a_value_without_a_prompt_that_helps(schema: Any) -> None:
    import jsonschema

    found = fill.fill(schema, "say it")
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(found)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "strin"}, "strin"),
        ({"$ref": "#/$defs/no"}, "does not exist"),
        ({"$ref": "https://example.org/schema"}, "example.org"),
        ({"pattern": "("}, "regular expression"),
        ({"not": {}}, "finds no value"),
        ({"$ref": "#/$defs/a", "$defs": {"a": closed(b={"$ref": "#/$defs/a"})}}, "finds no value"),
        ({**TEXT, "minLength": 10**9}, "no more than 5,000 characters"),
        (array(WHOLE, minItems=10**9), "no more than 200 items"),
        ({"type": "array", "contains": WHOLE, "minContains": 10**9}, "no more than 200 items"),
        ({"type": "object", "minProperties": 10**9}, "no more than 200 properties"),
        (array(array(array(WHOLE, minItems=99), minItems=99), minItems=99), "too large"),
        (array({**TEXT, "minLength": 5000}, minItems=99), "no more than 10,000 characters"),
        (
            closed(**{f"p{n}": {**TEXT, "pattern": "^((((a*)*)*)*)*b{9}c$"} for n in range(20)}),
            "too large",
        ),
        (
            {"allOf": [{"anyOf": [{"minimum": n}, {"multipleOf": n}]} for n in range(2, 22)]},
            "'allOf'",
        ),
        ({"enum": ["x" * 10**5]}, "longer than 100,000 characters"),
        ({**TEXT, "pattern": "^" + "a" * 300}, "200 characters"),
        ({**TEXT, "pattern": "^((((a*)*)*)*)*b{9}c$"}, "pattern is too large"),
    ],
    ids=str,
)
def test_a_schema_that_is_refused(schema: Any, message: str) -> None:
    start = time.perf_counter()
    with pytest.raises(schemas.SchemaError, match=message):
        fill.fill(schema, "x")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "prompt", ['"' * 10**6, "“" * 10**6, "Aa " * 10**6, "1" * 10**6, "a@" * 10**6]
)
def test_a_very_long_prompt_takes_no_time(prompt: str) -> None:
    start = time.perf_counter()
    found = fill.fill(closed(a=TEXT, b=WHOLE), prompt)
    assert len(found["a"]) <= fill.MAX_PROMPT
    assert len("".join(fill.quoted(prompt))) <= fill.MAX_PROMPT
    assert time.perf_counter() - start < 10


def test_a_number_said_twice_where_each_may_be_there_once() -> None:
    import jsonschema

    schema = array(WHOLE, uniqueItems=True)
    jsonschema.validate(fill.fill(schema, "Take 3 and 3."), schema)


def test_each_process_makes_the_same_value() -> None:
    code = (
        "from helpers.builtin import fill\n"
        "print(fill.fill({'type': 'object', 'minProperties': 4, 'additionalProperties':"
        " {'type': 'string', 'pattern': '[^a]{4}[a-z]{3}'}}, 'x'))"
    )
    command = [sys.executable, "-c", code]
    said = {subprocess.check_output(command, cwd=ROOT, text=True) for _ in range(3)}
    assert len(said) == 1


NAMES = st.sampled_from(["a", "b", "city", "n"])
LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(lambda low, size: {**TEXT, "minLength": low, "maxLength": low + size},
              st.integers(0, 9), st.integers(0, 9)),
    st.builds(lambda low, size: {**WHOLE, "minimum": low, "maximum": low + size},
              st.integers(-9, 9), st.integers(0, 9)),
    st.builds(lambda low, size: {"type": "number", "exclusiveMinimum": low, "maximum": low + size},
              st.integers(-9, 9), st.floats(0.5, 9)),
    st.builds(lambda step: {**WHOLE, "multipleOf": step}, st.integers(1, 9)),
    st.builds(lambda values: {"enum": values},
              st.lists(st.sampled_from(["x", "Paris", 1, None, True, 2.5]), min_size=1, unique_by=str)),
    st.sampled_from([ORDER, EMAIL, TEXT, {"$ref": "#/$defs/Node"}, {}]),
)  # fmt: skip
SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda items, n: array(items, minItems=n, maxItems=n + 2), inner, st.integers(0, 3)),
        st.builds(lambda properties: closed(**properties), st.dictionaries(NAMES, inner)),
        st.builds(lambda properties: {**closed(**properties), "required": []},
                  st.dictionaries(NAMES, inner)),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=12,
)  # fmt: skip


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    schema=SCHEMAS,
    prompt=st.sampled_from(["", "In Paris, 3 or 12?", "告诉我 “巴黎” 的 5 个", "ORD-1234"]),
)
def test_every_schema_of_these_kinds_is_filled(schema: dict[str, Any], prompt: str) -> None:
    import jsonschema

    root = {**schema, "$defs": TREE["$defs"]}
    found = fill.fill(root, prompt)
    checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(root, format_checker=checker).validate(found)
    assert schemas.fits(root, json.loads(fill.compact(found)))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"minimum": -9007199254740991, "maximum": 9007199254740991}, 1),
        ({"minimum": -100}, 1),
        ({"minimum": -100, "maximum": -3}, -3),
        ({"minimum": -(2**31), "maximum": 0}, 0),
        ({"maximum": -7}, -7),
        ({"minimum": 0}, 0),
        ({"minimum": 5, "maximum": 9}, 5),
        ({"exclusiveMinimum": 0, "maximum": 9007199254740991}, 1),
        ({"exclusiveMinimum": -5, "exclusiveMaximum": 1}, 0),
        ({"minimum": -50, "multipleOf": 7}, 7),
        ({"minimum": -50, "maximum": 5, "multipleOf": 7}, 0),
    ],
)
@pytest.mark.parametrize("kind", ["integer", "number"])
def test_a_number_that_the_prompt_does_not_have_is_near_0_or_1(
    bounds: dict[str, int], expected: int, kind: str
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": kind, **bounds}}, "required": ["n"]}
    assert fill.fill(schema, "Ahem.") == {"n": expected}
