"""OpenAI's Responses interface: its requests are read as chat completions, its answers made of items.

What it has beyond chat completions are items for reasoning, and a stream of named events. Nothing is
kept, so that a conversation is sent whole each time, whatever `store` says. The format is that of
https://platform.openai.com/docs/api-reference/responses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from helpers.builtin import chat_reply, chat_request, thinking, tokens
from helpers.builtin.chat_reply import CREATED, Reply
from helpers.builtin.wire import RequestError, get, known, load, parameters, request_id

# Those that chat completions have too.
SAME = (
    "metadata",
    "model",
    "parallel_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "user",
)
OTHERS = {
    "include": "array",
    "instructions": "string",
    "max_output_tokens": "integer",
    "reasoning": "object",
    "text": "object",
    "tools": "array",
    "truncation": "string",
}
_KEPT = "the built-in model keeps nothing; send the whole conversation as 'input'"
REFUSED = {"conversation": _KEPT, "previous_response_id": _KEPT}
KINDS = ("message", "function_call", "function_call_output", "reasoning")  # of items
# The parts of a content, and what chat completions call them.
PARTS = {
    "input_text": "text",
    "output_text": "text",
    "input_image": "image_url",
    "refusal": "refusal",
}
TOOL = ("type", "name", "description", "parameters", "strict")
# What chat completions call a parameter, and its name here, for errors.
NAMES = {
    "response_format.json_schema": "text.format",
    "response_format": "text.format",
    "max_completion_tokens": "max_output_tokens",
    "reasoning_effort": "reasoning.effort",
    "messages": "input",
}
REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}  # of an end too early
# How the parts of an item are streamed: its index, the two kinds of events, and what has the text.
STREAMED = {
    "output_text": ("content", "content_part", "output_text", "text"),
    "refusal": ("content", "content_part", "refusal", "refusal"),
    "summary_text": ("summary", "reasoning_summary_part", "reasoning_summary_text", "text"),
}


@dataclass(frozen=True)
class Request(chat_request.Request):
    """A valid request, as a chat completion; `given` is what was sent."""

    given: dict[str, Any] = field(default_factory=dict)


def parse(body: bytes) -> Request:
    """Return the request that `body` holds; raise RequestError where it cannot be followed."""
    data = load(body)
    parameters(data, {"input", "tool_choice", *SAME, *OTHERS}, REFUSED)
    for name, kind in OTHERS.items():
        get(data, name, kind)
    reasoning, text = data.get("reasoning") or {}, data.get("text") or {}
    wanted = dict(get(text, "format", "object", "text") or {"type": "text"})
    tools = data.get("tools") or []
    chat = {name: data[name] for name in SAME if name in data} | {
        "messages": _messages(data),
        "max_completion_tokens": data.get("max_output_tokens"),
        "reasoning_effort": get(reasoning, "effort", "string", "reasoning"),
        "response_format": {"type": wanted.pop("type", None), "json_schema": wanted or None},
        "tools": [_nested(get(tools, at, "object", "tools")) for at in range(len(tools))] or None,
        "tool_choice": _nested(data.get("tool_choice")) if tools else None,
    }
    try:
        read = chat_request.read(chat, request_id("resp", body).replace("-", "_"))
    except RequestError as error:
        for theirs, ours in NAMES.items():
            error.message = error.message.replace(theirs, ours)
            error.param = error.param and error.param.replace(theirs, ours)
        raise
    return Request(**vars(read), given=data)


def _nested(tool: Any) -> Any:
    """Return a tool, or the choice of one, as chat completions have it."""
    if not isinstance(tool, dict) or tool.get("type") != "function":
        return tool
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def _messages(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the messages of chat completions that the input's items are."""
    messages: list[dict[str, Any]] = []
    if data.get("instructions"):
        messages.append({"role": "system", "content": data["instructions"]})
    if isinstance(given := data.get("input"), str):
        return [*messages, {"role": "user", "content": given}]
    for index in range(len(given := get(data, "input", "array", required=True))):
        item = get(given, index, "object", "input", required=True)
        path = f"input[{index}]"
        kind = known(get(item, "type", "string", path) or "message", KINDS, f"{path}.type")
        if kind == "message":
            messages.append({"role": item.get("role"), "content": _content(item, "content", path)})
        elif kind == "function_call":
            function = {name: get(item, name, "string", path) for name in ("name", "arguments")}
            call_id = get(item, "call_id", "string", path, required=True)
            if not messages or "tool_calls" not in messages[-1]:
                messages.append({"role": "assistant", "tool_calls": []})
            call = {"id": call_id, "type": "function", "function": function}
            messages[-1]["tool_calls"].append(call)
        elif kind == "function_call_output":
            call_id = get(item, "call_id", "string", path, required=True)
            output = _content(item, "output", path)
            messages.append({"role": "tool", "tool_call_id": call_id, "content": output})
    return messages


