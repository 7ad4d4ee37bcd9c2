"""Fills a JSON schema: a value that is valid under it, taken from a prompt where the prompt holds it."""

from __future__ import annotations

import contextlib
import json
import math
import random
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from time import monotonic
from typing import Any

from rstr import Rstr

from helpers.builtin.schemas import PLAIN, SchemaError, parts, properties_of, read, validator

if PLAIN:
    from helpers.builtin import plain
else:
    import jsonschema_rs
    from jsonschema_rs import CanonicalSchema, canonical
    from jsonschema_rs.canonical import Distinctness

    ANYTHING = jsonschema_rs.canonicalize(True)

MAX_STEPS = 5_000  # nodes that are visited for one value
MAX_PROMPT = 2_000  # characters of a prompt that are read
MAX_ANSWER = 10_000  # characters of a value, written as JSON
MAX_STRING = 5_000  # characters of a string that is made up
MAX_ALTERNATIVES = 200  # values that are tried for one node, and items of an array
MAX_PATTERN = 200  # characters of a regular expression
MAX_SECONDS = 0.2  # for all texts that are made for regular expressions
DEPTHS = (2, 5, 10, 20)  # references that may be followed one inside the other

# The type that is chosen where several are allowed: null where the prompt holds no value.
PREFERRED = ("null", "string", "integer", "number", "boolean", "array", "object")
# A value for each format that JSON Schema and OpenAI know.
FORMATS = (
    "2025-01-01",
    "12:00:00Z",
    "2025-01-01T12:00:00Z",
    "PT1H",
    "ada@example.org",
    "example.org",
    "https://example.org/",
    "127.0.0.1",
    "::1",
    "00000000-0000-4000-8000-000000000000",
    "/a",
)

_QUOTED = re.compile(
    "“([^”]+)”|「([^」]+)」|«\\s*([^»]+?)\\s*»|\"([^\"]+)\"|`([^`]+)`|(?<!\\w)'([^']+)'(?!\\w)"
)
# What stands out without quotes: a word with a digit or an @ in it, a name that is capitalised
# inside a sentence, and between Han characters what is in Latin letters.
_CODE = r"[^\s,;:!?，。；：！？、()\u3400-\u9fff]*[\d@][^\s,;:!?，。；：！？、()\u3400-\u9fff]*"
_CAPITALISED = r"[A-ZÀ-Þ][^\W\d_]+"
_NAME = (
    rf"(?<=[^.!?:\n] ){_CAPITALISED}(?:[ -]{_CAPITALISED})*|{_CAPITALISED}(?:[ -]{_CAPITALISED})+"
)
_LATIN = r"[A-Za-z][\w.-]*(?: [A-Z][\w.-]*)*(?<=[A-Za-z\d])"
_NUMBER = re.compile(r"(?<![A-Za-z_\d.])(?:(?<!\w)-)?\d{1,15}(?:\.\d{1,15})?(?![A-Za-z_]|\.?\d)")
_HAN = re.compile("[\u3400-\u9fff]")


def fill(schema: dict[str, Any], prompt: str, said: Sequence[Any] = ()) -> Any:
    """Return a value that is valid under `schema`, with what `prompt` says; raise SchemaError.

    Where `said` has values, strings and numbers are taken from it instead of the prompt.
    """
    root = read(schema)
    try:
        for value in filter(validator(root), _values(root, schema, prompt, said)):
            _limit(len(compact(value)), MAX_ANSWER, "characters")
            return value
    except RecursionError as error:
        raise SchemaError("it is nested too deeply") from error
    raise SchemaError("the built-in model finds no value that is valid under it")


def _values(root: Any, schema: Any, prompt: str, said: Sequence[Any]) -> Iterator[Any]:
    """Yield values that may be valid, with ever more references one inside the other."""
    deadline = monotonic() + MAX_SECONDS
    for depth in DEPTHS:
        filler = _Filler(root, schema, prompt, said, deadline)
        if PLAIN:
            held = filler.heard, filler.strings, filler.numbers
            yield plain.fill(schema, schema, *held, filler.prompt)
        else:
            yield from filler.values(root, depth)


