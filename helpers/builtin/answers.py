"""What the built-in model says: words from the book, tool calls, and JSON that is valid under a schema."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from helpers.builtin import book, fill, schemas, tokens
from helpers.builtin.chat_reply import Call, Reply
from helpers.builtin.chat_request import Request
from helpers.builtin.chat_tools import Tool
from helpers.builtin.likeness import plain
from helpers.builtin.reading import Entry, put
from helpers.builtin.wire import RequestError
from helpers.i18n import _

MAX_NAMES = 20  # of the properties that a prompt asks for

# Longer words that say nothing of what a question is about.
_COMMON = {"does", "from", "have", "that", "this", "tool", "value", "what", "when", "where", "with"}
_COMMON |= {"avec", "dans", "elle", "pour", "quel", "quelle", "vous"}


def replies(request: Request) -> list[Reply]:
    """Return the answers to a request, as many as it asks for.

    They are all alike, and the same each time, but for a temperature: then the book's further
    answers take their turns, beginning where the seed says, or else where the last call ended.
    Raises RequestError where a schema asks for more than the built-in model can make up.
    """
    entry = book.find(request.messages)
    asked = _asked(request)
    calls = [
        (tool, _arguments(request, tool, given, asked))
        for tool, given in _choose(request, entry, asked)
    ]
    if calls:
        return [_call(request, calls, "stop" if request.tool else "tool_calls")] * request.choices
    if request.schema is not None:
        texts = [_json(request, entry, asked)]
    elif entry and not _results(request):
        texts = [answer + entry.note for answer in _varied(request, entry)]
    else:
        texts = [_words(request, entry)]
    made = [written(text, request.stop, request.max_tokens) for text in texts]
    return [made[choice % len(made)] for choice in range(request.choices)]


_drawn: Counter[str] = Counter()  # how often each entry was answered at a temperature


def _varied(request: Request, entry: Entry) -> list[str]:
    """Return the entry's answers in the order in which they are given."""
    answers = [entry.answer, *entry.others]
    if not request.temperature or len(answers) == 1:
        return answers[:1]
    if request.seed is None:
        start = _drawn[entry.id]
        _drawn[entry.id] += request.choices
    else:
        start = hashlib.sha256(str(request.seed).encode()).digest()[0]
    return [answers[(start + place) % len(answers)] for place in range(len(answers))]


def misformatted(request: Request) -> list[Reply]:
    """Return answers that break the format they were asked for in.

    JSON and words come with a friendly sentence before them; a tool's arguments break off.
    """
    reply = replies(request)[0]
    if reply.calls:
        calls = [call._replace(arguments=call.arguments[:-1]) for call in reply.calls]
        reply = reply._replace(calls=calls)
    else:
        here = _("Sure! Here is what you asked for:\n\n", book.language_of(_asked(request)))
        reply = reply._replace(tokens=tokens.split(here) + reply.tokens)
    return [reply] * request.choices


def written(text: str, stop: Sequence[str], max_tokens: int | None) -> Reply:
    """Return `text`, written from left to right until max_tokens, MAX_ANSWER or a stop string."""
    whole = tokens.split(text[: fill.MAX_ANSWER])
    kept = whole[:max_tokens]
    cut = _find_stop("".join(kept), stop)
    if cut is not None:
        return Reply(tokens.split(text[:cut]), "stop")
    complete = len(kept) == len(whole) and len(text) <= fill.MAX_ANSWER
    return Reply(kept, "stop" if complete else "length")


def _find_stop(text: str, stops: Sequence[str]) -> int | None:
    """Return where the stop string begins that is complete first; of several, the longest's."""
    found = [(start + len(stop), start) for stop in stops if (start := text.find(stop)) >= 0]
    return min(found)[1] if found else None


def _asked(request: Request) -> str:
    said = [message.text for message in request.messages if message.role == "user"]
    return (said or [request.messages[-1].text])[-1]


def _results(request: Request) -> list[book.Message]:
    """Return the results that tools have given since the user's last message."""
    results: list[book.Message] = []
    for message in request.messages:
        results = [] if message.role == "user" else results + [message] * (message.role == "tool")
    return results


def _words(request: Request, entry: Entry | None) -> str:
    results = _results(request)
    if entry and entry.result and results:
        said = {str(place): "…" for place in range(10)}
        said |= {str(place): message.text for place, message in enumerate(results)}
        return put(r"\{(\d)\}", entry.result, said)
    lang = book.language_for(request.messages, _asked(request))
    if results:
        line = _("{tool} returned: {result}", lang)
        return "\n".join(line.format(tool=said.tool, result=said.text) for said in results)
    return entry.answer if entry else book.at_a_loss(request.messages, lang)


def _json(request: Request, entry: Entry | None, asked: str) -> str:
    schema = request.schema or {}
    if entry and entry.json is not None and schemas.fits(schema, entry.json):
        return fill.compact(entry.json)
    if schema == {"type": "object"}:  # any object: the one that the prompt describes
        names = fill.quoted(asked)[:MAX_NAMES] or ["answer"]
        return fill.compact(dict.fromkeys(names, _words(request, entry)))
    return fill.compact(_fill(schema, asked, "response_format.json_schema.schema"))


