"""The run tree of what `collect_runs()` collected, as an outline that opens and closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, messages_from_dict
from langchain_core.prompt_values import PromptValue
from langchain_core.tracers.schemas import Run

from helpers.i18n import _, decimal, pgettext

MODELS = ("llm", "chat_model")  # the types of a model's run; the second where messages are kept
LONGEST = 400  # characters of an input, an output or a parameter that are shown


class RunTree:
    """Runs with what they called: name, kind, seconds, tokens in + out, and what went in and came out.

    `runs` is a list of runs, such as `collected.traced_runs`; raises TypeError for anything else.
    The tokens of a run are those of all chat models below it, unknown as soon as one is.

    It is plain HTML, nested lists of `<details>`, and no widget: the browser opens them by mouse
    and by keyboard (Tab, then Space), a saved page does so without a kernel, and GitHub and an
    untrusted notebook, which drop styles and scripts, lose nothing.
    """

    def __init__(self, runs: list[Run]) -> None:
        if isinstance(runs, Run):
            raise TypeError(
                _(
                    "RunTree(…) takes a list of runs, such as collected.traced_runs. This is a "
                    "single run: write RunTree([run])."
                )
            )
        if not (isinstance(runs, (list, tuple)) and all(isinstance(run, Run) for run in runs)):
            raise TypeError(
                _(
                    "RunTree(…) takes a list of runs, such as collected.traced_runs, not {got}."
                ).format(got=f"{runs!r:.80}")
            )
        self.runs = runs

    def __repr__(self) -> str:
        if not self.runs:
            return _("No runs: nothing was called while they were collected.")
        return "\n".join(
            "  " * depth + " · ".join([_title(run), *filter(None, [_shortened(_error(run))])])
            for top in self.runs
            for depth, run in _walk(top)
        )

    def _repr_html_(self) -> str:
        if not self.runs:
            return f"<p>{self!r}</p>"
        title = _("Run tree")
        return f'<div role="group" aria-label="{title}">\n{_list(self.runs)}\n</div>'


def _walk(run: Run, depth: int = 0) -> Iterator[tuple[int, Run]]:
    """Yield a run and all below it, each with its depth."""
    yield depth, run
    for child in run.child_runs:
        yield from _walk(child, depth + 1)


def _list(runs: list[Run]) -> str:
    """Return runs as a list, without bullets where styles are kept."""
    return "\n".join(['<ul style="list-style: none">', *map(_item, runs), "</ul>"])


def _item(run: Run) -> str:
    """Return a run as an item of a list; open is what has parts, or failed."""
    fields = {
        _("Input"): _text(run.inputs),
        _("Output"): _text(run.outputs),
        _("Parameters"): _parameters(run),
        _("Error"): _error(run),
    }
    parts = [_part(name, text) for name, text in fields.items() if text]
    if run.child_runs:
        parts.append(_list(run.child_runs))
    state = " open" if run.child_runs or run.error else ""
    title = escape(_title(run))
    title = f"<b>{title}</b>" if run.error else title
    return (
        f"<li><details{state}><summary>{title}</summary>\n" + "\n".join(parts) + "\n</details></li>"
    )


def _part(name: str, text: str) -> str:
    """Return what went into a run or came out of it, of several lines each on its own."""
    lines = escape(_shortened(text)).split("\n")
    begin = "<br>" if len(lines) > 1 else ""
    colon = _(": ")
    return f"<p><b>{name}</b>{colon}{begin}{'<br>'.join(lines)}</p>"


def _title(run: Run) -> str:
    """Return a run's name, kind, time, tokens and, where it failed, a word that says so."""
    parts = [run.name, run.run_type, _("not finished"), *_tokens(run)]
    if run.end_time is not None:
        parts[2] = f"{decimal((run.end_time - run.start_time).total_seconds())} s"
    return " · ".join([*parts, *([pgettext("a run", "failed")] if run.error else [])])


