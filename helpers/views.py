"""Pictures of what LangChain returned; none of them makes the call that a lesson teaches."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import escape
from threading import Lock
from time import perf_counter
from typing import Any
from uuid import UUID

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage

from helpers import backend

TEXTS = {
    "en": {
        "first": "first token",
        "last": "last token",
        "summary": "{count} tokens; first after {first:.2f} s, last after {last:.2f} s; {rate:.0f} a second",
        "none": "no token came",
        "lane": "{title}: {count} calls in {seconds:.2f} s",
    },
    "zh": {
        "first": "第一个 token",
        "last": "最后一个 token",
        "summary": "{count} 个 token；第一个在 {first:.2f} 秒后，最后一个在 {last:.2f} 秒后；每秒 {rate:.0f} 个",
        "none": "没有收到 token",
        "lane": "{title}：{count} 次调用，共 {seconds:.2f} 秒",
    },
    "fr": {
        "first": "premier token",
        "last": "dernier token",
        "summary": "{count} tokens\u00a0; le premier après {first:.2f} s, le dernier après {last:.2f} s\u00a0; "
        "{rate:.0f} par seconde",
        "none": "aucun token n'est arrivé",
        "lane": "{title}\u00a0: {count} appels en {seconds:.2f} s",
    },
}
WIDTH = 720  # of a picture, in pixels
REDRAW = 0.05  # seconds between two drawings of a live picture
CLOSING = "，。；：、！？）”"  # signs that may not begin a line


def watch(chunks: Iterable[Any]) -> Iterator[Any]:
    """Pass on the chunks of `model.stream(…)` one by one, unchanged, and draw each as it arrives.

    The time scale begins when the first chunk is asked for. Chunks without text are passed on and
    not drawn. The picture that stays is of the whole stream, or of what came before it was left.
    """
    begun = perf_counter()
    arrivals: list[tuple[float, str]] = []
    # Outside a notebook there is nothing to redraw: one line at the end says it all.
    handle = display(_Stream([]), display_id=True) if InteractiveShell.initialized() else None
    drawn = 0.0
    try:
        for chunk in chunks:
            if chunk.text:
                arrivals.append((perf_counter() - begun, chunk.text))
                if handle is not None and perf_counter() - drawn > REDRAW:
                    handle.update(_Stream(arrivals))
                    drawn = perf_counter()
            yield chunk
    finally:
        if handle is not None:
            handle.update(_Stream(arrivals))
        else:
            print(_Stream(arrivals))


class _Stream:
    """A stream's arrivals, (seconds, text) each, as a picture and as a line of text."""

    def __init__(self, arrivals: list[tuple[float, str]]):
        self.arrivals = arrivals

    def __repr__(self) -> str:
        texts = TEXTS[backend.language]
        if not self.arrivals:
            return texts["none"]
        first, last = self.arrivals[0][0], self.arrivals[-1][0]
        rate = (len(self.arrivals) - 1) / (last - first) if last > first else 0.0
        return texts["summary"].format(count=len(self.arrivals), first=first, last=last, rate=rate)

    def _repr_svg_(self) -> str:
        texts = TEXTS[backend.language]
        lines = wrap("".join(text for _, text in self.arrivals), columns=92)
        height = 84 + 20 * len(lines)
        svg = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(repr(self))}" '
            'font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            f'<text x="10" y="18" fill="#222">{escape(repr(self))}</text>',
            f'<line x1="10" y1="46" x2="{WIDTH - 10}" y2="46" stroke="#888"/>',
        ]
        if self.arrivals:
            end = self.arrivals[-1][0] or 1.0
            places = [10 + (WIDTH - 20) * seconds / end for seconds, _ in self.arrivals]
            svg += [
                f'<line x1="{x:.1f}" y1="38" x2="{x:.1f}" y2="54" stroke="#0b5fad"/>'
                for x in places
            ]
            svg += [
                f'<text x="{places[0]:.1f}" y="34" font-size="11" fill="#444">{texts["first"]}</text>',
                f'<text x="{WIDTH - 10}" y="34" font-size="11" fill="#444" text-anchor="end">'
                f"{texts['last']}</text>",
            ]
        svg += [
            f'<text x="10" y="{78 + 20 * row}" fill="#222" xml:space="preserve">{escape(line)}</text>'
            for row, line in enumerate(lines)
        ]
        return "\n".join([*svg, "</svg>"])


