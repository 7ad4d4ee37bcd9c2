"""A stream drawn while it arrives, to the scale of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from time import perf_counter
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from helpers import i18n
from helpers.views.drawing import WIDTH, bundle, counted, decimal, picture, wrap

TEXTS = {
    "en": {
        "first": "first token",
        "last": "last token",
        "summary": "{count} token{s}; first after {first} s, last after {last} s; {rate:.0f} a second",
        "none": "no token came",
    },
    "zh": {
        "first": "第一个 token",
        "last": "最后一个 token",
        "summary": "{count} 个 token；第一个在 {first} 秒后，最后一个在 {last} 秒后；每秒 {rate:.0f} 个",
        "none": "没有收到 token",
    },
    "fr": {
        "first": "premier token",
        "last": "dernier token",
        "summary": "{count} token{s}\u00a0; le premier après {first} s, le dernier après {last} s\u00a0; "
        "{rate:.0f} par seconde",
        "none": "aucun token n'est arrivé",
    },
}
REDRAW = 0.05  # seconds between two drawings of a live picture


def watch(chunks: Iterable[Any]) -> Iterator[Any]:
    """Pass on the chunks of `model.stream(…)` one by one, unchanged, and draw each as it arrives.

    The time scale begins when the first chunk is asked for. Chunks without text are passed on and
    not drawn. The picture that stays is of the whole stream, or of what came before it was left.
    """
    arrivals: list[tuple[float, str]] = []
    # Outside a notebook there is nothing to redraw: one line at the end says it all.
    stream = _Stream(arrivals)
    handle = display(stream, display_id=True) if InteractiveShell.initialized() else None
    drawn = 0.0
    begun = perf_counter()  # after the picture's frame is shown, which takes time too
    try:
        for chunk in chunks:
            if chunk.text:
                arrivals.append((perf_counter() - begun, chunk.text))
                if handle is not None and perf_counter() - drawn > REDRAW:
                    stream.redraw()
                    drawn = perf_counter()
            yield chunk
    finally:
        if handle is not None:
            stream.redraw()
            handle.update(stream)  # what a saved page shows
        else:
            print(stream)


class _Stream:
    """A stream's arrivals, (seconds, text) each, as a picture and as a line of text."""

    def __init__(self, arrivals: list[tuple[float, str]]):
        self.arrivals = arrivals
        self.live: Any = None  # the widget that shows it, once it is shown

    def redraw(self) -> None:
        """Let what is shown show what has arrived since."""
        self.live.value = self.svg()

    def __repr__(self) -> str:
        texts = TEXTS[i18n.language()]
        if not self.arrivals:
            return texts["none"]
        first, last = self.arrivals[0][0], self.arrivals[-1][0]
        rate = (len(self.arrivals) - 1) / (last - first) if last > first else 0.0
        return texts["summary"].format(
            first=decimal(first), last=decimal(last), rate=rate, **counted(len(self.arrivals))
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        import ipywidgets

        svg = self.svg()
        self.live = self.live or ipywidgets.HTML(svg)
        return bundle(svg, repr(self), self.live)

    def svg(self) -> str:
        """Return the picture: a stroke for each token on the line of time, and the text below."""
        texts = TEXTS[i18n.language()]
        lines = wrap("".join(text for _, text in self.arrivals), limit=92)
        parts = [
            f'<text x="10" y="18" fill="#222">{escape(repr(self))}</text>',
            f'<line x1="10" y1="46" x2="{WIDTH - 10}" y2="46" stroke="#888"/>',
        ]
        if self.arrivals:
            end = self.arrivals[-1][0] or 1.0
            places = [10 + (WIDTH - 20) * seconds / end for seconds, _ in self.arrivals]
            parts += [
                f'<line x1="{x:.1f}" y1="38" x2="{x:.1f}" y2="54" stroke="#0b5fad"/>'
                for x in places
            ]
            parts += [
                f'<text x="{places[0]:.1f}" y="34" font-size="11" fill="#444">{texts["first"]}</text>',
                f'<text x="{WIDTH - 10}" y="34" font-size="11" fill="#444" text-anchor="end">'
                f"{texts['last']}</text>",
            ]
        parts += [
            f'<text x="10" y="{78 + 20 * row}" fill="#222" xml:space="preserve">{escape(line)}</text>'
            for row, line in enumerate(lines)
        ]
        return picture(84 + 20 * len(lines), repr(self), parts)
