"""ChatShop, a chat model around a network of one's own, which answers token by token on this machine."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ContextOverflowError, ModelTimeoutError
from langchain_core.messages import AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from helpers.builtin.template import END
from helpers.models.parrot_link import CheckedChatModel, InvalidMessagesError, cut_at_stop

if TYPE_CHECKING:  # imported where a network is at work: both take seconds
    import torch
    from transformers import DynamicCache

ROLES = {"system": "system", "human": "user", "ai": "assistant", "tool": "tool"}
NOT_READ = {"image", "audio", "video", "file"}
# A tokenizer may be changed by the one who uses it, so only one does at a time.
TOKENIZING = threading.Lock()


class ChatShop(CheckedChatModel):
    """A chat model that runs a network with its tokenizer, both as `transformers` has them.

    The tokenizer's chat template makes the prompt of the messages; a special token that a message
    contains is read as mere text there. Each conversation is computed by itself, without padding,
    so calls from several threads do not meet. The network may go on learning between two calls.
    """

    network: Any = Field(repr=False, exclude=True)
    """A causal language model, for example a `LlamaForCausalLM`."""
    tokenizer: Any = Field(repr=False, exclude=True)
    """Its tokenizer, with a chat template whose turns end with `<|im_end|>`."""
    model_name: str = Field(default="chat-shop", alias="model", min_length=1)
    temperature: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """0 or None: the most probable token each time. The higher, the less probable ones are drawn."""
    seed: int | None = None
    """Where the drawing begins; the same seed draws the same answer. None: another each time."""
    max_tokens: int | None = Field(default=None, ge=1)
    """How many tokens an answer may have; at most as many as the network's context has left."""
    timeout: float | None = Field(default=None, gt=0)
    """How many seconds an answer may take; ModelTimeoutError is raised at the end of them."""
    max_retries: int = Field(default=2, ge=0)
    """Any number: nothing fails here in a way that another try would mend."""

    @classmethod
    def load(cls, folder: str | Path, **settings: Any) -> ChatShop:
        """Return the model whose network and tokenizer `save_pretrained` wrote to `folder`.

        Raises FileNotFoundError where there is none.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        if not Path(folder, "config.json").is_file():
            raise FileNotFoundError(f"There is no trained network in {folder}")
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        try:
            # float32 whatever the file has: two bytes a number are slow on most processors.
            network = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, local_files_only=True
            )
        finally:
            if bars:
                logging.enable_progress_bar()
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return cls(network=network, tokenizer=tokenizer, **settings)

    @property
    def _llm_type(self) -> str:
        return "chat-shop"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {**super()._identifying_params, "weights": fingerprint(self.network)}

    def get_token_ids(self, text: str) -> list[int]:
        """Return the tokens of a text, without those that a turn puts around it.

        `get_num_tokens` counts them.
        """
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        with TOKENIZING:
            tokens: list[int] = self.tokenizer.encode(
                text, add_special_tokens=False, split_special_tokens=True
            )
        return tokens

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Any = None
    ) -> int:
        """Return how many tokens the messages are as a prompt, as the usage of an answer says."""
        return len(self._prompt(messages)) if messages else 0

    def _prompt(self, messages: Sequence[BaseMessage]) -> list[int]:
        """Return the tokens that the network reads, up to where its answer begins."""
        if not messages:
            raise InvalidMessagesError("ChatShop has nothing to answer: there is no message.")
        turns = []
        for message in messages:
            kinds = {block["type"] for block in message.content_blocks}
            if kinds & NOT_READ:
                raise InvalidMessagesError(f"ChatShop reads text only, no {min(kinds & NOT_READ)}.")
            role = ROLES.get(message.type) or str(getattr(message, "role", message.type))
            turns.append({"role": role, "content": str(message.text)})
        with TOKENIZING:
            read = self.tokenizer.apply_chat_template(
                turns, add_generation_prompt=True, sanitize_control_tokens=True
            )
        tokens: list[int] = read["input_ids"]
        return tokens

    def _tokens(self, prompt: list[int]) -> Iterator[int]:
        """Yield the tokens that follow the prompt, until the context is full."""
        import torch
        from transformers import DynamicCache

        self.network.eval()  # training leaves it in another mode
        draw = torch.Generator()
        draw.manual_seed(draw.seed() if self.seed is None else self.seed)
        cache, unread = DynamicCache(config=self.network.config), prompt
        for _ in range(len(prompt), self.network.config.max_position_embeddings):
            token = self._next(unread, cache, draw)
            yield token
            unread = [token]

    def _next(self, unread: list[int], cache: DynamicCache, draw: torch.Generator) -> int:
        """Let the network read on, and return the token that it then writes.

        The cache holds the keys and values of all that it has read. `inference_mode` must not
        stand around a `yield`: it would hold in the caller's code too.
        """
        import torch

        with torch.inference_mode():
            read = torch.tensor([unread], device=self.network.device)
            scores = self.network(input_ids=read, cache=cache, use_cache=True).logits
            last = scores[0, -1].float().cpu()
            if not self.temperature:
                return int(last.argmax())
            chances = torch.softmax(last / self.temperature, dim=-1)
            return int(torch.multinomial(chances, 1, generator=draw))

    def _answer(self, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        """Yield the answer as soon as it can be said; the last chunk has what is known at the end."""
        prompt, begun = self._prompt(messages), time.monotonic()
        limit = self.network.config.max_position_embeddings
        if len(prompt) >= limit:
            raise ContextOverflowError(
                f"The messages are {len(prompt)} tokens long, and this network reads {limit} with "
                "its answer. Shorten them, for example with trim_messages."
            )
        ends = {self.tokenizer.eos_token_id, self.tokenizer.convert_tokens_to_ids(END)}
        written: list[int] = []
        text, shown, reason = "", 0, "length"
        for token in self._tokens(prompt):
            if self.timeout is not None and time.monotonic() - begun > self.timeout:
                raise ModelTimeoutError(f"ChatShop had not finished after {self.timeout} seconds.")
            if token in ends or len(written) == self.max_tokens:
                reason = "stop" if token in ends else "length"
                break
            written.append(token)
            text = self._text(written)
            if (cut := cut_at_stop(text, self.stop or [])) is not None:
                text, reason = cut, "stop"
                break
            until = len(text) - held_back(text, self.stop or [])
            if until > shown:
                yield ChatGenerationChunk(message=AIMessageChunk(content=text[shown:until]))
                shown = until
        usage = UsageMetadata(
            input_tokens=len(prompt),
            output_tokens=len(written),
            total_tokens=len(prompt) + len(written),
        )
        metadata = {
            "model_name": self.model_name,
            "model_provider": self._llm_type,
            "finish_reason": reason,
        }
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content=text[shown:],
                response_metadata=metadata,
                usage_metadata=usage,
                chunk_position="last",
            )
        )

    def _text(self, tokens: list[int]) -> str:
        """Return what tokens say, without a last character of which not all bytes are there yet."""
        with TOKENIZING:
            text = self.tokenizer.decode(
                tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        return str(text).rstrip("\ufffd")

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._changed(stop, kwargs)._answer(messages):
            if (
                run_manager
            ):  # `stream` gives none and tells by itself; the events of v3 leave it to us
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        answer = self._changed(stop, kwargs)._answer(messages)
        # One step at a time in a thread: who is cancelled waits for no more than the step under way,
        # and then nobody asks for the next.
        while (chunk := await asyncio.to_thread(next, answer, None)) is not None:
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return joined(list(self._stream(messages, stop, **kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return joined([chunk async for chunk in self._astream(messages, stop, **kwargs)])

    def bind_tools(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: raises NotImplementedError."""
        raise NotImplementedError(
            "This network never saw a tool call while it was trained. Look things up before you "
            "ask it, or bind the tools to another chat model, such as ChatOpenAI."
        )

    def with_structured_output(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: raises NotImplementedError."""
        raise NotImplementedError(
            "This network never saw JSON while it was trained and cannot fill in a schema. "
            "Use another chat model, such as ChatOpenAI."
        )


def held_back(text: str, stop: list[str]) -> int:
    """Return how many of the last characters may be the beginning of a stop string."""
    begun = (n for end in stop for n in range(1, len(end)) if text.endswith(end[:n]))
    return max(begun, default=0)


def fingerprint(network: Any) -> str:
    """Return a short text that is another one for other weights."""
    import torch

    digest = hashlib.sha256()
    for name, weights in network.state_dict().items():
        digest.update(name.encode())
        digest.update(weights.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def joined(chunks: list[ChatGenerationChunk]) -> ChatResult:
    """Return an answer's chunks as the one message that they are."""
    first, *others = chunks
    message = message_chunk_to_message(sum((one.message for one in others), first.message))
    return ChatResult(generations=[ChatGeneration(message=message)])
