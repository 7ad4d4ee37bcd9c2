"""The cheat sheet: every snippet runs alone, in each language, and the command prints it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.output_parsers import StrOutputParser

from helpers import cli as command_line
from helpers import i18n
from helpers.authoring import snippet
from helpers.authoring.snippet import snippets
from helpers.authoring.source import lesson_paths, read_lesson
from helpers.backend.choice import OPENAI_DEFAULT_MODEL
from helpers.backend.settings import READ, TRACING
from helpers.builtin import MODEL
from helpers.builtin.server import serve
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT, CourseError
from tests.authoring import alone

PACKAGES = ("langchain-core", "langchain-openai")
MOST_LINES = 12
SKELETONS = ("own-model", "own-stream", "own-async")


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """The environment of somebody with a key, at whose address the built-in model answers."""
    server = serve(0)
    with pytest.MonkeyPatch.context() as patch:
        for name in [*READ, *TRACING, "PYTHONPATH", "NO_PROXY", "no_proxy"]:
            patch.delenv(name, raising=False)
        patch.setenv("OPENAI_API_KEY", "a-key")
        patch.setenv("OPENAI_BASE_URL", server.url)
        # Tools reach a model of OpenAI's by another protocol, which the built-in one does not speak.
        patch.setenv("OPENAI_MODEL", MODEL)
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("PYTHONUTF8", "1")
        yield dict(os.environ)
    server.close()


def written(folder: Path, lang: str) -> Path:
    """Write the sheet's snippets to files; return the folder."""
    for name, one in snippets(lang).items():
        snippet.write(snippet.program(one), folder / f"{name}.py")
    return folder


def test_every_snippet_runs_alone(tmp_path: Path, environment: dict[str, str]) -> None:
    """In French, whose quotation marks and accents are the hardest: the programs are the same in all.

    Whether each is right in its page, with its own strings, is what nbmake's run of the page says.
    """
    lang = "fr"
    command = [sys.executable, "-I", alone.__file__, str(written(tmp_path, lang))]
    done = subprocess.run(
        [*command, *PACKAGES], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )
    codes = json.loads(done.stdout)
    assert set(codes) == set(snippets(lang))
    for name, code in codes.items():
        said, complained = (
            (tmp_path / f"{name}{ending}").read_text("utf-8") for ending in (".out", ".err")
        )
        assert (code, complained) == (0, ""), f"{name}: {complained}"
        assert said.strip(), f"{name} prints nothing"


def test_a_program_alone_has_nothing_but_its_packages(tmp_path: Path) -> None:
    for module in ("helpers", "IPython", "openai", "langchain_core", "json"):
        (tmp_path / f"{module}_.py").write_text(f"import {module}", encoding="utf-8")
    command = [sys.executable, "-I", alone.__file__, str(tmp_path), *PACKAGES]
    codes = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    assert codes == {"helpers_": 1, "IPython_": 1, "openai_": 0, "langchain_core_": 0, "json_": 0}


@pytest.mark.parametrize("lang", LANGUAGES)
def test_snippets_are_short_named_once_and_in_the_order_of_the_lessons(lang: str) -> None:
    sheet = read_lesson(*lesson_paths(["17"]))
    names = [cell.id for cell in sheet.cells if "standalone" in cell.tags]
    assert len(names) >= 15 and list(snippets(lang)) == names == list(dict.fromkeys(names))
    prose = {cell.id: cell for cell in sheet.cells if cell.kind == "markdown"}
    lessons = []
    for name, one in snippets(lang).items():
        assert len(list(filter(str.strip, one.code.splitlines()))) <= MOST_LINES, name
        heading, empty, when = prose[f"{name}-when"].source(lang).splitlines()[-3:]
        assert (heading, empty) == (f"### `{name}`", ""), name
        link = re.search(r"[(（]\[\D*(\d\d)\D*\]\((\d\d)-[\w-]+\.ipynb\)[)）]$", when)
        assert link and link[1] == link[2], f"{name} does not end with its lesson's link"
        lessons.append(link[1])
    assert lessons == sorted(lessons)


def test_the_model_that_snippets_name_is_the_courses_own() -> None:
    for name, one in snippets("en").items():
        assert ("ChatOpenAI(" in one.code) is ("gpt-" in one.code), name
        for default in re.findall(r'getenv\("OPENAI_MODEL", "(.*?)"\)', one.code):
            assert default == OPENAI_DEFAULT_MODEL, name