def compact(value: Any) -> str:
    """Return `value` as JSON without spaces, as models write it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def quoted(prompt: str) -> list[str]:
    """Return what stands in quotes in a prompt."""
    return [next(filter(None, found.groups())) for found in _QUOTED.finditer(prompt[:MAX_PROMPT])]


def _strings_in(prompt: str) -> list[str]:
    """Return what stands out in a prompt: quoted text first, then names and codes in their order."""
    names = _LATIN if _HAN.search(prompt) else _NAME
    named = [found[0].rstrip(".") for found in re.finditer(rf"{_CODE}|{names}", prompt)]
    # A short number is an amount, not a name.
    named = [text for text in named if not re.fullmatch(r"[\d.,%]{1,3}", text)]
    return list(dict.fromkeys(filter(None, quoted(prompt) + named)))


class _Filler:
    """The values of one schema: each method yields alternatives lazily, the best one first."""

    def __init__(
        self,
        root: CanonicalSchema,
        schema: Any,
        prompt: str,
        said: Sequence[Any],
        deadline: float,
    ) -> None:
        self.root = root
        self.deadline = deadline
        self.prompt = prompt[:MAX_PROMPT]
        self.steps = 0
        self.heard = " ".join(map(str, [*said, self.prompt])).casefold()
        self.strings = list(map(str, said)) or _strings_in(self.prompt)
        self.numbers = [float(text) for text in _NUMBER.findall(self.prompt)]
        if said:
            self.numbers = [float(value) for value in said if isinstance(value, (int, float))]
        names = [name for part in parts(schema) for name in properties_of(part)]
        self.order = {name: rank for rank, name in reversed(list(enumerate(names)))}

    def values(self, node: CanonicalSchema, depth: int) -> Iterator[Any]:
        """Yield values for `node`, what the prompt holds first."""
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise SchemaError("it asks for too large a value")
        yield from self.said(node, depth)
        yield from self.made(node, depth)

    def said(self, node: CanonicalSchema, depth: int) -> Iterator[Any]:
        """Yield the values for `node` that the prompt holds, each once in the whole value."""
        match view := node.view():
            case canonical.ReferenceView():
                yield from self.follow(node, view.uri, self.said, depth)
            case canonical.EnumView():
                named = [value for value in view.values if str(value).casefold() in self.heard]
                texts = [value for value in named if value and isinstance(value, str)]
                yield from sorted(texts, key=lambda text: self.heard.find(text.casefold()))
            case canonical.AnyOfView() | canonical.OneOfView():
                for branch in view.branches:
                    yield from self.said(branch, depth)
            case canonical.MultiTypeView() | canonical.StringView() | canonical.TypedGroupView():
                yield from self.pick(node, self.strings)
                yield from self.pick(node, self.numbers)
            case canonical.IntegerView() | canonical.NumberView():
                yield from self.pick(node, self.numbers)
            case canonical.ObjectView():
                while left := len(self.strings) + len(self.numbers):
                    value = next(self.objects(view, depth), None)
                    if left == len(self.strings) + len(self.numbers):
                        return
                    yield value

    def pick(self, node: CanonicalSchema, values: list[Any]) -> Iterator[Any]:
        """Take the values that fit `node` out of the list, so that no other node says the same."""
        fits = validator(node)
        for value in list(values):
            number = isinstance(value, float)
            plain = int(value) if number and value.is_integer() else value
            if value in values and fits(plain):
                values.remove(value)
                yield plain

    def made(self, node: CanonicalSchema, depth: int) -> Iterator[Any]:
        """Yield values for `node` that are made up."""
        match view := node.view():
            case canonical.ConstView():
                yield view.value
            case canonical.EnumView():
                yield from view.values
            case canonical.TrueView():
                yield self.prompt
            case canonical.FalseView():
                return
            case canonical.MultiTypeView():
                for kind in sorted(view.types, key=PREFERRED.index):
                    yield from self.of_type(kind)
            case canonical.TypedGroupView():
                yield from filter(validator(node), self.values(view.body, depth))
            case canonical.StringView():
                yield from filter(validator(node), self.texts(view))
            case canonical.IntegerView() | canonical.NumberView():
                yield from filter(validator(node), _numbers(view))
            case canonical.ArrayView():
                yield from self.arrays(view, depth)
            case canonical.ObjectView():
                yield from self.objects(view, depth)
            case canonical.AnyOfView() | canonical.OneOfView() | canonical.AllOfView():
                fits = validator(node)
                if fits(None):
                    yield None
                for branch in view.branches:
                    yield from filter(fits, self.values(branch, depth))
            case canonical.NotView():
                anything = (value for kind in PREFERRED for value in self.of_type(kind))
                yield from filter(validator(node), anything)
            case canonical.ReferenceView():
                yield from self.follow(node, view.uri, self.values, depth)
            case _:
                raise SchemaError("the built-in model cannot follow it")

    def follow(self, node: CanonicalSchema, uri: str, how: Any, depth: int) -> Iterator[Any]:
        """Yield the values of what a reference points to, none where references nest too deeply."""
        target = self.root.definition(uri) or node.definition(uri)
        if target is not None and depth:
            yield from how(target, depth - 1)

    def of_type(self, kind: str) -> Iterator[Any]:
        """Yield values of a JSON type that nothing else is asked of."""
        if kind == "string":
            yield self.prompt
            yield from (f"{self.prompt} {number}" for number in range(2, MAX_ALTERNATIVES))
        elif kind in ("integer", "number"):
            yield from range(1, MAX_ALTERNATIVES)
        elif kind == "boolean":
            yield from (True, False)
        else:
            yield {"array": [], "object": {}, "null": None}[kind]

    def texts(self, view: canonical.StringView) -> Iterator[str]:
        """Yield texts that may fit: the prompt, a value of the format, one of the pattern."""
        least, most = view.min_length or 0, view.max_length or MAX_STRING
        _limit(least, MAX_STRING, "characters")
        for text in self.of_type("string"):
            if not view.patterns and not view.formats:
                yield text[:most].ljust(least, ".")
        yield from FORMATS
        for pattern in view.patterns:
            yield from _matching(pattern, self.deadline)

    def arrays(self, view: canonical.ArrayView, depth: int) -> Iterator[list[Any]]:
        """Yield an array with all that the prompt has for it, or one item, or as many as it must have."""
        counts = [wanted.min_contains or 1 for wanted in view.contains]
        least = max([view.min_items or 0, *counts])
        most = MAX_ALTERNATIVES if view.max_items is None else view.max_items
        _limit(least, MAX_ALTERNATIVES, "items")
        array = [
            value for node in view.prefix_items for value in islice(self.values(node, depth), 1)
        ]
        for wanted, count in zip(view.contains, counts, strict=True):
            for value in islice(self.values(wanted.schema, depth), 1):
                array += [value] * count
        items = view.items or ANYTHING
        distinct = view.distinctness == Distinctness.ALL_DISTINCT
        for value in islice(self.said(items, depth), max(0, most - len(array))):
            if not (distinct and value in array):
                array.append(value)
        size = -1
        while size < len(array) < max(least, 1):  # once more, until nothing more comes
            size = len(array)
            for value in self.values(items, depth):
                if not (distinct and value in array):
                    array.append(value)
                if len(array) == max(least, 1):
                    break
        if len(array) >= least:
            yield array[:most]
        if array and not least:
            yield []

    def objects(self, view: canonical.ObjectView, depth: int) -> Iterator[dict[str, Any]]:
        """Yield objects with the required properties and those that the prompt has a value for."""
        properties = dict(view.properties)
        spare = view.additional_properties or ANYTHING
        missing = max(0, (view.min_properties or 0) - len(view.required))
        _limit(missing, MAX_ALTERNATIVES, "properties")
        optional = [name for name in properties if name not in view.required]
        more = [*optional, *(f"key{number}" for number in range(1, missing - len(optional) + 1))]
        asked = [*view.required, *more[:missing]]
        names = dict.fromkeys([*properties, *asked])
        value: dict[str, Any] = {}
        alternatives = {}
        left = self.strings[:], self.numbers[:]
        for name in sorted(names, key=lambda name: self.order.get(name, math.inf)):
            node = properties.get(name, spare)
            alternatives[name] = (
                self.values(node, depth) if name in asked else self.said(node, depth)
            )
            for first in islice(alternatives[name], 1):
                value[name] = first
        if not set(asked) <= set(value):
            self.strings, self.numbers = left
            return
        while True:
            yield dict(value)
            changed = {name: new for name in asked for new in islice(alternatives[name], 1)}
            if not changed:
                return
            value |= changed


def _numbers(view: canonical.IntegerView | canonical.NumberView) -> Iterator[Any]:
    """Yield numbers near 0 or 1 first, multiples where multiples are asked for."""
    # By way of text: 0.1 is meant as a tenth, not as the binary number next to it.
    low = None if view.minimum is None else Fraction(str(view.minimum))
    high = None if view.maximum is None else Fraction(str(view.maximum))
    steps = [Fraction(str(number)) for number in view.multiple_of] or [Fraction(1)]
    step = Fraction(
        math.lcm(*(one.numerator for one in steps)), math.gcd(*(one.denominator for one in steps))
    )
    # The lowest that is positive or zero, or else 1 or the number next to it.
    start = low if low is not None and low >= 0 else Fraction(1)
    if high is not None:
        start = min(start, high)
    first = math.ceil(start / step)
    numbers = [
        *range(first, first + MAX_ALTERNATIVES),
        *range(first - 1, first - MAX_ALTERNATIVES, -1),
    ]
    candidates = [number * step for number in numbers]
    if low is not None and high is not None:
        candidates += [low + (high - low) * part / 100 for part in range(101)]
    for number in candidates:
        yield int(number) if number.denominator == 1 else float(number)


def _limit(count: int, most: int, what: str) -> None:
    if count > most:
        raise SchemaError(f"the built-in model writes no more than {most:,} {what}, not {count:,}")


class _Chance(random.Random):
    """Seeded chance, the same in each process, that runs out after a while."""

    def __init__(self, deadline: float) -> None:
        super().__init__(0)
        self.deadline = deadline

    def randint(self, a: int, b: int) -> int:
        if monotonic() > self.deadline:
            raise SchemaError("its pattern is too large")
        return super().randint(a, b)

    def choice(self, seq: Any) -> Any:
        self.randint(0, 1)
        # Rstr makes some of its lists from sets of characters, whose order is not the same twice.
        return super().choice(sorted(seq) if isinstance(seq[0], str) else seq)


def _matching(pattern: str, deadline: float) -> Iterator[str]:
    """Yield texts made for a regular expression, none where Python reads it in another way."""
    if len(pattern) > MAX_PATTERN:
        raise SchemaError(f"a pattern of more than {MAX_PATTERN} characters is too large")
    maker = Rstr(_Chance(deadline))
    with contextlib.suppress(re.error, ValueError, LookupError):
        for _ in range(MAX_ALTERNATIVES):
            yield maker.xeger(pattern)
