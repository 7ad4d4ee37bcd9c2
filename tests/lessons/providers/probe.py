"""What the six providers' chat models do, measured in an environment that has their packages.

tests/lessons/test_providers.py runs this with the Python of that environment. It hands over, as JSON on
standard input, the entries of helpers/views/providers.yaml, each with the code of its tab, and two
functions of the lesson; it reads a JSON object of measurements by provider. A server on loopback
speaks the three protocols that the six clients speak; calling any other address is an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import json
import os
import socket
import sys
import threading
import warnings
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

KEY, OPENAI_KEY = "sk-of-this-provider", "sk-of-openai"
ANSWER, THOUGHT = "Hello there.", "Let me think."
TOOL, ARGUMENTS = "weather", {"city": "Paris"}
DECLARED = {
    "name": TOOL,
    "description": "The weather in a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
SETTINGS: dict[str, Any] = {
    "temperature": 0.5,
    "max_tokens": 7,
    "timeout": 30,
    "stop": ["x"],
    "max_retries": 0,
}


class Server(ThreadingHTTPServer):
    """Answers in the protocol of the path; keeps what was asked and with which headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reason = ""  # why the answers end, in the provider's own word
        self.calls_tool = False
        self.status = 200
        self.asked: dict[str, Any] = {}
        self.path = ""
        self.headers: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.path = self.path
        self.server.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.headers = [str(value) for value in self.headers.values()]
        streamed = self.server.asked.get("stream") or "streamGenerateContent" in self.path
        if self.path.endswith("/messages"):
            protocol = anthropic_stream if streamed else anthropic
        elif "enerateContent" in self.path:
            protocol = google_stream if streamed else google
        else:
            protocol = openai_stream if streamed else openai
        parts = protocol(self.server.reason, self.server.calls_tool)
        if streamed:
            body = "".join(
                f"{kind and f'event: {kind}'}\ndata: {json.dumps(data)}\n\n".lstrip()
                for kind, data in parts
            )
        else:
            ((_, data),) = parts
            body = json.dumps(data)
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


Parts = Iterator[tuple[str, dict[str, Any]]]


def openai(reason: str, calls_tool: bool) -> Parts:
    function = {"name": TOOL, "arguments": json.dumps(ARGUMENTS)}
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER}
    if calls_tool:
        message["tool_calls"] = [{"id": "call_12345", "type": "function", "function": function}]
        message["reasoning_content"] = THOUGHT  # some servers send this; OpenAI's does not
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    choices = [{"index": 0, "message": message, "finish_reason": reason}]
    yield "", {**OPENAI, "object": "chat.completion", "choices": choices, "usage": usage}


OPENAI = {"id": "c-1", "created": 1, "model": "a-model"}


def openai_stream(reason: str, calls_tool: bool) -> Parts:
    deltas = [({"role": "assistant", "content": "Hello"}, None), ({"content": " there."}, None)]
    for delta, ended in [*deltas, ({}, reason)]:
        choices = [{"index": 0, "delta": delta, "finish_reason": ended}]
        yield "", {**OPENAI, "object": "chat.completion.chunk", "choices": choices}


def anthropic(reason: str, calls_tool: bool) -> Parts:
    content: list[dict[str, Any]] = [{"type": "text", "text": ANSWER}]
    if calls_tool:
        content += [{"type": "tool_use", "id": "toolu_1", "name": TOOL, "input": ARGUMENTS}]
    yield "", {**ANTHROPIC, "content": content, "stop_reason": reason}


ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "a-model",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 4},
}


def anthropic_stream(reason: str, calls_tool: bool) -> Parts:
    start: dict[str, Any] = {**ANTHROPIC, "content": [], "stop_reason": None}
    delta: dict[str, Any] = {"stop_reason": reason, "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in ("Hello", " there.")
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    for event in events:
        yield event["type"], event


def google_part(reason: str | None, parts: list[dict[str, Any]]) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "a-model"}


def google(reason: str, calls_tool: bool) -> Parts:
    call = [{"functionCall": {"name": TOOL, "args": ARGUMENTS}}] if calls_tool else []
    yield "", google_part(reason, [{"text": ANSWER}, *call])


def google_stream(reason: str, calls_tool: bool) -> Parts:
    yield "", google_part(None, [{"text": "Hello"}])
    yield "", google_part(reason, [{"text": " there."}])


def only_loopback() -> None:
    """Make any call to another address an error: making a model must not need the network."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"a connection to {address}")
        connect(self, address)

    socket.socket.connect = guarded  # type: ignore[method-assign,assignment]


def refusal(make: Any) -> str:
    """Return what `make` raises, "" if it raises nothing; a warning counts."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            make()
        except Exception as error:  # whichever this package chose
            return f"{type(error).__name__}: {error}"
    return ""


def spellings(cls: Any) -> dict[str, str]:
    """Return each name that the constructor takes, and the field that it sets."""
    fields = cls.model_fields.items()
    return {name: name for name in cls.model_fields} | {
        field.alias: name for name, field in fields if field.alias
    }


