"""A stream drawn while it arrives, to the scale of time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from time import perf_counter
from typing import Any

from helpers.i18n import _, decimal, ngettext
from helpers.views.drawing import WIDTH, bundle, picture, wrap

REDRAW = 0.05  # seconds between two drawings of a live picture


def watch(chunks: Iterable[Any]) -> Iterator[Any]:
    """Pass on the chunks of `model.stream(…)` one by one, unchanged, and draw each as it arrives.

    The time scale begins when the first chunk is asked for. Chunks without text are passed on and
    not drawn. The picture that stays is of the whole stream, or of what came before it was left.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display

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
        if not self.arrivals:
            return _("no token came")
        first, last = self.arrivals[0][0], self.arrivals[-1][0]
        rate = (len(self.arrivals) - 1) / (last - first) if last > first else 0.0
        return ngettext(
            "{count} token; first after {first} s, last after {last} s; {rate:.0f} a second",
            "{count} tokens; first after {first} s, last after {last} s; {rate:.0f} a second",
            len(self.arrivals),
        ).format(count=len(self.arrivals), first=decimal(first), last=decimal(last), rate=rate)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        import ipywidgets

        svg = self.svg()
        self.live = self.live or ipywidgets.HTML(svg)
        return bundle(svg, repr(self), self.live)

    def svg(self) -> str:
        """Return the picture: a stroke for each token on the line of time, and the text below."""
        lines = wrap("".join(text for seconds, text in self.arrivals), limit=92)
        parts = [
            f'<text x="10" y="18" fill="#222">{escape(repr(self))}</text>',
            f'<line x1="10" y1="46" x2="{WIDTH - 10}" y2="46" stroke="#888"/>',
        ]
        if self.arrivals:
            first, last = _("first token"), _("last token")
            end = self.arrivals[-1][0] or 1.0
            places = [10 + (WIDTH - 20) * seconds / end for seconds, text in self.arrivals]
            parts += [
                f'<line x1="{x:.1f}" y1="38" x2="{x:.1f}" y2="54" stroke="#0b5fad"/>'
                for x in places
            ]
            parts += [
                f'<text x="{places[0]:.1f}" y="34" font-size="11" fill="#444">{first}</text>',
                f'<text x="{WIDTH - 10}" y="34" font-size="11" fill="#444" text-anchor="end">'
                f"{last}</text>",
            ]
        parts += [
            f'<text x="10" y="{78 + 20 * row}" fill="#222" xml:space="preserve">{escape(line)}</text>'
            for row, line in enumerate(lines)
        ]
        return picture(84 + 20 * len(lines), repr(self), parts)
