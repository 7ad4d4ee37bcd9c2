"""A token bill: what calls cost at prices that one can change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage

from helpers.i18n import _, decimal
from helpers.views.drawing import columns
from helpers.views.widgets import bundle_of

MILLION = 1_000_000  # tokens, for which prices are given
HIGHEST = 1_000_000_000  # price that can be typed in
DIGITS = ".12g"  # of a price, in whatever currency
EXACT = 1e-12  # difference of two costs that counts as none


class _Row(NamedTuple):
    """One line of a bill; `tokens` is None where the service did not say how many it took."""

    title: str
    model: str
    tokens: dict[str, int] | None


class TokenBill:
    """What calls took in tokens, and what that costs.

    `calls` is a list of AIMessages, a line for each, or the `usage_metadata` of
    `get_usage_metadata_callback()`, a line for each model. `prices` gives for each model's name
    the price of a million input tokens and of a million output tokens, in any currency. Live, the
    prices can be changed; a saved page has the bill at those that were given. What is not known,
    a number of tokens or a price, is called unknown, and the total is then "at least". Raises
    TypeError for other calls or prices.
    """

    def __init__(
        self,
        calls: Sequence[AIMessage] | Mapping[str, Any],
        prices: Mapping[str, tuple[float, float]],
    ) -> None:
        self.rows = _rows(calls)
        self.prices = _checked(prices)
        self.numbered = not isinstance(calls, Mapping)

    def cost(self, row: _Row) -> float | None:
        """Return what a line costs, None where its tokens or its model's price are unknown."""
        if row.tokens is None or row.model not in self.prices:
            return None
        price_in, price_out = self.prices[row.model]
        return (row.tokens["input"] * price_in + row.tokens["output"] * price_out) / MILLION

    def table(self) -> list[list[str]]:
        """Return the bill as rows of cells: its head, a row a line, and the total."""
        heads = {
            "input": _("input tokens"),
            "cached": _("of these cached"),
            "output": _("output tokens"),
            "reasoning": _("of these reasoning"),
        }
        known = [row.tokens for row in self.rows if row.tokens is not None]
        sums = {kind: sum(tokens[kind] for tokens in known) for kind in heads}
        kinds = [kind for kind in heads if sums[kind] or kind in ("input", "output")]
        costs = [self.cost(row) for row in self.rows]
        paid = [cost for cost in costs if cost is not None]
        # As many decimals as all costs need, so that what is read adds up to the total.
        places = (n for n in range(6, 9) if all(abs(round(c, n) - c) < EXACT for c in paid))
        form = f".{next(places, 9)}f"
        cells = [
            [row.title, *([row.model] * self.numbered)]
            + [str(row.tokens[kind]) if row.tokens else _("unknown") for kind in kinds]
            + [_("unknown") if cost is None else decimal(cost, form)]
            for row, cost in zip(self.rows, costs, strict=True)
        ]
        total = [_("total"), *([""] * self.numbered)]
        total += [self._total(known, str(sums[kind])) for kind in kinds]
        total += [self._total(paid, decimal(sum(paid), form))]
        first = [_("call"), _("model")] if self.numbered else [_("model")]
        return [[*first, *(heads[kind] for kind in kinds), _("cost")], *cells, total]

    def _total(self, known: Sequence[object], total: str) -> str:
        """Return a total as what it is when only `known` of the rows went into it."""
        if len(known) == len(self.rows):
            return total
        return _("at least") + " " + total if known else _("unknown")

    def __repr__(self) -> str:
        if not self.rows:
            return _("There is nothing on this bill: no call was counted.")
        return "\n".join([*(" | ".join(cells) for cells in self.table()), self._prices_said()])

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        if not self.rows:
            return {"text/plain": repr(self)}
        return {
            **bundle_of(self._panel()),
            "text/markdown": self._markdown(),
            "text/plain": repr(self),
        }

    def _prices_said(self) -> str:
        said = [
            _("{model} {input} in, {output} out").format(
                model=model, input=decimal(price_in, DIGITS), output=decimal(price_out, DIGITS)
            )
            for model, (price_in, price_out) in self.prices.items()
        ]
        cached = any(row.tokens and row.tokens["cached"] for row in self.rows)
        prices = _("; ").join(said) or _("unknown")
        line = _("Prices per million tokens: {prices}.").format(prices=prices)
        return line + (_(" Cached tokens count at the full price.") if cached else "")

    def _markdown(self) -> str:
        head, *rows = [
            [cell.replace("\\", "\\\\").replace("|", "\\|") for cell in cells]
            for cells in self.table()
        ]
        names = 1 + self.numbered
        rule = ["---"] * names + ["---:"] * (len(head) - names)
        lines = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *rows)]
        return "\n".join([*lines, "", self._prices_said()])

    def _html(self) -> str:
        head, *rows = self.table()
        lines = ["<tr>" + "".join(f'<th scope="col">{escape(c)}</th>' for c in head) + "</tr>"]
        lines += [
            "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in cells) + "</tr>" for cells in rows
        ]
        return (
            '<div role="status" class="jp-RenderedHTMLCommon"><table style="margin: 8px 0">'
            + "".join(lines)
            + "</table></div>"
        )

    def _panel(self) -> Any:
        """Return the bill with a field for each price, as a widget."""
        import ipywidgets

        shown = ipywidgets.HTML(self._html())
        models = list(dict.fromkeys(row.model for row in self.rows))
        labels = [
            _("{model}: price of a million input tokens"),
            _("{model}: price of a million output tokens"),
        ]
        longest = max(columns(label.format(model=model)) for model in models for label in labels)

        def field(model: str, place: int) -> Any:
            return ipywidgets.Text(
                value=decimal(self.prices[model][place], DIGITS) if model in self.prices else "",
                placeholder=_("unknown"),
                description=labels[place].format(model=model),
                style={"description_width": f"{longest}ch"},
                layout={"width": "max-content"},
            )

        def row(model: str) -> list[Any]:
            pair = [field(model, 0), field(model, 1)]

            def changed(change: Any) -> None:
                price_in, price_out = (_price(one.value) for one in pair)
                if price_in is None or price_out is None:
                    self.prices.pop(model, None)
                else:
                    self.prices[model] = (price_in, price_out)
                shown.value = self._html()

            for one in pair:
                one.observe(changed, names="value")
            return pair

        return ipywidgets.VBox([*(one for model in models for one in row(model)), shown])