def measure(provider: dict[str, str], functions: str, server: Server) -> dict[str, Any]:
    """Return what one provider's package says of itself, and what its chat model does."""
    module = importlib.import_module(provider["package"].replace("-", "_"))
    cls = getattr(module, provider["class"])
    model, own = provider["model"], {"max_retries": 0, "base_url": server.url}
    os.environ[provider["key"]] = KEY
    found: dict[str, Any] = {"spellings": spellings(cls)}

    names: dict[str, Any] = {}
    exec(provider["code"], names)  # the code of the tab, with the key in the environment
    found["made"] = type(names["chat"]).__name__
    from langchain.chat_models import init_chat_model

    found["init_chat_model"] = type(init_chat_model(f"{provider['id']}:{model}")).__name__

    chat = cls(model="a-model", **own)
    server.reason = provider["done"]
    chat.invoke("Hello!")
    found["key_travels"] = any(KEY in header for header in server.headers)
    found["sent_unset"], found["temperature"] = server.asked, chat.temperature
    found["done"] = chat.invoke("Hello!").response_metadata
    server.reason = provider["cut"]
    message = chat.invoke("Hello!")
    found["cut"], found["usage"] = message.response_metadata, message.usage_metadata
    tools = [{"type": "function", "function": DECLARED}]
    server.reason, server.calls_tool = provider["tools"], True
    asked = chat.bind_tools(tools).invoke("Hello!")
    server.calls_tool = False
    refusal(lambda: cls(model=model, **own).bind_tools(tools).invoke("Hello!"))
    found["path_with_tools"] = server.path
    found["tools"], found["tool_calls"] = asked.response_metadata, asked.tool_calls
    found["thought_kept"] = THOUGHT in asked.model_dump_json()

    server.reason = provider["done"]
    found["shared_refused"] = refusal(
        lambda: cls(model=model, base_url=server.url, api_key=KEY, **SETTINGS).invoke("Hello!")
    )
    found["sent"] = server.asked
    for name, value in {"max_tokens": 5, "max_output_tokens": 5, "stop": ["x"]}.items():
        found[f"call_{name}"] = refusal(lambda n=name, v=value: chat.invoke("Hello!", **{n: v}))
    server.status = 429
    try:
        chat.invoke("Hello!")
    except Exception as error:  # whichever this package chose
        found["rate_limited"] = [kind.__name__ for kind in type(error).__mro__]
    server.status = 200
    del os.environ[provider["key"]]
    found["without_key"] = refusal(lambda: cls(model=model, **own))
    os.environ["OPENAI_API_KEY"], server.headers = OPENAI_KEY, []
    refusal(lambda: cls(model=model, **own).invoke("Hello!"))
    found["openai_key_travels"] = any(OPENAI_KEY in header for header in server.headers)
    del os.environ["OPENAI_API_KEY"]
    found["without_model"] = refusal(lambda: cls(api_key=KEY, base_url=server.url))

    exec(functions, names)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        names["tour"](cls(model=model, api_key=KEY, **own))
        asyncio.run(names["tour_async"](cls(model=model, api_key=KEY, **own)))
    found["tour"] = printed.getvalue()
    try:
        profiles = importlib.import_module(f"{module.__name__}.data._profiles")._PROFILES
    except ModuleNotFoundError:  # this package lists no models: its own default then
        profiles = {cls.model_fields["model_name"].default: {}}
    found["listed"] = model in profiles and "status" not in profiles[model]
    return found


def declared() -> dict[str, list[str]]:
    """Return the reasons for an answer's end that three of the providers' own clients declare."""
    from typing import get_args

    choice = importlib.import_module("openai.types.chat.chat_completion").Choice
    google_types = importlib.import_module("google.genai.types")
    anthropic_types = importlib.import_module("anthropic.types")
    return {
        "openai": list(get_args(choice.model_fields["finish_reason"].annotation)),
        "anthropic": list(get_args(anthropic_types.StopReason)),
        "google_genai": [reason.name for reason in google_types.FinishReason],
    }


def main() -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE")) or name.lower().endswith("_proxy"):
            del os.environ[name]
    given = SimpleNamespace(**json.load(sys.stdin))
    only_loopback()
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    measured = {p["id"]: measure(p, given.functions, server) for p in given.providers}
    from langchain.chat_models import init_chat_model
    from langchain_core.messages import AIMessage

    block = {"type": "thinking", "thinking": [{"type": "text", "text": "2 + 2"}]}
    thinking = AIMessage([block], response_metadata={"model_provider": "mistralai"})
    result = {
        "providers": measured,
        "declared": declared(),
        "mistral_thought": thinking.content_blocks[0],
        "gemini_guessed": refusal(lambda: init_chat_model("gemini-flash-latest")),
    }
    print(json.dumps(result, default=str))


if __name__ == "__main__":
    main()
