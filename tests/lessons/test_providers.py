"""What lesson 10 says of the six providers, held against their packages.

The course does not depend on those packages. They have an environment of their own, which
CONTRIBUTING.md tells how to make; tests/lessons/providers/probe.py does the measuring in it.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from helpers import i18n
from helpers.authoring.source import Lesson, lesson_paths, read_lesson
from helpers.backend.saving import WIDGET_VIEW
from helpers.i18n import LANGUAGES
from helpers.setup.processes import python_of
from helpers.views import Providers, providers

FOLDER = Path(__file__).with_name("providers")
PROVIDERS = providers.load()
EACH = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider["id"])
SHARED = {
    "model",
    "temperature",
    "max_tokens",
    "stop",
    "timeout",
    "max_retries",
    "api_key",
    "base_url",
}
PRINTED = """\
invoke: Hello there.
blocks: [{'type': 'text', 'text': 'Hello there.'}]
tokens: 7
stream: Hello| there.
batch:  ['Hello there.', 'Hello there.']
ainvoke: Hello there.
events:  on_chat_model_start ... on_chat_model_end
chain:   Hello there.
"""


def lesson() -> Lesson:
    return read_lesson(lesson_paths(["10"])[0])


def cell(name: str, lang: str = "en") -> str:
    """Return the code or prose of one of the lesson's cells."""
    (found,) = [cell for cell in lesson().cells if cell.id == name]
    return found.source(lang)


