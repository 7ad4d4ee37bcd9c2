"""A key in `.env` gets into no output, log, traceback or progress file, whatever fault is on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from helpers import backend
from helpers.backend import settings
from helpers.builtin import server
from helpers.builtin.faults import ERRORS, Call, Fault
from helpers.exercises import progress
from helpers.setup import ROOT
from tests import needs
from tests.pages import LESSONS, page

KEY = "sk-canary-3e8d07aa51"
KINDS = [
    Fault("none"),
    Fault("none"),
    *map(Fault, ERRORS),
    Fault("rate_limit", retry_after=0.01),
    Fault("slow", 0.01),
    Fault("stall", 0.01, 2),
    Fault("reset"),
    Fault("cut", after=2),
    Fault("malformed", after=-1),
    Fault("wrong_format"),
]
# The lessons that call in a way of their own, handle the key, or show what a trace or an exception
# holds; and one of them whose service is gone: where nobody takes a call, it fails alike everywhere.
CALLS = ("00", "03", "04", "06", "07", "08", "10", "11")
GONE = ("11",)
EACH = [
    pytest.param(lesson, gone, id=f"{lesson}-{'refused' if gone else 'faults'}")
    for gone, numbers in ((False, CALLS), (True, GONE))
    for lesson in LESSONS
    if lesson[:2] in numbers
]
# No waiting between two tries, and whatever the client has to say.
FIRST = """
import logging
from openai._base_client import BaseClient
BaseClient._calculate_retry_timeout = lambda *arguments: 0
logging.basicConfig(level=0, force=True)
"""
LAST = """
import traceback
from langchain_openai import ChatOpenAI
for number in range(15):
    chat = ChatOpenAI(model="big", max_retries=0)
    print(repr(chat), chat.model_dump_json(), chat.get_lc_namespace())
    try:
        print(repr(chat.invoke("Hello!")), [repr(chunk) for chunk in chat.stream("Hello!")])
    except Exception:
        traceback.print_exc()
"""


class EachInTurn:
    """In place of faults.Calls: the first call meets the first fault, the second the next."""

    ways = ()

    def __init__(self) -> None:
        self.faults = itertools.cycle(KINDS)

    def arrive(self, body: bytes) -> Call:
        return Call(next(self.faults))


@pytest.fixture
def failing() -> Iterator[server.Server]:
    started = server.serve(pace=0)
    started.calls = EachInTurn()  # type: ignore[assignment]
    yield started
    started.close()


@pytest.mark.parametrize(("lesson", "gone"), EACH)
def test_the_key_is_nowhere(
    lesson: str,
    gone: bool,
    failing: server.Server,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    notebook = page(lesson, "en")
    needs.needed_by_page(notebook)
    env_file = tmp_path / ".env"
    env_file.write_text(
        f"OPENAI_API_KEY={KEY}\nOPENAI_BASE_URL={failing.url}\nOPENAI_MODEL=big\n"
        f"LANGSMITH_API_KEY={KEY}\n",
        encoding="utf-8",
    )
    environment = {
        **backend.without_real_model(),
        settings.ENV_FILE_VARIABLE: str(env_file),
        progress.FOLDER_VARIABLE: str(tmp_path / "progress"),
    }
    if gone:
        failing.close()
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if cell.cell_type == "code":
            cell.outputs = []
    notebook.cells = [new_code_cell(FIRST), *notebook.cells, new_code_cell(LAST)]
    NotebookClient(
        notebook,
        allow_errors=True,
        timeout=100,
        resources={"metadata": {"path": ROOT / "notebooks" / "en"}},
    ).execute(env=environment)
    outputs = nbformat.writes(notebook)
    built_in = "this lesson asks for it" in outputs  # then the failing service is not asked
    assert built_in or "at 127.0.0.1" in outputs
    assert "DEBUG:openai" in outputs, "the log is on the page"
    failed = "APIConnectionError" in outputs or "OpenAIConnectionError" in outputs
    assert failed or built_in
    assert KEY not in outputs and KEY[3:] not in outputs
    assert KEY not in "".join(capfd.readouterr())
    kept = [file.read_text(encoding="utf-8") for file in (tmp_path / "progress").rglob("*.*")]
    assert all(KEY not in text for text in kept)
