"""What is around an answer: the thought before it, a refusal in its place, and where it is broken off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from helpers.builtin import book, chat_request, thinking, tokens
from helpers.builtin.chat_reply import Reply
from helpers.builtin.faults import Fault
from helpers.i18n import _


def replies(request: Any, make: Callable[[Any], list[Reply]], fault: Fault) -> list[Reply]:
    """Return the answers that `make` has for a request, after a thought, and as `fault` will have them."""
    if fault.kind == "length":
        limits = (fault.after, request.max_tokens)
        request = replace(request, max_tokens=min(int(n) for n in limits if n is not None))
    if not isinstance(request, chat_request.Request):
        return _filtered(make(request), fault)
    # Who shows its thought has one.
    count = request.thinks or (thinking.EFFORTS["low"] if request.aloud else 0)
    thought = thinking.words(request.messages, count)
    if thought and request.max_tokens is not None:
        left = request.max_tokens - count
        if left <= 0:
            cut = Reply([], "length", thought=thought[: request.max_tokens])
            return [cut] * request.choices
        request = replace(request, max_tokens=left)
    found = _filtered(make(request), fault)
    if fault.kind == "refusal":
        lang = book.language_of(request.messages[-1].text)
        text = _("I'm sorry, but I can't help with that.", lang)
        found = [Reply(tokens.split(text), "stop", refused=True)] * request.choices
    return [reply._replace(thought=thought) for reply in found]


def _filtered(found: list[Reply], fault: Fault) -> list[Reply]:
    if fault.kind != "content_filter":
        return found
    return [Reply(reply.tokens[: int(fault.after)], fault.kind) for reply in found]
