"""What several test modules need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from helpers import i18n
from helpers.builtin import server


@pytest.fixture(autouse=True)
def english() -> None:
    """Begin each test in English, whatever language the one before it spoke."""
    i18n.use("en")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The address of a built-in model that does not wait, which ChatOpenAI and openai turn to."""
    started = server.serve(pace=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", started.url)
        patch.setenv("OPENAI_API_KEY", "no-key-needed")
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("LANGSMITH_TRACING_V2", "false")
        yield started.url
    started.close()