# Tools


def _choose(request: Request, entry: Entry | None, asked: str) -> list[tuple[Tool, Any]]:
    """Return the tools to call, each with the values that the book gives for it, or None.

    Where a tool must be called, one that has given its result since the user's last message is
    called again only if there is no other: an agent that gives its result by way of a tool ends.
    """
    answered = [result.tool for result in _results(request)]
    must = request.tool_choice == "required"
    if request.tool_choice == "none" or (answered and not must):
        return []
    allowed = [tool for tool in request.tools if tool.name in request.allowed]
    offered = [tool for tool in allowed if tool.name not in answered]
    if answered and not offered:  # the last result may be a complaint
        offered = [tool for tool in allowed if tool.name == answered[-1]] or allowed
    chosen = _scripted(request, entry, offered) if entry and not answered else []
    if not chosen and (must or not entry):  # otherwise the book knows better
        words = set(re.findall(r"[A-Za-z0-9_-]+", asked))
        named = [tool for tool in offered if tool.name in words]
        able = [tool for tool in offered if must or _said(tool, asked)]
        fitting = named or _fitting(able, asked)[:1]
        if must and not fitting:
            # Agents offer the tool for their result last.
            fitting = offered[-1:] if answered else offered[:1]
        chosen = [(tool, entry and _values(entry)) for tool in fitting]
    return chosen if request.parallel else chosen[:1]


def _scripted(request: Request, entry: Entry, offered: list[Tool]) -> list[tuple[Tool, Any]]:
    """Return the calls of the book: of the tools that it names, or else of one about the same."""
    by_name = {tool.name: tool for tool in offered}
    if not request.tool and not any(name in by_name for name, _given in entry.calls):
        # Of several, one whose name says what it is about.
        about = [
            tool
            for text in ("name", "description")
            for tool in offered
            if any(word in plain(getattr(tool, text)[: book.MAX_ASKED]) for word in entry.about)
        ]
        return [(about[0], given) for _name, given in entry.calls if about]
    return [(by_name[name], given) for name, given in entry.calls if name in by_name]


def _values(entry: Entry) -> Any:
    """Return what the book knows for a tool that it does not name."""
    return entry.json if entry.json is not None or not entry.calls else entry.calls[0][1]


def _fitting(offered: list[Tool], asked: str) -> list[Tool]:
    """Return the tools that share words with the question, the one that shares most first."""
    wanted = _vocabulary(asked)
    shared = {
        tool.name: len(wanted & _vocabulary(f"{tool.name} {tool.description}")) for tool in offered
    }
    ranked = sorted(offered, key=lambda tool: -shared[tool.name])
    return [tool for tool in ranked if shared[tool.name]]


def _said(tool: Tool, asked: str) -> bool:
    """Say whether a question has the number of an order that a tool asks for, if it asks for one."""
    return (
        "order" not in tool.name
        or "number" not in schemas.properties_of(tool.parameters)
        or any(map(str.isdigit, asked))
    )


def _vocabulary(text: str) -> set[str]:
    """Return the longer words of a text, and the pairs of neighbouring Han characters."""
    text = re.sub("(?<=[a-z])(?=[A-Z])", " ", text)  # as in getWeather
    words = re.findall(r"[^\W\d_\u3400-\u9fff]{4,}", text.casefold())
    return {*words, *re.findall("(?=([\u3400-\u9fff]{2}))", text)} - _COMMON


def _arguments(request: Request, tool: Tool, given: Any, asked: str) -> str:
    """Return arguments that are valid: the book's by their names, or else by their order."""
    names = schemas.properties_of(tool.parameters)
    given = given if isinstance(given, dict) else {}
    same = {name: value for name, value in given.items() if name in names}
    if same and same == given and schemas.fits(tool.parameters, same):
        return fill.compact(same)
    place = f"tools[{list(request.tools).index(tool)}].function.parameters"
    said = [*given.values(), *(result.text for result in _results(request))] if given else []
    filled = _fill(tool.parameters, asked, place, said)
    both = {**filled, **same}
    return fill.compact(both if schemas.fits(tool.parameters, both) else filled)


def _fill(schema: dict[str, Any], asked: str, param: str, said: Sequence[Any] = ()) -> Any:
    try:
        return fill.fill(schema, asked, said)
    except schemas.SchemaError as error:
        message = f"The built-in model cannot follow the schema in '{param}': {error}."
        raise RequestError(message, param, "invalid_json_schema") from error


def _call(request: Request, calls: Sequence[tuple[Tool, str]], finish_reason: str) -> Reply:
    """Return the calls, cut where max_tokens is reached."""
    left = request.max_tokens
    made = []
    for index, (tool, arguments) in enumerate(calls):
        seed = f"{request.id} {index}".encode()
        whole = tokens.split(arguments)
        kept = whole[:left]
        made.append(Call(f"call_{hashlib.sha256(seed).hexdigest()[:24]}", tool.name, kept))
        if left is not None:
            left -= len(kept)
        if len(kept) < len(whole):
            return Reply([], "length", made)
    return Reply([], finish_reason, made)
