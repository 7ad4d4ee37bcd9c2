"""The built-in model without a socket: the pages are the same, without what no browser has."""

from __future__ import annotations

import asyncio
import copy

import httpx2
import nbformat
import pytest
from nbclient import NotebookClient

from helpers.backend import without_real_model
from helpers.builtin import faults, inprocess
from helpers.setup import ROOT
from tests.builtin.asking import COUNT
from tests.plugin import page_error

# First calls, streams, batches and threads, and what is filled into schemas.
LESSONS = ("en/02-messages", "zh/03-invoke", "fr/04-stream", "en/12-chains")
BEGIN = "import sys\nsys.modules['jsonschema_rs'] = None"  # which no browser has
# Each page begins as in a kernel of its own, and so says what the first one says.
ANEW = "from helpers.backend import choice\nchoice._server = None"
END = """
import os
from helpers.builtin import fill
print(os.environ["OPENAI_BASE_URL"], "helpers.builtin.server" in sys.modules)
print(fill.compact(fill.fill({SCHEMA}, "Ada is 36, likes tea and lives in 'Paris'.")))
"""
SCHEMA = {
    "type": "object",
    "$defs": {"Age": {"type": "integer", "minimum": 18}},
    "properties": {
        "town": {"type": "string"},
        "age": {"$ref": "#/$defs/Age"},
        "drink": {"enum": ["coffee", "tea"]},
        "notes": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "number"}}]},
        "kind": {"const": "person"},
    },
    "required": ["town", "age", "drink", "notes", "kind"],
}
FILLED = '{"town":"Paris","age":36,"drink":"tea","notes":[1],"kind":"person"}'


def test_pages_are_the_same() -> None:
    folder = ROOT / "notebooks"
    committed = [nbformat.read(folder / f"{name}.ipynb", as_version=4) for name in LESSONS]
    for name, page in zip(LESSONS, committed, strict=True):
        page.cells = [cell for cell in page.cells if cell.cell_type == "code"]
        for cell in page.cells:
            cell.id = f"{name[3:5]}-{cell.id}"[:64]
    pages = copy.deepcopy(committed)
    first, last = map(nbformat.v4.new_code_cell, (BEGIN, END.replace("{SCHEMA}", repr(SCHEMA))))
    anew = [nbformat.v4.new_code_cell(ANEW) for _page in pages]
    runs = [[before, *page.cells] for before, page in zip(anew, pages, strict=True)]
    cells = [first, *(cell for run in runs for cell in run), last]
    one = nbformat.v4.new_notebook(cells=cells, metadata=pages[0].metadata)
    resources = {"metadata": {"path": str(folder / "en")}}
    client = NotebookClient(one, resources=resources, coalesce_streams=True, record_timing=False)
    client.execute(env={**without_real_model(), "COURSE_IN_PROCESS": "1"})
    assert last.outputs[0].text == f"http://built-in.invalid/v1 False\n{FILLED}\n"
    for name, before, after in zip(LESSONS, committed, pages, strict=True):
        error = page_error(before, after)
        assert error is None, f"{name}: {error and error.trace}"


@pytest.fixture
def running() -> inprocess.Server:
    return inprocess.serve(pace=0)


BODY = {"model": "built-in", "messages": [{"role": "user", "content": COUNT}], "stream": True}


async def asked(url: str, timeout: float) -> str:
    async with httpx2.AsyncClient(timeout=timeout) as client:
        return (await client.post(f"{url}/chat/completions", json=BODY)).text


def ask(url: str, way: str, timeout: float = 5) -> str:
    """Return the text of a stream, of a client that waits `timeout` seconds for each piece."""
    if way == "async":
        return asyncio.run(asked(url, timeout))
    return httpx2.post(f"{url}/chat/completions", json=BODY, timeout=timeout).text


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize(
    ("fault", "error", "calls"),
    [
        (faults.Fault("refused"), httpx2.ConnectError, "0 calls"),
        (faults.Fault("reset"), httpx2.ReadError, "1 call: reset"),
        (faults.Fault("cut", after=3), httpx2.RemoteProtocolError, "1 call: cut"),
        (faults.Fault("slow", seconds=30), httpx2.ReadTimeout, "1 call: gone"),
        (faults.Fault("stall", seconds=30, after=3), httpx2.ReadTimeout, "1 call: gone"),
    ],
)
def test_faults_are_httpx2s_own_errors(
    running: inprocess.Server, fault: faults.Fault, error: type[Exception], calls: str, way: str
) -> None:
    with running.provoke(fault, None, None) as counted, pytest.raises(error):
        ask(running.url, way, timeout=0.05)
    assert str(counted) == calls
    assert '"1"' in ask(running.url, way)


@pytest.mark.parametrize("way", ["sync", "async"])
def test_what_goes_elsewhere_goes_there(running: inprocess.Server, url: str, way: str) -> None:
    assert ask(url, way) == ask(running.url, way)
    running.refuse()
    assert ask(url, way).endswith("data: [DONE]\n\n")


def test_a_stream_that_is_left_ends(running: inprocess.Server) -> None:
    running.pace = 1000
    with running.provoke(faults.NONE, None, None) as calls, httpx2.Client() as client:
        with client.stream("POST", f"{running.url}/chat/completions", json=BODY) as response:
            next(response.iter_bytes())
        assert str(calls) == "1 call: gone"
