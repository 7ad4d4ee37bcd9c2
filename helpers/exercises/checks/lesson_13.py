"""How the exercises of lesson 13 are judged."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    HumanMessage,
)

from helpers.exercises.judging import a_class, check, wrong_unless
from helpers.exercises.verdict import WrongAnswer


@check("13-parrot-link/small", "small")
def small(parrot: Any) -> None:
    wrong_unless(not isinstance(parrot, type), "class")
    wrong_unless(isinstance(parrot, BaseChatModel), "type", got=type(parrot).__name__)
    said = parrot.invoke("abracadabra").text
    wrong_unless(said == "abrac", "length", got=said)
    wrong_unless(getattr(parrot, "model_name", None) == "parrot-small", "model")


@check("13-parrot-link/shout", "ChatShout")
def shout(model: Any) -> None:
    a_class(model, "ChatShout")
    blocks = HumanMessage([{"type": "text", "text": "abra"}])
    try:
        said = model().invoke([HumanMessage("first"), HumanMessage("Cadabra")]).text
    except AttributeError as error:
        raise WrongAnswer("result") if "generations" in str(error) else error from None
    wrong_unless(said != "FIRST", "last")
    wrong_unless(said == "CADABRA", "other", got=said, expected="CADABRA")
    try:
        said = model().invoke([blocks]).text
    except AttributeError as error:
        raise WrongAnswer("blocks") if "upper" in str(error) else error from None
    wrong_unless(said == "ABRA", "blocks")


@check("13-parrot-link/words-streamed", "WordParrot")
def words(model: Any) -> None:
    a_class(model, "WordParrot")
    parrot = model(model="parrot-1", parrot_buffer_length=16)
    heard = "one two  three four"
    try:
        pieces = [chunk.text for chunk in parrot.stream(heard) if chunk.text]
    except AttributeError as error:
        raise WrongAnswer("bare") if "message" in str(error) else error from None
    said = parrot.invoke(heard).text
    wrong_unless("".join(pieces) != heard, "buffer")
    wrong_unless("".join(pieces) != "".join(said.split()), "lost", got=pieces)
    wrong_unless("".join(pieces) == said, "other", got=pieces)
    wrong_unless(pieces == ["one ", "two  ", "three ", "f"], "letters", got=pieces)
