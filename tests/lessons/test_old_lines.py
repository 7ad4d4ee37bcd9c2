"""The tables of lessons 09 and 17 tell the truth: what old lines do now, and that today's lines work.

The lines run in an interpreter of their own, because many deprecation warnings come once only:
`python -m tests.lessons.test_old_lines` prints what each line did, as JSON.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import json
import re
import subprocess
import sys
import warnings
from typing import Any

import pytest

from helpers.authoring import builder
from helpers.authoring.source import Cell
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT

PREPARED = """
import os
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import PromptTemplate
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_openai import ChatOpenAI, OpenAI

key = os.environ["OPENAI_API_KEY"]
chat = ChatOpenAI(model=MODEL)
question, country = "What is the capital of France?", "France"
greeting = [HumanMessage("Hello!")]
messages = [SystemMessage("Answer in one word."), HumanMessage(question)]
history = [HumanMessage("My name is Ada.")]
answer = asked = chat.invoke(messages)
result = chat.generate([messages])
prompt = PromptTemplate.from_template("What is the capital of {country}?")
value = prompt.invoke({"country": country})
chain = prompt | chat | StrOutputParser()

def session(session_id):
    raise NotImplementedError
"""


@functools.cache
def tables() -> dict[str, Cell]:
    """Return the tables: lesson's number -> cell."""
    _, chosen = builder.read_course(["09", "17"])
    found = {les.number: cell for les in chosen for cell in les.cells if cell.id == "table"}
    assert len(found) == 2
    return found


def rows(lang: str, lessons: tuple[str, ...] = ("09", "17")) -> list[tuple[str, str, str]]:
    """Return the tables' lines: the old one, the exception or warning it gives or "", today's."""
    found = []
    for line in [line for number in lessons for line in tables()[number].text[lang].splitlines()]:
        columns = re.split(r"(?<!\\)\|", line)[1:-1]
        codes = [re.findall("`([^`]+)`", column) for column in columns]
        if len(columns) == 3 and codes[0]:
            old, now, today = [(code or [""])[0].replace(r"\|", "|") for code in codes]
            found.append((old, now, today))
    return list(dict.fromkeys(found))


async def outcome(line: str, names: dict[str, Any]) -> str:
    """Run a line; return the name of the exception or of the first warning, "" where all is well."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DeprecationWarning)
        try:
            try:
                code = compile(line, "<line>", "eval", flags)
            except SyntaxError:  # an import or an assignment
                code = compile(line, "<line>", "exec", flags)
            value = eval(code, names)
            if inspect.iscoroutine(value):
                value = await value
            if inspect.isasyncgen(value):
                async for _ in value:
                    pass
        except Exception as error:
            return type(error).__name__
    return caught[0].category.__name__ if caught else ""


async def outcomes() -> list[tuple[str, str]]:
    """Return for each line of the tables what the old and today's code did."""
    import helpers

    names: dict[str, Any] = {"MODEL": helpers.start("en")}
    exec(PREPARED, names)
    # Today's line first: an old one may warn only the first time, whoever calls.
    return [
        (await outcome(today, {**names}), await outcome(old, {**names}))
        for old, _, today in rows("en")
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_tables_are_the_same_in_all_languages(lang: str) -> None:
    assert len(rows(lang)) >= 25 and len(rows(lang, ("17",))) >= 15
    assert rows(lang) == rows("en")


def test_each_line_of_the_tables_does_what_its_table_says() -> None:
    command = [sys.executable, "-m", "tests.lessons.test_old_lines"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    reported = json.loads(done.stdout.splitlines()[-1])
    for (old, now, today), (did_today, did_old) in zip(rows("en"), reported, strict=True):
        assert did_today == "", f"{today}: {did_today}"
        assert did_old == now, f"{old}: {did_old}, and the table says {now or 'it works'}"


@pytest.mark.parametrize(("old", "stopped"), [("text", False), ("dict", True)])
def test_pythons_own_option_does_nothing_for_langchains_warnings(old: str, stopped: bool) -> None:
    code = f"from langchain_core.messages import AIMessage\nAIMessage('Paris').{old}()"
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert bool(done.returncode) == stopped, done.stderr


if __name__ == "__main__":
    print(json.dumps(asyncio.run(outcomes())))
