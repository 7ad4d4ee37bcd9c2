"""What a training run did: its losses as curves, and what the network can do as a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from helpers.i18n import _, decimal, listed, percent
from helpers.views.drawing import WIDTH, bundle, picture

LEFT, RIGHT, TOP, HEIGHT = 56, 16, 32, 240  # margins and height of the drawing area, in pixels
COLOURS = ("#1a5fb4", "#a51d2d", "#26734d", "#8a4b08")
DASHES = ("", "7 4", "2 3", "9 3 2 3")  # a curve is told by its dashes too
HIGHEST = 8.0  # a loss above is drawn as this: near the beginning they can be huge


class LossCurves:
    """Draws how the loss of one or several training runs went down, a curve each.

    `curves` maps a curve's name to its (step, loss) pairs. Raises ValueError for anything else.
    """

    def __init__(self, curves: Mapping[str, Sequence[Sequence[float]]]) -> None:
        try:
            self.curves = {
                str(name): [(float(step), float(loss)) for step, loss in points]
                for name, points in curves.items()
            }
        except (AttributeError, TypeError, ValueError):
            self.curves = {}
        values = [value for points in self.curves.values() for pair in points for value in pair]
        whole = all(len(points) > 1 for points in self.curves.values())
        if not values or not whole or not all(map(math.isfinite, values)):
            raise ValueError(
                _(
                    "LossCurves(…) takes a dict from a name to the losses of a training run, a list "
                    "of (step, loss) pairs with at least two of them; this is not: {got}"
                ).format(got=repr(curves)[:80])
            )

    def __repr__(self) -> str:
        said = [
            _("{name} goes from {first} to {last}").format(
                name=name, first=decimal(points[0][1]), last=decimal(points[-1][1])
            )
            for name, points in self.curves.items()
        ]
        return _("; ").join(said)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return bundle(self.svg(), repr(self))

    def svg(self) -> str:
        """Return the picture: losses upwards, steps to the right, a legend below."""
        steps, losses = zip(*(p for points in self.curves.values() for p in points), strict=True)
        last, most = max(steps), min(HIGHEST, max(losses))
        top = next(rung for rung in (0.5, 1.0, 2.0, 4.0, HIGHEST) if most <= rung)

        def place(step: float, loss: float) -> tuple[float, float]:
            across = LEFT + (WIDTH - LEFT - RIGHT) * step / max(last, 1.0)
            return across, TOP + HEIGHT * (1 - min(loss, top) / top)

        upwards, right = _("loss"), _("step")
        parts = [
            f'<text x="{LEFT - 8}" y="{TOP - 14}" text-anchor="end" fill="#333">{upwards}</text>'
        ]
        for fifth in range(6):
            value = top * fifth / 5
            y = place(0, value)[1]
            parts.append(
                f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
                f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#333">'
                f"{decimal(value, '.1f')}</text>"
            )
        for name, colour, dash in zip(self.curves, COLOURS * 9, DASHES * 9, strict=False):
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in self.curves[name]))
            parts.append(
                f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2" '
                f'stroke-dasharray="{dash}"/>'
            )
        base = TOP + HEIGHT
        parts.append(
            f'<text x="{LEFT}" y="{base + 20}" fill="#333">{right} 0</text>'
            f'<text x="{WIDTH - RIGHT}" y="{base + 20}" text-anchor="end" fill="#333">'
            f"{last:.0f}</text>"
        )
        for row, (name, colour, dash) in enumerate(
            zip(self.curves, COLOURS * 9, DASHES * 9, strict=False)
        ):
            y = base + 44 + 20 * row
            parts.append(
                f'<path d="M{LEFT} {y - 4}h40" stroke="{colour}" stroke-width="2" '
                f'stroke-dasharray="{dash}"/><text x="{LEFT + 50}" y="{y}" fill="#222">'
                f"{escape(name)}</text>"
            )
        title = _("Loss curves: {names}").format(names=listed(self.curves))
        return picture(base + 44 + 20 * len(self.curves), title, parts)


class ScoreTable:
    """Shows what networks can do: a row for each and each language, a column for each measure.

    `scores` maps a name to languages, those to measures, and those to numbers. Shares are shown as
    percentages; the measure whose name is in `plain` as it is. Raises ValueError for anything else.
    """

    def __init__(
        self, scores: Mapping[str, Mapping[str, Mapping[str, float]]], plain: Sequence[str] = ()
    ) -> None:
        try:
            self.rows = [
                [name, language, *(cell(value, key in plain) for key, value in measures.items())]
                for name, languages in scores.items()
                for language, measures in languages.items()
            ]
            self.head = list(next(iter(next(iter(scores.values())).values())))
        except (AttributeError, StopIteration, TypeError, ValueError):
            got = repr(scores)[:80]
            raise ValueError(
                _(
                    "ScoreTable(…) takes a dict from a name to scores, and those from a language to "
                    "shares by name; this is not: {got}"
                ).format(got=got)
            ) from None

    def __repr__(self) -> str:
        return "\n".join(" | ".join(row) for row in [["", "", *self.head], *self.rows])

    def _repr_markdown_(self) -> str:
        rule = ["---", "---", *["---:"] * len(self.head)]
        lines = [["", "", *self.head], rule, *self.rows]
        return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def cell(value: float, plain: bool) -> str:
    """Return a number as it stands in the table."""
    return decimal(value) if plain else percent(value)