def definition(name: str, function: str) -> str:
    """Return the code of a function that one of the lesson's cells defines, with its imports."""
    wanted = [
        ast.unparse(part)
        for part in ast.parse(cell(name)).body
        if isinstance(part, ast.ImportFrom) or getattr(part, "name", "") == function
    ]
    return "\n".join(wanted)


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """Run the probe once, and return what it measured."""
    python = python_of(FOLDER / ".venv")
    if not python.exists():
        reason = f"needs the providers' packages in {FOLDER / '.venv'}; see CONTRIBUTING.md"
        # Where everything is to be tested, a test that is skipped would go unnoticed.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    given = {
        "providers": [{**p, "code": "\n".join(providers.code(p))} for p in PROVIDERS],
        "functions": 'question = "Hello!"\n'
        + definition("tour", "tour")
        + "\n"
        + definition("tour-async", "tour_async"),
    }
    ran = subprocess.run(
        [str(python), str(FOLDER / "probe.py")],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


@pytest.fixture
def of(measured: dict[str, Any], provider: dict[str, str]) -> dict[str, Any]:
    """Return what was measured of one provider."""
    found: dict[str, Any] = measured["providers"][provider["id"]]
    return found


@EACH
def test_the_code_of_the_tab_makes_the_class(provider: dict[str, str], of: dict[str, Any]) -> None:
    assert of["made"] == of["init_chat_model"] == provider["class"]
    assert of["key_travels"], "the key was not read from this variable"
    assert of["listed"], f"{provider['model']} is not, or no more, in the package's list of models"


@EACH
def test_the_spelling_of_the_tab_sets_the_same_field(
    provider: dict[str, str], of: dict[str, Any], measured: dict[str, Any]
) -> None:
    spellings, own, common = of["spellings"], provider["own"], provider["common"]
    if common in spellings:
        assert own != common and spellings[own] == spellings[common]
    else:  # what others call seed; Mistral's class does not take that name at all
        assert own in spellings and own.endswith(common)
        assert common in measured["providers"]["openai"]["spellings"]


@EACH
def test_why_an_answer_ended(
    provider: dict[str, str], of: dict[str, Any], measured: dict[str, Any]
) -> None:
    for meaning in ("done", "cut", "tools"):
        assert of[meaning][provider["reason"]] == provider[meaning]
        assert provider[meaning] in measured["declared"].get(provider["id"], [provider[meaning]])
    other = {"finish_reason", "stop_reason"} - {provider["reason"]}
    assert not other & set(of["cut"])


@EACH
def test_all_take_the_shared_parameters(provider: dict[str, str], of: dict[str, Any]) -> None:
    assert set(of["spellings"]) >= SHARED
    assert of["shared_refused"] == "", "neither refused nor warned about"
    sent = json.dumps(of["sent"])
    assert '"x"' in sent and "0.5" in sent and re.search(r'okens": 7\b', sent, re.IGNORECASE)
    said = cell("providers-result").partition("##")[2]
    assert set(re.findall(r"`(\w+)`", said)) >= SHARED


@EACH
def test_the_same_two_functions_run(provider: dict[str, str], of: dict[str, Any]) -> None:
    assert of["tour"] == PRINTED
    usage = {name: of["usage"][name] for name in ("input_tokens", "output_tokens", "total_tokens")}
    assert usage == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    (call,) = of["tool_calls"]
    assert (call["name"], call["args"], call["type"]) == ("weather", {"city": "Paris"}, "tool_call")


def test_the_packages_of_the_tabs_are_pinned_and_no_index_is_named() -> None:
    text = (FOLDER / "requirements.txt").read_text("utf-8")
    pinned = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
    assert {"langchain", *(provider["package"] for provider in PROVIDERS)} <= pinned
    assert "://" not in text


def those(measured: dict[str, Any], fact: str) -> set[str]:
    """Return the providers of which `fact` is true, or not empty."""
    return {name for name, found in measured["providers"].items() if found[fact]}


def test_what_the_prose_says_of_single_providers(measured: dict[str, Any]) -> None:
    everyone = {provider["id"] for provider in PROVIDERS}
    found = measured["providers"]
    assert those(measured, "call_max_tokens") == {"google_genai"}
    assert found["google_genai"]["call_max_tokens"].startswith("ValidationError")
    assert found["google_genai"]["call_max_output_tokens"] == ""
    assert those(measured, "call_stop") == set()
    assert those(measured, "without_model") == {"anthropic", "fireworks", "google_genai"}
    assert {name for name in everyone if found[name]["temperature"] is not None} == {
        "google_genai",
        "mistralai",
    }
    assert found["google_genai"]["temperature"] == found["mistralai"]["temperature"] == 0.7
    assert "max_tokens" in found["anthropic"]["sent_unset"]
    assert those(measured, "openai_key_travels") == {"openai", "together"}
    assert found["openai"]["sent"]["max_completion_tokens"] == 7
    assert not found["openai"]["thought_kept"]
    assert found["openai"]["path_with_tools"].endswith("/responses")
    limited = {name for name in everyone if "ModelRateLimitError" in found[name]["rate_limited"]}
    assert limited == everyone - {"mistralai"}
    assert measured["mistral_thought"] == {"type": "reasoning", "reasoning": "2 + 2"}
    assert "google_vertexai" in measured["gemini_guessed"]


def test_the_lessons_list_of_endings_is_that_of_the_tabs() -> None:
    names: dict[str, Any] = {}
    exec(cell("endings"), names)
    assert names["endings"] == {
        p["name"]: (p["reason"], p["done"], p["cut"], p["tools"]) for p in PROVIDERS
    }
    for lang in LANGUAGES:
        assert all(f"`{p['id']}`" in cell("init", lang) for p in PROVIDERS)


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    i18n.use(request.param)
    yield request.param


def test_live_it_is_a_tab_for_each_and_saved_it_is_a_table_of_all(lang: str) -> None:
    tabs, bundle = Providers().tabs(), Providers()._repr_mimebundle_()
    assert WIDGET_VIEW in bundle
    assert list(tabs.titles) == [provider["name"] for provider in PROVIDERS]
    table = MarkdownIt("commonmark").enable("table").render(bundle["text/markdown"])
    assert table.count("<tr>") == 1 + len(PROVIDERS)
    assert len(set(re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL))) == 1 + len(PROVIDERS)
    for provider, tab in zip(PROVIDERS, tabs.children, strict=True):
        for fact in (provider["package"], provider["key"], provider["own"], provider["common"]):
            assert fact in tab.value and fact in table
        assert provider["class"] in tab.value and f"<td>{provider['name']}</td>" in table
        assert '<code class="language-python">' in tab.value
    assert bundle["text/plain"] == bundle["text/markdown"] == repr(Providers())
