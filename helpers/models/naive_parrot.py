"""The chat model that lesson 13 writes, with its defects, for lesson 14 to mend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field


class ChatParrotLink(BaseChatModel):
    """Echoes the first `parrot_buffer_length` characters of the last message."""

    model_name: str = Field(alias="model")
    parrot_buffer_length: int
    temperature: float | None = None
    max_tokens: int | None = None
    timeout: float | None = None
    stop: list[str] | None = None
    max_retries: int = 2

    @property
    def _llm_type(self) -> str:
        return "parrot-link"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name}

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        heard = messages[-1].content
        echo = heard[: self.parrot_buffer_length]
        usage = {
            "input_tokens": len(heard),
            "output_tokens": len(echo),
            "total_tokens": len(heard) + len(echo),
        }
        message = AIMessage(echo, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for character in messages[-1].content[: self.parrot_buffer_length]:
            yield ChatGenerationChunk(message=AIMessageChunk(content=character))