def _rows(calls: Any) -> list[_Row]:
    """Return a bill's lines; raise TypeError, with what was expected, for what is no list of calls."""
    if isinstance(calls, Mapping):
        if all(isinstance(usage, Mapping) and "input_tokens" in usage for usage in calls.values()):
            return [_Row(model, model, _tokens(usage)) for model, usage in calls.items()]
    elif isinstance(calls, (list, tuple)) and all(isinstance(call, AIMessage) for call in calls):
        return [
            _Row(
                str(number),
                call.response_metadata.get("model_name") or _("unknown"),
                _tokens(call.usage_metadata) if call.usage_metadata else None,
            )
            for number, call in enumerate(calls, 1)
        ]
    if isinstance(calls, UsageMetadataCallbackHandler):
        raise TypeError(
            _(
                "TokenBill(…) takes the usage_metadata of get_usage_metadata_callback(), not the "
                "callback itself. If you named it counted, write "
                "TokenBill(counted.usage_metadata, prices)."
            )
        )
    raise TypeError(
        _(
            "TokenBill(…) takes a list of AIMessages, or the usage_metadata of "
            "get_usage_metadata_callback(), not {got}."
        ).format(got=f"{calls!r:.80}")
    )


def _tokens(usage: Mapping[str, Any]) -> dict[str, int]:
    """Return the four counts of a usage, 0 for a detail that it does not give."""
    return {
        "input": usage["input_tokens"],
        "cached": (usage.get("input_token_details") or {}).get("cache_read") or 0,
        "output": usage["output_tokens"],
        "reasoning": (usage.get("output_token_details") or {}).get("reasoning") or 0,
    }


def _price(typed: str) -> float | None:
    """Return a price as it was typed, with a point or a comma, None for what is none."""
    try:
        price = float(typed.replace(",", "."))
    except ValueError:
        return None
    return price if 0 <= price <= HIGHEST else None


def _checked(prices: Any) -> dict[str, tuple[float, float]]:
    """Return the prices as a dict of pairs of their own; raise TypeError for anything else."""

    def is_price(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0

    if not (
        isinstance(prices, Mapping)
        and all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 and all(map(is_price, pair))
            for pair in prices.values()
        )
    ):
        raise TypeError(
            _(
                "prices is a dict from a model's name to two numbers, the price of a million input "
                "tokens and of a million output tokens, for example "
                '{{"built-in": (0.5, 2.0)}}; this is not: {got}'
            ).format(got=repr(prices))
        )
    return {model: (float(pair[0]), float(pair[1])) for model, pair in prices.items()}
