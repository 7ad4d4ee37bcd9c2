"""The run tree: what it says of runs that went well, failed, or were never any."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from html.parser import HTMLParser
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.tracers import BaseTracer
from langchain_core.tracers.context import collect_runs
from langchain_core.tracers.schemas import Run

from helpers import i18n
from helpers.i18n import LANGUAGES
from helpers.views import RunTree, tree

USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
ANSWER = AIMessage("<b>Paris</b>", usage_metadata=USAGE)
PROMPT = ChatPromptTemplate([("system", "Be brief."), ("human", "{question}")])


def model(*answers: AIMessage) -> GenericFakeChatModel:
    return GenericFakeChatModel(messages=iter(answers))


def runs_of(*calls: Callable[[], Any]) -> list[Run]:
    with collect_runs() as collected:
        for call in calls:
            with contextlib.suppress(ZeroDivisionError):
                call()
    return collected.traced_runs


class Outline(HTMLParser):
    """Collects each summary with its depth, whether it is open, and all text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.summaries: list[tuple[int, bool, str]] = []
        self.tags: set[str] = set()
        self.text = ""
        self.open = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "details":
            self.open = ("open", None) in attrs
        if tag != "br":
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if "summary" in self.stack:
            self.summaries.append((self.stack.count("details"), self.open, data))


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs that all take 0.00 s, as a machine under load would not promise."""
    title = tree._title
    monkeypatch.setattr(tree, "_title", lambda run: title(_instant(run)))
    yield


def _instant(run: Run) -> Run:
    return run.model_copy(update={"end_time": run.start_time})


def test_a_chain_is_an_outline_of_its_runs(seconds: None) -> None:
    (run,) = runs_of(lambda: (PROMPT | model(ANSWER) | length).invoke({"question": "Where?"}))
    shown = RunTree([run])
    lines = [
        "RunnableSequence · chain · 0.00 s · 3 + 4 tokens",
        "ChatPromptTemplate · prompt · 0.00 s",
        "GenericFakeChatModel · llm · 0.00 s · 3 + 4 tokens",
        "length · chain · 0.00 s",
    ]
    assert repr(shown).splitlines() == [lines[0], *("  " + line for line in lines[1:])]
    outline = Outline(shown._repr_html_())
    assert outline.stack == []
    assert outline.summaries == [
        (1, True, lines[0]),
        *((2, False, line) for line in lines[1:]),
    ]
    assert "Input: {'question': 'Where?'}" in outline.text
    assert "System: Be brief.Human: Where?" in outline.text
    assert "Output: ai: <b>Paris</b>" in outline.text and "<b>Paris" not in shown._repr_html_()
    assert outline.tags == {"div", "ul", "li", "details", "summary", "p", "b", "br"}


def length(message: AIMessage) -> int:
    return len(message.text)


def divide(message: AIMessage) -> float:
    return 1 / 0


def test_a_failure_is_marked_by_a_word_and_told_where_it_began(seconds: None) -> None:
    (run,) = runs_of(lambda: (model(ANSWER) | divide).invoke("x"))
    lines = repr(RunTree([run])).splitlines()
    assert lines[0].endswith("3 + 4 tokens · failed")
    assert "failed" not in lines[1]
    assert lines[2] == "  divide · chain · 0.00 s · failed · ZeroDivisionError('division by zero')"
    html = RunTree([run])._repr_html_()
    assert html.count("<b>Error</b>") == 1 and "Traceback" not in html
    assert [is_open for _, is_open, _ in Outline(html).summaries] == [True, False, True]


def test_a_name_is_no_markup_and_a_model_that_failed_has_no_tokens(seconds: None) -> None:
    named = GenericFakeChatModel(messages=iter([]), name="<i>")
    (run,) = runs_of(lambda: named.with_fallbacks([model(ANSWER)]).invoke("x"))
    lines = repr(RunTree([run])).splitlines()
    assert lines[0] == "RunnableWithFallbacks · chain · 0.00 s · 3 + 4 tokens"
    assert lines[1].startswith("  <i> · llm · 0.00 s · failed · ")
    html = RunTree([run])._repr_html_()
    assert "&lt;i&gt; · llm" in html and "<i>" not in html


def test_tokens_are_unknown_as_soon_as_one_call_does_not_tell(seconds: None) -> None:
    def both(_: Any) -> None:
        model(ANSWER).invoke("x")
        model(AIMessage("?")).invoke("x")

    def twice(_: Any) -> None:
        model(ANSWER).invoke("x")
        model(ANSWER).invoke("x")

    for function, said in ((both, "tokens unknown"), (twice, "6 + 8 tokens")):
        (run,) = runs_of(partial(RunnableLambda(function).invoke, "x"))
        assert repr(RunTree([run])).splitlines()[0].endswith(said)


def test_streams_tools_and_calls_of_tools() -> None:
    @tool
    def weather(city: str) -> str:
        """The weather."""
        return "rain"

    asking = AIMessage("", tool_calls=[{"name": "weather", "args": {"city": "Paris"}, "id": "1"}])
    runs = runs_of(
        lambda: list(model(ANSWER).stream("x")),
        lambda: model(asking).invoke("x"),
        lambda: weather.invoke({"city": "Paris"}),
    )
    html = Outline(RunTree(runs)._repr_html_()).text
    assert "Output: ai: <b>Paris</b>" in html
    assert "Output: ai: weather({'city': 'Paris'})" in html
    assert "weather · tool" in html and "Output: rain" in html


def test_a_tracer_that_keeps_messages_and_a_run_that_has_not_ended() -> None:
    class Keeper(BaseTracer):
        def __init__(self) -> None:
            super().__init__(_schema_format="original+chat")
            self.runs: list[Run] = []

        def _persist_run(self, run: Run) -> None:
            self.runs.append(run)

    class Peeper(BaseCallbackHandler):
        def on_llm_end(self, response: Any, *, run_id: Any, **details: Any) -> None:
            (run,) = keeper.run_map.values()
            said.append(repr(RunTree([run.model_copy(update={"end_time": None, "outputs": {}})])))

    keeper, said = Keeper(), list[str]()
    model(ANSWER).invoke([HumanMessage("Where?")], {"callbacks": [Peeper(), keeper]})
    html = RunTree(keeper.runs)._repr_html_()
    assert "Where?" in html
    assert said == ["GenericFakeChatModel · chat_model · not finished · tokens unknown"]
    assert repr(RunTree(keeper.runs)).endswith(" s · 3 + 4 tokens")


def test_long_texts_are_cut_and_parameters_that_are_not_set_left_out() -> None:
    (run,) = runs_of(lambda: model(AIMessage("a" * 999 + "z" * 999)).invoke("x", stop=["b"]))
    text = Outline(RunTree([run])._repr_html_()).text
    half = tree.LONGEST // 2
    assert f"ai: {'a' * (half - 4)} … {'z' * half}" in text and "az" not in text
    assert "stop=['b']" in text and "_type" not in text


def test_tools_that_a_model_was_offered_stand_by_their_names() -> None:
    plain = [{"name": "one"}, {"type": "function", "function": {"name": "two"}}]
    (run,) = runs_of(lambda: model(ANSWER).invoke("x", tools=plain))
    assert "Parameters: tools=[one, two]" in Outline(RunTree([run])._repr_html_()).text
    (run,) = runs_of(lambda: model(ANSWER).invoke("x", tools=["any"]))
    assert "Parameters: tools=['any']" in Outline(RunTree([run])._repr_html_()).text


def test_what_has_several_lines_begins_on_a_new_one() -> None:
    (run,) = runs_of(lambda: model(ANSWER).invoke([("system", "Be brief."), ("human", "Where?")]))
    html = RunTree([run])._repr_html_()
    assert "<b>Input</b>: <br>System: Be brief.<br>Human: Where?</p>" in html
    assert "<b>Output</b>: ai:" in html


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_no_run_is_said_in_the_readers_language(lang: str) -> None:
    i18n.use(lang)
    none = i18n._("No runs: nothing was called while they were collected.")
    with collect_runs() as collected:
        pass
    assert repr(RunTree(collected.traced_runs)) == none
    assert none in RunTree([])._repr_html_()
    for wrong in (collected, None, ["x"], AIMessageChunk(content="x")):
        with pytest.raises(TypeError, match="collected.traced_runs"):
            RunTree(wrong)  # type: ignore[arg-type]
    (run,) = runs_of(lambda: model(ANSWER).invoke("x"))
    with pytest.raises(TypeError) as caught:
        RunTree(run)  # type: ignore[arg-type]
    assert str(caught.value) == i18n._(
        "RunTree(…) takes a list of runs, such as collected.traced_runs. This is a single run: write "
        "RunTree([run])."
    )