@dataclass
class _Lane:
    """The calls of one experiment: when each began and ended, in seconds, and what it asked."""

    title: str
    begun: float
    spans: dict[Any, tuple[float, float, str]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return max((end for _, end, _ in self.spans.values()), default=0.0)

    def __str__(self) -> str:
        text = TEXTS[backend.language]["lane"]
        return text.format(title=self.title, count=len(self.spans), seconds=self.seconds)


class Timeline(BaseCallbackHandler):
    """A callback that notes when each call of a chat model begins and ends, and draws it to scale.

    `lane(title)` begins a new row of calls, with its own zero; all rows have the same scale.
    """

    def __init__(self) -> None:
        self.lanes: list[_Lane] = []
        self.lock = Lock()

    def lane(self, title: str) -> Timeline:
        """Begin a row of calls, and return this callback."""
        self.lanes.append(_Lane(title, perf_counter()))
        return self

    def on_chat_model_start(
        self, serialized: Any, messages: list[list[BaseMessage]], *, run_id: UUID, **options: Any
    ) -> None:
        """Note the beginning of a call."""
        with self.lock:
            if not self.lanes:
                self.lane("")
            lane = self.lanes[-1]
            now = perf_counter() - lane.begun
            lane.spans[run_id] = (now, now, messages[0][-1].text)

    def on_llm_end(self, response: Any, *, run_id: UUID, **options: Any) -> None:
        """Note the end of a call."""
        with self.lock:
            for lane in self.lanes:
                if run_id in lane.spans:
                    begun, _, label = lane.spans[run_id]
                    lane.spans[run_id] = (begun, perf_counter() - lane.begun, label)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **options: Any) -> None:
        """Note the end of a call that failed."""
        self.on_llm_end(None, run_id=run_id)

    def __repr__(self) -> str:
        return "\n".join(map(str, self.lanes))

    def _repr_svg_(self) -> str:
        scale = (WIDTH - 50) / (max((lane.seconds for lane in self.lanes), default=0) or 1.0)
        svg, y = [], 8
        for lane in self.lanes:
            svg.append(f'<text x="10" y="{y + 12}" fill="#222">{escape(str(lane))}</text>')
            y += 20
            for number, (begun, end, label) in enumerate(lane.spans.values(), 1):
                x, width = 40 + begun * scale, max((end - begun) * scale, 1)
                svg.append(
                    f'<text x="32" y="{y + 11}" font-size="11" fill="#444" text-anchor="end">'
                    f"{number}</text>"
                    f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="14" fill="#0b5fad">'
                    f"<title>{escape(label)}</title></rect>"
                )
                y += 18
            y += 10
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" '
                f'viewBox="0 0 {WIDTH} {y}" role="img" aria-label="{escape(repr(self))}" '
                'font-family="sans-serif" font-size="13">',
                f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>',
                *svg,
                "</svg>",
            ]
        )


def wrap(text: str, columns: int) -> list[str]:
    """Break `text` into lines of at most `columns` columns; Han characters take two, and may end a line."""
    lines, line, width, space = [], "", 0, 0
    for char in text.replace("\n", " "):
        size = 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if width + size > columns and char not in CLOSING:
            cut = space if space else len(line)
            lines.append(line[:cut].rstrip())
            line = line[cut:].lstrip()
            width = sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)
            space = 0
        line += char
        width += size
        if char == " " or size == 2:
            space = len(line)
    return [*lines, line] if line else lines
