"""How the exercises of lesson 02 are judged."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate

from helpers.exercises.judging import (
    check,
    no_messages,
    own_parameter,
    plain,
    returned,
    wrong_unless,
)
from helpers.exercises.running import captured


@check("02-messages/pirate", "talk")
def pirate(talk: Any) -> None:
    wrong_unless(not isinstance(talk, ChatPromptTemplate), "template")
    wrong_unless(isinstance(talk, (list, tuple, PromptValue)), "type", got=type(talk).__name__)
    messages = convert_to_messages(talk)
    wrong_unless(len(messages) == 2, "count", got=len(messages))
    types = [message.type for message in messages]
    wrong_unless(types != ["human", "system"], "order")
    wrong_unless(types == ["system", "human"], "types", got=", ".join(types))
    rule, question = (message.text for message in messages)
    wrong_unless(any(word in plain(rule) for word in ("pirate", "海盗")), "rule", got=rule)
    about = any(word in plain(question) for word in ("france", "法国"))
    wrong_unless(about, "question", got=question)


@check("02-messages/texts", "said_by_people")
def texts(function: Any) -> None:
    picture: list[str | dict[Any, Any]] = [
        {"type": "image", "url": "https://example.org/x.png"},
        {"type": "text", "text": "two"},
    ]
    people = [HumanMessage("one"), HumanMessage(picture), HumanMessage("one")]
    messages = [SystemMessage("rule"), people[0], AIMessage("answer"), *people[1:]]
    got, printed = captured(lambda: function(messages))
    returned(got, printed)
    wrong_unless(not isinstance(got, str), "missing", got=got)
    got = list(got)
    no_messages(got)
    wrong_unless(all(isinstance(text, str) for text in got), "blocks", got=got)
    wrong_unless(not {"rule", "answer"} & set(got), "others", got=got)
    alone = list(function([AIMessage("alone")]))
    if got:  # else it may have found nothing in either
        own_parameter(got, alone, "conversation")
    wrong_unless(got == ["one", "two", "one"], "missing", got=got)
    wrong_unless(alone == [], "others", got=alone)


@check("02-messages/save-load", "save", "load")
def save_load(save: Any, load: Any) -> None:
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    call = {"name": "weather", "args": {"city": "巴黎"}, "id": "call_1"}
    messages = [
        HumanMessage("你好 🦜", name="ada"),
        AIMessage(
            "", tool_calls=[call], usage_metadata=usage, response_metadata={"model_name": "m"}
        ),
        ToolMessage("14 °C", tool_call_id="call_1"),
        AIMessage("Ça va.", id="run-1"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "talk.json")
        save(messages, path)
        wrong_unless(path.is_file(), "nothing")
        loaded = load(path)
        save(messages[:1], path)
        again = load(path)
    returned(loaded)
    wrong_unless(
        isinstance(loaded, (list, tuple)) and all(isinstance(m, BaseMessage) for m in loaded),
        "type",
        got=type(loaded[0]).__name__
        if isinstance(loaded, (list, tuple)) and loaded
        else type(loaded).__name__,
    )
    wrong_unless(len(loaded) == len(messages), "count", got=len(loaded), expected=len(messages))
    wrong_unless(list(loaded) == messages, "lossy")
    wrong_unless(list(again) == messages[:1], "again")
