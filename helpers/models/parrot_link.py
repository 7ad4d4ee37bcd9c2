"""ChatParrotLink, the course's own chat model: it repeats the beginning of what it hears."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn, Self

import regex
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.exceptions import ModelInvalidRequestError, ModelTimeoutError
from langchain_core.language_models import BaseChatModel, LangSmithParams, ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import (
    AliasChoices,
    AliasPath,
    ConfigDict,
    Field,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

__version__ = "0.1.0"


def cut_at_stop(text: str, stop: list[str]) -> str | None:
    """Return what comes before the stop string that is complete first, None where none occurs.

    Of several that end at the same place the longest counts. A model that writes from left to
    right, piece by piece, stops at the same place.
    """
    found = [(start + len(end), start) for end in stop if (start := text.find(end)) >= 0]
    return text[: min(found)[1]] if found else None


class InvalidMessagesError(ModelInvalidRequestError, ValueError):
    """Raised for messages that a model cannot answer, like an HTTP 400 of a provider; no use to retry."""


class CheckedChatModel(BaseChatModel):
    """A chat model that checks its settings, those of one call like those of the constructor.

    A call may change `model_name`, `stop` and the fields that a subclass adds, but for those excluded.

    `dumps` of langchain-core does not write it: `load` takes classes of LangChain's own packages alone
    unless each is named. And the key in a cache would then be what the model was when first asked.
    """

    model_config = ConfigDict(populate_by_name=True, validate_assignment=True)

    model_name: str = Field(alias="model", min_length=1)
    """The model's name, as `model` or `model_name`."""
    stop: list[str] | None = None
    """Texts at which an answer ends; they are left out of it. Those of a call replace these."""
    streaming: bool = False
    """True: `invoke` streams as well, so that callbacks hear each token. False: nothing streams.

    Unless it is given, each call decides for itself.
    """

    def __init__(self, **settings: Any) -> None:
        """Check the settings: an unknown one is ignored with a UserWarning.

        A refusal would be too much: LangChain's own tests hand over an `api_key` to every model.
        Raises pydantic's ValidationError where a known one has a value that makes no sense.
        """
        for name in sorted(settings.keys() - self._names()):
            message = f"{type(self).__name__} has no setting {name!r}: ignored"
            warnings.warn(message, stacklevel=2)
        super().__init__(**settings)

    @model_validator(mode="before")
    @classmethod
    def _one_model(cls, values: Any) -> Any:
        given = values if isinstance(values, dict) else {}
        if "model" in given and given.get("model_name", given["model"]) != given["model"]:
            raise ValueError("model and model_name are one setting, and were given two values")
        return values

    @classmethod
    def _names(cls) -> set[str]:
        """Return all names under which the constructor takes a value: the fields' and their aliases."""
        config = cls.model_config
        by_name = config.get("populate_by_name") or config.get("validate_by_name")
        names: set[str] = set()
        for name, field in cls.model_fields.items():
            alias = field.validation_alias
            choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
            names |= {
                str(one.path[0] if isinstance(one, AliasPath) else one) for one in choices if one
            }
            if alias is None or by_name:
                names.add(name)
        return names

    @model_validator(mode="after")
    def _set_parrot_link_version(self) -> Self:
        """Note this package's version, which traces then show beside langchain-core's.

        A subclass in another package adds its own under another name: one that is named like this
        would replace it.
        """
        self._add_version("langchain-parrot-link", __version__)
        return self

    @field_validator("stop", mode="wrap")
    @classmethod
    def _stop_strings(cls, stop: Any, checked: ValidatorFunctionWrapHandler) -> list[str] | None:
        stops: list[str] | None = checked([stop] if isinstance(stop, str) else stop)
        if stops and "" in stops:
            raise ValueError("an empty stop string would end every answer before it begins")
        return stops

    @property
    def model(self) -> str:
        """The model's name."""
        return self.model_name

    def _resolve_model_profile(self) -> ModelProfile:
        """Return an empty profile: nothing is known.

        With None, LangChain would ask again at each assignment, and noting the answer is one.
        """
        return {}

    @classmethod
    def _settings(cls) -> dict[str, str]:
        """Return the fields that a call may change beside `stop`, by the names that callers use."""
        others = {*BaseChatModel.model_fields, "stop", "streaming"}
        shown = [name for name, field in cls.model_fields.items() if not field.exclude]
        return {"model": "model_name", **{name: name for name in shown if name not in others}}

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """All that an answer depends on, for traces and for the key of a cache."""
        names = (*self._settings().values(), "stop")
        return {name: getattr(self, name) for name in names}

    def _get_invocation_params(
        self, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """The same with the settings of a call; a call without stop has the model's."""
        return {**self.asdict(), "stop": self.stop if stop is None else stop, **kwargs}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        stop = self.stop if stop is None else [stop] if isinstance(stop, str) else stop
        if "model_name" in kwargs:
            kwargs["model"] = kwargs["model_name"]
        params = super()._get_ls_params(stop=stop, **kwargs)
        return {**params, "ls_provider": self._llm_type}

    def _changed(self, stop: list[str] | None, kwargs: dict[str, Any]) -> Self:
        """Return the model with the settings of one call, checked like those of the constructor."""
        changes = {name: value for name, value in kwargs.items() if name != "stream"}
        settings = self._settings()
        if unknown := sorted(set(changes) - set(settings)):
            raise TypeError(
                f"{type(self).__name__} knows no setting {unknown[0]!r} for a call. "
                f"There are: stop, {', '.join(settings)}."
            )
        changes = {settings[name]: value for name, value in changes.items()}
        if stop is not None:
            changes["stop"] = stop
        model = self.model_copy()
        for name, value in changes.items():
            setattr(model, name, value)
        return model


def characters(text: str) -> list[str]:
    """Split a text into characters as a reader sees them: grapheme clusters, by Unicode's rules.

    A family emoji or an accented letter is one of them, however many code points it takes.
    """
    return list(text) if text.isascii() and "\r" not in text else regex.findall(r"\X", text)


class Answer(NamedTuple):
    """What a parrot will say: its characters, how they end, and what they cost."""

    characters: list[str]
    metadata: dict[str, Any]
    usage: UsageMetadata


class ChatParrotLink(CheckedChatModel):
    """A chat model that repeats the first characters of the last message.

    One character, as a reader sees it, is one token.

    Instantiate:
        parrot = ChatParrotLink(model="parrot-1", parrot_buffer_length=8, max_tokens=4)

    Invoke, stream, batch, with settings for this call alone; `ainvoke` and so on do the same:
        parrot.invoke("abracadabra", stop=["c"]).text  # "abra"

    Raises ModelTimeoutError, InvalidMessagesError, and for a setting of the call pydantic's
    ValidationError or TypeError.
    """

    model_name: str = Field(default="parrot-1", alias="model", min_length=1)
    parrot_buffer_length: int = Field(ge=1)
    """How many characters of the last message the parrot can remember."""
    temperature: float | None = None
    """0 or None: a parrot repeats exactly, and refuses any other."""
    max_tokens: int | None = Field(default=None, ge=1)
    """How many tokens an answer may have."""
    timeout: float | None = Field(default=None, gt=0)
    """How many seconds an answer may take; ModelTimeoutError is raised at the end of them."""
    max_retries: int = Field(default=2, ge=0)
    """Any number: a parrot never fails in a way that another try would mend."""
    seconds_per_token: float = Field(default=0, ge=0, allow_inf_nan=False)
    """How long the parrot takes for each token."""

    @field_validator("temperature")
    @classmethod
    def _exact(cls, temperature: float | None) -> float | None:
        if temperature:
            raise ValueError("a parrot repeats exactly, so its temperature can only be 0")
        return temperature

    @property
    def _llm_type(self) -> str:
        return "parrot-link"

    def get_token_ids(self, text: str) -> list[int]:
        """Return a number for each token, that is for each character; `get_num_tokens` counts them.

        One code point is its own number, several are the digits of one to the base of 2**32.
        """
        if self.custom_get_token_ids is not None:
            return self.custom_get_token_ids(text)
        encoded = (one.encode("utf-32-be", "surrogatepass") for one in characters(text))
        return [int.from_bytes(code) for code in encoded]

    def get_num_tokens_from_messages(
        self, messages: Sequence[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Return how many tokens the messages are counted as in an answer's usage."""
        return sum(self.get_num_tokens(str(message.text)) for message in messages)

    def _answer(self, messages: list[BaseMessage]) -> Answer:
        if not messages:
            raise InvalidMessagesError("ChatParrotLink has nothing to repeat: there is no message.")
        heard = [characters(str(message.text)) for message in messages]
        said, reason = heard[-1][: self.parrot_buffer_length], "stop"
        if self.max_tokens is not None and len(said) > self.max_tokens:
            said, reason = said[: self.max_tokens], "length"
        if self.stop and (cut := cut_at_stop("".join(said), self.stop)) is not None:
            said, reason = characters(cut), "stop"
        prompt = sum(map(len, heard))
        return Answer(
            said,
            {
                "model_name": self.model_name,
                "model_provider": self._llm_type,
                "finish_reason": reason,
            },
            UsageMetadata(
                input_tokens=prompt, output_tokens=len(said), total_tokens=prompt + len(said)
            ),
        )

    def _seconds(self, tokens: int) -> tuple[float, bool]:
        """Return how long so many tokens take, and whether that is longer than allowed."""
        seconds = tokens * self.seconds_per_token
        late = self.timeout is not None and seconds > self.timeout
        return (self.timeout or 0.0) if late else seconds, late

    def _too_late(self) -> NoReturn:
        raise ModelTimeoutError(f"The parrot had not finished after {self.timeout} seconds.")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        parrot = self._changed(stop, kwargs)
        answer = parrot._answer(messages)
        seconds, late = parrot._seconds(len(answer.characters))
        if seconds:
            time.sleep(seconds)
        return parrot._too_late() if late else _result(answer)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        parrot = self._changed(stop, kwargs)
        answer = parrot._answer(messages)
        seconds, late = parrot._seconds(len(answer.characters))
        if seconds:
            await asyncio.sleep(seconds)
        return parrot._too_late() if late else _result(answer)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        parrot = self._changed(stop, kwargs)
        for seconds, late, chunk in parrot._paced(parrot._answer(messages)):
            if seconds:
                time.sleep(seconds)
            if late:
                parrot._too_late()
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
        parrot = self._changed(stop, kwargs)
        for seconds, late, chunk in parrot._paced(parrot._answer(messages)):
            if seconds:
                await asyncio.sleep(seconds)
            if late:
                parrot._too_late()
            if run_manager:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _paced(self, answer: Answer) -> Iterator[tuple[float, bool, ChatGenerationChunk]]:
        """Yield the chunks, each with the seconds to wait for it and whether it comes too late."""
        before = 0.0
        for number, chunk in enumerate(_chunks(answer), 1):
            until, late = self._seconds(number) if chunk.text else (before, False)
            yield until - before, late, chunk
            before = until

    def bind_tools(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: raises NotImplementedError."""
        raise NotImplementedError(
            "A parrot repeats what it hears and cannot decide to call a tool. "
            "Bind the tools to another chat model, such as ChatOpenAI."
        )

    def with_structured_output(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refuse: raises NotImplementedError."""
        raise NotImplementedError(
            "A parrot repeats what it hears and cannot fill in a schema. Use another chat model, or "
            "let the parrot repeat JSON and put a JsonOutputParser behind it."
        )


def _result(answer: Answer) -> ChatResult:
    message = AIMessage(
        "".join(answer.characters), response_metadata=answer.metadata, usage_metadata=answer.usage
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def _chunks(answer: Answer) -> Iterator[ChatGenerationChunk]:
    """Yield an answer's characters; the last carries all that is to be known once."""
    *first, last = answer.characters or [""]
    for character in first:
        yield ChatGenerationChunk(message=AIMessageChunk(content=character))
    yield ChatGenerationChunk(
        message=AIMessageChunk(
            content=last,
            response_metadata=answer.metadata,
            usage_metadata=answer.usage,
            chunk_position="last",
        )
    )
