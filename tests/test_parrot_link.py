"""x"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests

from helpers.parrot_link import ChatParrotLink
from tests.test_langchain_suite import local_file


@pytest.fixture(scope="module", autouse=True)
def nothing_is_fetched() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANGSMITH_TRACING_V2", "false")
        patch.setenv("LANGCHAIN_TESTS_USER_AGENT", "nothing is fetched")
        patch.setattr(httpx, "get", local_file)
        yield


class Capabilities:
    has_tool_calling = False
    has_structured_output = False
    supports_image_inputs = True
    supports_image_urls = True
    supports_pdf_inputs = True
    supports_audio_inputs = True
    supports_model_override = True
    model_override_value = "another-parrot"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatParrotLink

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "parrot-1", "parrot_buffer_length": 50}

class TestUnits(Capabilities, ChatModelUnitTests):
    pass

class TestIntegration(Capabilities, ChatModelIntegrationTests):
    pass