def _tokens(run: Run) -> list[str]:
    """Return one text, the tokens of the chat models in a run, or none where there are no models."""
    models = [below for depth, below in _walk(run) if below.run_type in MODELS and not below.error]
    if not models:
        return []
    usages = [_usage(model) for model in models]
    known = [usage for usage in usages if usage is not None]
    if len(known) < len(usages):
        return [_("tokens unknown")]
    sums = {kind: sum(u[kind] for u in known) for kind in ("input_tokens", "output_tokens")}
    return [_("{input_tokens} + {output_tokens} tokens").format(**sums)]


def _usage(model: Run) -> Mapping[str, int] | None:
    """Return what a chat model's answer cost, None where its service did not say."""
    answer = _generation(model.outputs).get("message")
    if isinstance(answer, BaseMessage):
        return getattr(answer, "usage_metadata", None)
    return ((answer or {}).get("kwargs") or {}).get("usage_metadata")


def _generation(outputs: Any) -> dict[str, Any]:
    """Return the first answer in a chat model's outputs, {} where there is none."""
    generations = (outputs or {}).get("generations") or [[]]
    return generations[0][0] if generations[0] else {}


def _raised(run: Run) -> str:
    """Return the exception that a run ended with, without its traceback, "" where it ended well."""
    return (run.error or "").partition("Traceback (most recent call last)")[0].strip()


def _error(run: Run) -> str:
    """Return a run's exception, "" where it only passed through from a run below."""
    passed = [_raised(child) for child in run.child_runs]
    return "" if _raised(run) in passed else _raised(run)


def _parameters(run: Run) -> str:
    """Return the parameters that a chat model was called with, those that were set."""
    given = (run.extra or {}).get("invocation_params") or {}
    return ", ".join(
        f"{name}={_names(value) if name == 'tools' else repr(value)}"
        for name, value in given.items()
        if value is not None and not name.startswith("_")
    )


def _names(tools: Any) -> str:
    """Return the tools that a model was offered by their names, as they are where they have none."""
    try:
        return f"[{', '.join((tool.get('function') or tool)['name'] for tool in tools)}]"
    except (AttributeError, KeyError, TypeError):
        return repr(tools)


def _text(value: Any) -> str:
    """Return an input or output as one reads it: what was said, and no wrapping."""
    if isinstance(value, str):
        return value
    if isinstance(value, BaseMessage):
        calls = [f"{call['name']}({call['args']})" for call in getattr(value, "tool_calls", [])]
        speaker = "ai" if isinstance(value, AIMessage) else value.type  # chunks too
        return f"{speaker}: {' '.join([value.text, *calls]).strip()}"
    if isinstance(value, PromptValue):
        return _text(value.to_messages())
    if isinstance(value, dict):
        if "generations" in value:
            return _answer(value)
        if len(value) == 1 and next(iter(value)) in ("input", "output", "prompts", "messages"):
            return _text(next(iter(value.values())))
        return repr(value) if value else ""
    if isinstance(value, (list, tuple)) and value:
        if all(isinstance(part, (str, list, BaseMessage)) for part in value):
            return "\n".join(map(_text, value))
        return repr(value)
    return "" if value is None or value == [] else repr(value)


def _answer(outputs: dict[str, Any]) -> str:
    """Return what a chat model said, the tools it asked for among it."""
    generation = _generation(outputs)
    message = generation.get("message")
    if isinstance(message, dict):
        kwargs = message["kwargs"]
        message = messages_from_dict([{"type": kwargs["type"], "data": kwargs}])[0]
    if isinstance(message, BaseMessage):
        return _text(message) if message.content or getattr(message, "tool_calls", []) else ""
    return str(generation.get("text", ""))


def _shortened(text: str) -> str:
    """Return the beginning and the end of a text that is longer than LONGEST characters."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half].rstrip()} … {text[-half:].lstrip()}"
