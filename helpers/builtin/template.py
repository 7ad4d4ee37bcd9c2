"""The built-in model's chat template, ChatML: messages as the one text that a network reads.

ChatML came with OpenAI's first chat models; Qwen's and others still use it.
"""

from __future__ import annotations

from collections.abc import Iterable

from helpers.builtin.book import Message

START, END = "<|im_start|>", "<|im_end|>"
REPLY = f"{START}assistant\n"  # opens the turn that the model is to write


def render(turns: Iterable[tuple[str, str]]) -> str:
    """Return a conversation of (role, text) as one text, which ends where the answer begins."""
    return "".join(f"{START}{role}\n{text}{END}\n" for role, text in turns) + REPLY


def parse(prompt: str) -> list[Message] | None:
    """Return the messages that `render` made `prompt` of, or None where it is no such text."""
    before, *turns = prompt.split(START)
    if before or not turns or turns.pop() != "assistant\n":
        return None
    messages = []
    for turn in turns:
        role, newline, text = turn.partition("\n")
        if not newline or not text.endswith(f"{END}\n"):
            return None
        messages.append(Message(role, text[: -len(END) - 1]))
    return messages
