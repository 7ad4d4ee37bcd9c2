"""Tests of helpers.authoring.stable: what only one run knew is gone, what a cell printed is there."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from helpers.authoring import stable
from helpers.backend import saving
from helpers.backend.saving import WIDGET_VIEW
from helpers.backend.settings import ENV_FILE_VARIABLE


def notebook(*outputs: Any, tags: list[str] | None = None) -> Any:
    cell = new_code_cell("1", id="one", outputs=list(outputs), metadata={"tags": tags or []})
    return new_notebook(cells=[cell])


def stabilized(*outputs: Any, tags: list[str] | None = None) -> list[Any]:
    page = notebook(*outputs, tags=tags)
    saving.stabilize(page)
    found: list[Any] = page.cells[0].outputs
    return found


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("<object at 0x7f63340eba90>", "<object at 0x0>"),
        ('File "/tmp/ipykernel_1234/567.py", line 1', 'File "<cell>", line 1'),
        (r"C:\Temp\ipykernel_12\34.py", "<cell>"),
        ("lc_run--01a1fcc6-4dfd-725a-ae23-b8fa6fbc62a9-0", f"lc_run--{'0' * 8}-0000-0000-0000-{'0' * 12}-0"),
        ("0xff is a colour, 2026-11-21 a day", "0xff is a colour, 2026-11-21 a day"),
    ],
)  # fmt: skip
def test_scrub(printed: str, kept: str) -> None:
    assert saving.scrub(printed) == kept
    (stream,) = stabilized(new_output("stream", name="stdout", text=printed))
    assert stream.text == kept
    (result,) = stabilized(new_output("execute_result", data={"text/plain": printed}))
    assert result.data["text/plain"] == kept


def test_metadata_of_one_run_goes_and_tags_stay() -> None:
    page = notebook(tags=["varies"])
    page.metadata = nbformat.from_dict(
        {"widgets": {"state": 1}, "language_info": {"version": "3.9"}}
    )
    page.cells[0].metadata["execution"] = {"iopub.status.busy": "2026-11-21T06:00:00Z"}
    saving.stabilize(page)
    assert set(page.metadata) == {"kernelspec", "language_info"}
    assert "version" not in page.metadata.language_info
    assert page.cells[0].metadata == {"tags": ["varies"]}
    nbformat.validate(page)


def test_a_widget_without_a_picture_leaves_nothing_and_one_with_a_picture_leaves_it() -> None:
    bare = new_output("display_data", data={WIDGET_VIEW: {"model_id": "1"}, "text/plain": "VBox()"})
    drawn = new_output(
        "display_data", data={WIDGET_VIEW: {"model_id": "1"}, "image/svg+xml": "<svg/>"}
    )
    (kept,) = stabilized(bare, drawn)
    assert kept.data == {"image/svg+xml": "<svg/>"}


def test_a_wanted_traceback_keeps_its_last_line_and_another_stays_whole() -> None:
    error = new_output("error", ename="KeyError", evalue="'a'", traceback=["long", "KeyError: 'a'"])
    assert stabilized(copy.deepcopy(error), tags=["raises-exception"])[0].traceback == [
        "KeyError: 'a'"
    ]
    assert stabilized(copy.deepcopy(error))[0].traceback == ["long", "KeyError: 'a'"]


def test_pieces_of_a_stream_are_joined_and_other_streams_kept_apart() -> None:
    pieces = [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")]
    outputs = stabilized(*(new_output("stream", name=name, text=text) for name, text in pieces))
    assert [(out.name, out.text) for out in outputs] == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]


def test_stabilizing_twice_changes_nothing() -> None:
    page = notebook(new_output("stream", name="stdout", text="at 0x7f63340eba90"))
    saving.stabilize(page)
    once = saving.dumps(page)
    saving.stabilize(page)
    assert saving.dumps(page) == once
    assert once.endswith("}\n") and not once.endswith("\n\n")


def test_the_save_hook_stabilizes_notebooks_and_leaves_files_alone() -> None:
    page = notebook(new_output("stream", name="stdout", text="at 0x7f63340eba90"))
    model: dict[str, Any] = {"type": "notebook", "content": dict(page)}
    saving.before_save(model, path="x.ipynb", contents_manager=None)
    assert model["content"].cells[0].outputs[0].text == "at 0x0"
    text = {"type": "file", "content": "at 0x7f63340eba90"}
    saving.before_save(text)
    assert text["content"] == "at 0x7f63340eba90"


def test_a_key_that_a_learner_printed_does_not_reach_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "canary-7c1f4be0"
    another = "sk-proj-another-one-of-2026"
    env_file = tmp_path / ".env"
    env_file.write_text(f"OPENAI_API_KEY={key}\n", encoding="utf-8")
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(env_file))
    printed = new_output("stream", name="stdout", text=f"{key} and {another}")
    shown = new_output("execute_result", data={"text/plain": f"'{key}'"})
    raised = new_output("error", ename="E", evalue=key, traceback=["line", f"E: {key}"])
    model: dict[str, Any] = {"type": "notebook", "content": notebook(printed, shown, raised)}
    saving.before_save(model)
    written = saving.dumps(model["content"])
    assert key not in written and "another-one" not in written and written.count("***") == 5


def test_a_key_that_is_a_common_word_damages_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("OPENAI_API_KEY=display_data\n", encoding="utf-8")
    monkeypatch.setenv(ENV_FILE_VARIABLE, str(env_file))
    data = {"image/png": "aaaadisplay_data", "text/plain": "display_data"}
    model: dict[str, Any] = {
        "type": "notebook",
        "content": notebook(new_output("display_data", data=data)),
    }
    saving.before_save(model)
    (output,) = model["content"].cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data == {**data, "text/plain": "***"}
    nbformat.validate(model["content"])


def test_differences_see_words_always_and_digits_unless_the_cell_varies() -> None:
    def page(text: str, tags: list[str] | None = None) -> Any:
        return notebook(new_output("stream", name="stdout", text=text), tags=tags)

    assert stable.differences(page("1.25 s"), page("1.25 s")) == []
    assert [cell for cell, _ in stable.differences(page("1.25 s"), page("1.26 s"))] == ["one"]
    varies = ["varies"]
    assert stable.differences(page("1.25 s", varies), page("11.2 s", varies)) == []
    assert stable.differences(page("1.25 s", varies), page("1.25 min", varies)) != []


TABLE = """\
| network | before | after | time |
|-------|------|
| full | 0.02 | 0.97 | 21 s |
| LoRA | 2 % | 93 % | 24.5 s |
loss 1.20, perplexity 1500.0, 892,928 weights, epoch 6
answer: 'Your order 4711 is on its way.' L'entraînement d'un réseau
"""


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("0.97", "0.93", True),
        ("0.97", "0.91", False),
        ("1.20", "1.25", True),
        ("1.20", "1.27", False),
        ("1500.0", "1560.4", True),
        ("1500.0", "1600.0", False),
        ("93 %", "88.1 %", True),
        ("93 %", "87 %", False),
        ("93 %", "0.93", False),
        ("0.97", "97", False),
        ("21 s", "103.5 s", True),
        ("21 s", "21 h", False),
        ("epoch 6", "epoch 7", False),
        ("892,928", "892,929", False),
        ("Your order 4711 is on its way.", "Hello", True),
        ("Your order 4711 is on its way.", 'l\\\'ordre "7"', True),
        ("'Your order 4711 is on its way.'", '"It\'s on its way."', True),
        ("'Your order 4711 is on its way.'", "Hello", False),
        ("L'entraînement d'un", "L'affinage d'un", False),
        ("| LoRA |", "| full |", False),
        ("after", "before", False),
        ("| full |", "|   full    |", True),
        ("-------", "---------", True),
        ("\n| LoRA | 2 % | 93 % | 24.5 s |", "", False),
        ("| 0.97 |", "|", False),
    ],
)
def test_what_a_trained_network_gives_is_compared_within_a_tolerance(
    old: str, new: str, same: bool
) -> None:
    assert TABLE.count(old) >= 1

    def page(text: str, tags: list[str]) -> Any:
        return notebook(new_output("stream", name="stdout", text=text), tags=tags)

    changed = TABLE.replace(old, new)
    for before, after in ((TABLE, changed), (changed, TABLE)):
        assert (
            stable.differences(page(before, ["trained"]), page(after, ["trained"])) == []
        ) is same
    assert stable.differences(page(TABLE, []), page(changed, [])), (
        "without the tag nothing may differ"
    )


def test_of_a_picture_of_a_trained_network_only_the_words_are_compared() -> None:
    def page(*data: dict[str, str]) -> Any:
        return notebook(*(new_output("display_data", data=one) for one in data), tags=["trained"])

    def drawn(points: str, word: str) -> dict[str, str]:
        svg = f'<svg><path d="{points}"/>\n<text x="1">{word}</text></svg>'
        return {"image/svg+xml": svg, "text/plain": "a curve"}

    assert stable.differences(page(drawn("M0 1", "loss")), page(drawn("M5 7 L3", "loss"))) == []
    assert stable.differences(page(drawn("M0 1", "loss")), page(drawn("M0 1", "gain")))
    png, other = {"image/png": "iVBOR"}, {"image/png": "iVXXX"}
    assert stable.differences(page(png), page(other)) == []
    assert stable.differences(page(png), page()) and stable.differences(page(png), page(png, png))


def test_both_tags_together_let_digits_and_written_text_differ() -> None:
    def page(text: str) -> Any:
        return notebook(new_output("stream", name="stdout", text=text), tags=["trained", "varies"])

    assert stable.differences(page("epoch 6: 'yes'"), page("epoch 12: 'no'")) == []
    assert stable.differences(page("epoch 6: 'yes'"), page("step 6: 'yes'"))


def test_how_to_run_a_notebook_stays_in_its_metadata() -> None:
    page = notebook()
    page.metadata = nbformat.from_dict({"execution": {"timeout": 9}, "training": True, "x": 1})
    saving.stabilize(page)
    assert set(page.metadata) == {"execution", "training", "kernelspec", "language_info"}


def test_unexpected_names_the_first_stray_error_and_a_missing_one() -> None:
    error = new_output("error", ename="KeyError", evalue="'a'", traceback=[])
    assert stable.unexpected(notebook(error)) == [("one", "raised KeyError: 'a'")]
    assert stable.unexpected(notebook(error, tags=["raises-exception"])) == []
    ((cell, what),) = stable.unexpected(notebook(tags=["raises-exception"]))
    assert cell == "one" and "raised nothing" in what
