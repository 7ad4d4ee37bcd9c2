"""LangChain's own test suite, run on ChatOpenAI against the built-in model."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from helpers.builtin import MODEL

# The smallest files of their kind, in place of those that the suite fetches from the internet.
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
FILES = {".png": PNG, ".jpg": PNG, ".pdf": b"%PDF-1.4\n%%EOF\n", ".wav": b"RIFF\x24\0\0\0WAVEfmt "}


class Capabilities:
    """All that the chat-completions interface has."""

    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_audio_inputs = True
    supports_anthropic_inputs = True
    supports_json_mode = True
    structured_output_kwargs: dict[str, Any] = {}

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatOpenAI


@pytest.fixture(scope="module", autouse=True)
def on_the_built_in_model(url: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nothing is fetched")
        patch.setattr(httpx, "get", local_file)
        yield


def local_file(url: str, **options: Any) -> httpx.Response:
    content = next(content for end, content in FILES.items() if url.endswith(end))
    return httpx.Response(200, content=content, request=httpx.Request("GET", url))


class TestUnits(Capabilities, ChatModelUnitTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        given = {
            "OPENAI_API_KEY": "a-key",
            "OPENAI_ORG_ID": "an-organization",
            "OPENAI_API_BASE": "http://127.0.0.1/v1",
            "OPENAI_PROXY": "http://127.0.0.1:9",
        }
        expected = {
            "openai_api_key": "a-key",
            "openai_organization": "an-organization",
            "openai_api_base": "http://127.0.0.1/v1",
            "openai_proxy": "http://127.0.0.1:9",
        }
        return given, {"model": MODEL}, expected

    @pytest.mark.xfail(reason="compares with a file in LangChain's own repository", strict=True)
    def test_serdes(self, model: BaseChatModel, snapshot: Any) -> None:
        super().test_serdes(model, snapshot)


class TestIntegration(Capabilities, ChatModelIntegrationTests):
    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": MODEL, "stream_usage": True}

    @property
    def model_override_value(self) -> str:
        return "big"


# Why the suite skips what it skips.
SKIPPED = {
    "Model does not support image tool message.": "a tool's result is text in chat completions",
    "Model does not support PDF tool message.": "a tool's result is text in chat completions",
    "VCR not set up.": "the built-in model answers itself, so there is nothing to record",
}


class Reports:
    """A plugin of pytest's that keeps what became of each test."""

    def __init__(self) -> None:
        self.passed = 0
        self.skipped: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.passed += report.when == "call" and report.passed
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped.add(report.longrepr[2].removeprefix("Skipped: "))


def test_the_suite_skips_only_what_the_interface_lacks(url: str) -> None:
    reports = Reports()
    classes = [f"{__file__}::{name}" for name in ("TestUnits", "TestIntegration")]
    options = ["-q", "-n", "0", "-p", "no:cacheprovider"]
    assert pytest.main([*options, *classes], plugins=[reports]) == pytest.ExitCode.OK
    assert reports.skipped == set(SKIPPED)
    assert reports.passed >= 50