async def in_every_way(model: BaseChatModel) -> list[str]:
    """Return what the model answers to "abra", called in every style of the sheet."""
    heard = "abra"
    said: list[str] = [model.invoke(heard).text, (await model.ainvoke(heard)).text]
    said += [message.text for message in model.batch([heard] * 2)]
    said += [message.text for message in await model.abatch([heard] * 2)]
    said += [message.text for _, message in model.batch_as_completed([heard])]
    said += [message.text async for _, message in model.abatch_as_completed([heard])]
    said.append("".join(chunk.text for chunk in model.stream(heard)))
    said.append("".join([chunk.text async for chunk in model.astream(heard)]))
    said.append((model | StrOutputParser()).invoke(heard))
    events = [event async for event in model.astream_events(heard)]
    return [*said, events[-1]["data"]["output"].text]


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("name", SKELETONS)
async def test_a_model_typed_in_from_the_page_has_every_call(name: str, lang: str) -> None:
    """The class as the page prints it, and a class derived from it with a name of its own."""
    typed, _, _ = snippets(lang)[name].code.partition("\n\n\nprint(")
    own: dict[str, Any] = {"__name__": "typed"}
    exec(typed, own)

    ChatEcho: Any = own["ChatEcho"]

    class ChatMine(ChatEcho):  # type: ignore[misc]
        answers: int = 0

    for model in (ChatEcho(), ChatMine(answers=1)):
        assert set(await in_every_way(model)) == {"abra"}
        assert model._llm_type == "echo"


def test_what_lesson_14_mended_stays_mended_in_the_skeletons() -> None:
    own: dict[str, Any] = {}
    for name in ("own-model", "own-stream"):
        exec(snippets("en")[name].code.partition("\n\n\nprint(")[0], own)
        model = own["ChatEcho"]()
        total: Any = None
        for chunk in model.stream("abra"):
            total = chunk if total is None else total + chunk
        for answer in (model.invoke("abra"), total):
            assert answer.response_metadata["model_name"] == "echo-1", name
    assert [chunk.chunk_position for chunk in model.stream("ab")] == [None, None, "last"]
    assert model.invoke("").text == ""


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_command_prints_a_program_that_runs(lang: str, environment: dict[str, str]) -> None:
    """Without the environment, into a file, whatever the console's code page is."""
    command = [sys.executable, "-S", "-m", "helpers", "snippet", "stream", "--lang", lang]
    old = {**environment, "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    printed = subprocess.run(command, cwd=ROOT, env=old, stdout=subprocess.PIPE, check=True).stdout
    one = snippets(lang)["stream"]
    assert printed.decode("utf-8") == f"# {one.when}\n{one.code}\n" and b"\r" not in printed
    done = subprocess.run(
        [sys.executable, "-I", "-"], input=printed, env=environment, stdout=subprocess.PIPE
    )
    assert done.returncode == 0 and b"AIMessageChunk" in done.stdout


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_list_says_when_to_use_each(lang: str) -> None:
    i18n.use(lang)
    lines = snippet.table(snippets(lang)).splitlines()
    for line, (name, one) in zip(lines, snippets(lang).items(), strict=False):
        assert line.split(maxsplit=1) == [name, one.when]
        assert not re.search(r"[`\]]|ipynb", line) and len(one.when) > 8
    assert "snippet message-types new.py" in lines[-1]


@pytest.mark.parametrize(
    ("asked", "near"),
    [("strem", "stream"), ("Stream", "stream"), ("retry", "with-retry"), ("zzz", None)],
)
def test_an_unknown_name_says_what_comes_near(asked: str, near: str | None) -> None:
    for lang in LANGUAGES:
        i18n.use(lang)
        with pytest.raises(CourseError, match=asked) as raised:
            snippet.choose(asked, lang)
        said = str(raised.value)
        assert "helpers snippet" in said
        assert ("?" in said or "？" in said) is (near is not None)
        assert near is None or near in said


def test_an_incomplete_copy_says_so(tmp_path: Path) -> None:
    with pytest.raises(CourseError, match=r"17-cheat-sheet\.ipynb"):
        snippets("fr", tmp_path)


def test_what_is_piped_is_utf_8_with_plain_line_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where a redirected stream has a code page and writes \\r\\n."""
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, "cp1252", newline="\r\n"))
    command_line.main(["snippet", "stream", "--lang", "zh"])
    sys.stdout.flush()
    assert "为什么" in buffer.getvalue().decode("utf-8") and b"\r" not in buffer.getvalue()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_snippet_is_written_to_a_new_file_and_to_no_other(lang: str, tmp_path: Path) -> None:
    i18n.use(lang)
    new, there = tmp_path / "new.py", tmp_path / "there.py"
    there.write_text("mine", encoding="utf-8")
    one = snippets(lang)["stream"]
    program = snippet.program(one)
    assert snippet.write(program, new) == i18n._("Written: {path}").format(path=new)
    assert new.read_bytes().decode("utf-8") == program == f"# {one.when}\n{one.code}\n"
    with pytest.raises(CourseError, match=i18n._("it is there already")):
        snippet.write(program, there)
    assert there.read_text(encoding="utf-8") == "mine"
    with pytest.raises(CourseError, match="nowhere"):
        snippet.write(program, tmp_path / "nowhere" / "new.py")
    assert not (tmp_path / "nowhere").exists()