def _content(item: dict[str, Any], name: str, path: str) -> Any:
    if not isinstance(parts := item.get(name), list):
        return get(item, name, "string", path, required=True)
    path = f"{path}.{name}"
    content = []
    for index in range(len(parts)):
        part = get(parts, index, "object", path, required=True)
        place = f"{path}[{index}]"
        kind = known(get(part, "type", "string", place, required=True), PARTS, f"{place}.type")
        held = get(part, PARTS[kind], "string", place, required=True)
        if kind == "input_image":
            held = {"url": held, "detail": part.get("detail")}
        content.append({"type": PARTS[kind], PARTS[kind]: held})
    return content


# Answers


def completion(request: Request, replies: Sequence[Reply]) -> dict[str, Any]:
    """Return the answer to a request without `stream`."""
    [reply] = replies
    return _response(request, reply, [item for item, _texts in _items(request, reply)])


def _response(request: Request, reply: Reply | None, output: list[Any]) -> dict[str, Any]:
    """Return the response, of which there is nothing yet where there is no reply."""
    given = request.given
    reason = REASONS.get(reply.finish_reason) if reply else None
    echoed = ("instructions", "max_output_tokens", "temperature", "top_p")
    response = {
        "id": request.id,
        "object": "response",
        "created_at": CREATED,
        "status": "in_progress" if not reply else "incomplete" if reason else "completed",
        "error": None,
        "incomplete_details": reason and {"reason": reason},
        "model": request.model,
        "output": output,
        "parallel_tool_calls": request.parallel,
        "tool_choice": request.tool_choice,
        "tools": [
            {name: tool.get(name) for name in TOOL if name in tool}
            for tool in given.get("tools") or []
        ],
        "usage": None,
    } | {name: given.get(name) for name in echoed}
    if reply:
        counted = chat_reply.usage(request, [reply])
        response["usage"] = {
            "input_tokens": counted["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": request.cached, "cache_write_tokens": 0},
            "output_tokens": counted["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": len(reply.thought)},
            "total_tokens": counted["total_tokens"],
        }
    return response


def _items(request: Request, reply: Reply) -> Iterator[tuple[dict[str, Any], Sequence[str]]]:
    """Yield the items of a reply, each with the tokens that are streamed of it."""
    seed = request.id.removeprefix("resp_")
    status = {"status": "incomplete" if reply.finish_reason in REASONS else "completed"}
    if reply.thought:
        told: list[str] = []
        if (request.given.get("reasoning") or {}).get("summary"):
            told = tokens.split(thinking.summary(request.messages))
        summary = [{"type": "summary_text", "text": "".join(told)}] if told else []
        item: dict[str, Any] = {"id": f"rs_{seed}", "type": "reasoning", "summary": summary}
        if "reasoning.encrypted_content" in (request.given.get("include") or []):
            item["encrypted_content"] = seed
        yield item, told
    text = "".join(reply.tokens)
    if text or not (reply.calls or reply.thought):
        part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
        if reply.refused:
            part = {"type": "refusal", "refusal": text}
        item = {"id": f"msg_{seed}", "type": "message", "role": "assistant", "content": [part]}
        yield item | status, reply.tokens
    for index, call in enumerate(reply.calls):
        item = {"id": f"fc_{seed}{index}", "type": "function_call", "call_id": call.id}
        item |= {"name": call.name, "arguments": "".join(call.arguments)}
        yield item | status, call.arguments


def chunks(request: Request, replies: Sequence[Reply]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the events of a stream, each with the number of tokens written until then."""
    for number, (written, event) in enumerate(_events(request, *replies)):
        yield written, {"type": event["type"], "sequence_number": number, **event}


def _events(request: Request, reply: Reply) -> Iterator[tuple[int, dict[str, Any]]]:
    begun = _response(request, None, [])
    yield 0, {"type": "response.created", "response": begun}
    yield 0, {"type": "response.in_progress", "response": begun}
    output: list[dict[str, Any]] = []
    written = 0
    for item, texts in _items(request, reply):
        thinks = item["type"] == "reasoning"  # longer than what is told of it
        for event in _item_events(item, texts, len(output)):
            written += event["type"].endswith(".delta") and not thinks
            yield written, event
        written += len(reply.thought) if thinks else 0
        output.append(item)
    response = _response(request, reply, output)
    yield reply.length(), {"type": f"response.{response['status']}", "response": response}


def _item_events(
    item: dict[str, Any], texts: Sequence[str], index: int
) -> Iterator[dict[str, Any]]:
    empty = {"content": [], "summary": [], "arguments": "", "status": "in_progress"}
    begun = {name: empty.get(name, value) for name, value in item.items()}
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    place = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "function_call":
        kind = "response.function_call_arguments"
        yield from ({"type": f"{kind}.delta", **place, "delta": text} for text in texts)
        yield {"type": f"{kind}.done", **place, "arguments": item["arguments"]}
    for part in item.get("content") or item.get("summary") or []:
        where, part_kind, kind, name = STREAMED[part["type"]]
        place[f"{where}_index"] = 0
        more: dict[str, Any] = {"logprobs": []} if kind == "output_text" else {}
        added = {**part, name: ""}
        yield {"type": f"response.{part_kind}.added", **place, "part": added}
        for text in texts:
            yield {"type": f"response.{kind}.delta", **place, "delta": text, **more}
        yield {"type": f"response.{kind}.done", **place, name: part[name], **more}
        yield {"type": f"response.{part_kind}.done", **place, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
