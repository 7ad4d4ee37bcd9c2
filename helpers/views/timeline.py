"""Who ran when: calls of a chat model as bars, to the scale of time."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from threading import Lock
from time import perf_counter
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage

from helpers.i18n import decimal, ngettext
from helpers.views.drawing import WIDTH, bundle, picture


@dataclass
class _Lane:
    """The calls of one experiment: when each began and ended, in seconds, and what it asked."""

    title: str
    begun: float
    spans: dict[Any, tuple[float, float, str]] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return max((end for begun, end, text in self.spans.values()), default=0.0)

    def __str__(self) -> str:
        return ngettext(
            "{title}: {count} call in {seconds} s",
            "{title}: {count} calls in {seconds} s",
            len(self.spans),
        ).format(title=self.title, count=len(self.spans), seconds=decimal(self.seconds))


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

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return bundle(self.svg(), repr(self))

    def svg(self) -> str:
        """Return the picture: a row for each call, and above each lane what it is and how long."""
        scale = (WIDTH - 50) / (max((lane.seconds for lane in self.lanes), default=0) or 1.0)
        parts, y = [], 8
        for lane in self.lanes:
            parts.append(f'<text x="10" y="{y + 12}" fill="#222">{escape(str(lane))}</text>')
            y += 20
            for number, (begun, end, label) in enumerate(lane.spans.values(), 1):
                x, width = 40 + begun * scale, max((end - begun) * scale, 1)
                parts.append(
                    f'<text x="32" y="{y + 11}" font-size="11" fill="#444" text-anchor="end">'
                    f"{number}</text>"
                    f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="14" fill="#0b5fad">'
                    f"<title>{escape(label)}</title></rect>"
                )
                y += 18
            y += 10
        return picture(y, repr(self), parts)
