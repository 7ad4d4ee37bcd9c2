"""The token bill: its lines, what is unknown, prices that change, and bad data."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessage

from helpers import i18n
from helpers.i18n import LANGUAGES
from helpers.views import TokenBill

PRICES = {"big": (1.0, 4.0), "small": (0.5, 2.0)}


def message(model: str, tokens: tuple[int, int] | None, **details: Any) -> AIMessage:
    usage = None
    if tokens is not None:
        usage = {"input_tokens": tokens[0], "output_tokens": tokens[1], "total_tokens": sum(tokens)}
    return AIMessage(
        "!",
        usage_metadata=usage and {**usage, **details},
        response_metadata={"model_name": model} if model else {},
    )


def test_a_line_for_each_call_and_the_total() -> None:
    calls = [message("big", (100, 10)), message("small", (1000, 200))]
    assert TokenBill(calls, PRICES).table() == [
        ["call", "model", "input tokens", "output tokens", "cost"],
        ["1", "big", "100", "10", "0.000140"],
        ["2", "small", "1000", "200", "0.000900"],
        ["total", "", "1100", "210", "0.001040"],
    ]


def test_a_line_for_each_model_of_a_count() -> None:
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    assert TokenBill({"big": usage, "small": usage}, PRICES).table() == [
        ["model", "input tokens", "output tokens", "cost"],
        ["big", "100", "10", "0.000140"],
        ["small", "100", "10", "0.000070"],
        ["total", "200", "20", "0.000210"],
    ]


@pytest.mark.parametrize(
    ("price", "costs"),
    [
        (2, ["0.000002", "0.000006", "0.000008"]),
        (0.5, ["0.0000005", "0.0000015", "0.0000020"]),
        (0.15, ["0.00000015", "0.00000045", "0.00000060"]),
        (1 / 3, ["0.000000333", "0.000001000", "0.000001333"]),
    ],
)
def test_costs_have_the_decimals_that_they_need(price: float, costs: list[str]) -> None:
    made = TokenBill([message("big", (1, 0)), message("big", (3, 0))], {"big": (price, 1)})
    assert [row[-1] for row in made.table()[1:]] == costs


def test_cached_and_reasoning_tokens_stand_there_where_there_are_any() -> None:
    details = {"input_token_details": {"cache_read": 60}, "output_token_details": {"reasoning": 7}}
    made = TokenBill([message("big", (100, 10), **details), message("big", (1, 1))], PRICES)
    head, first, second, total = made.table()
    assert head[2:6] == ["input tokens", "of these cached", "output tokens", "of these reasoning"]
    assert (first[2:6], second[2:6]) == (["100", "60", "10", "7"], ["1", "0", "1", "0"])
    assert total[2:] == ["101", "60", "11", "7", "0.000145"]
    assert "full price" in repr(made)
    assert "full price" not in repr(TokenBill([message("big", (1, 1))], PRICES))


def test_the_unknown_is_called_unknown() -> None:
    calls = [message("big", (100, 10)), message("big", None), message("", (1, 1))]
    rows = TokenBill(calls, PRICES).table()
    assert rows[2] == ["2", "big", "unknown", "unknown", "unknown"]
    assert rows[3] == ["3", "unknown", "1", "1", "unknown"]
    assert rows[4] == ["total", "", "at least 101", "at least 11", "at least 0.000140"]
    assert TokenBill(calls, {}).table()[4][-1] == "unknown"


def test_a_saved_page_has_the_bill_and_no_names_that_break_it() -> None:
    bundle = TokenBill([message("a|b\\<i>", (1, 1))], {"a|b\\<i>": (1, 1)})._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    lines = bundle["text/markdown"].splitlines()
    assert lines[:3] == [
        "| call | model | input tokens | output tokens | cost |",
        "| --- | --- | ---: | ---: | ---: |",
        "| 1 | a\\|b\\\\<i> | 1 | 1 | 0.000002 |",
    ]
    assert bundle["text/plain"].splitlines()[1] == "1 | a|b\\<i> | 1 | 1 | 0.000002"


def test_a_changed_price_changes_the_bill_at_once() -> None:
    given = dict(PRICES)
    made = TokenBill([message("<big>", (100, 10)), message("small", (0, 1))], given)
    *fields, shown = made._panel().children
    assert [field.description for field in fields] == [
        "<big>: price of a million input tokens",
        "<big>: price of a million output tokens",
        "small: price of a million input tokens",
        "small: price of a million output tokens",
    ]
    assert "<td>0.000002</td>" in shown.value and "&lt;big&gt;" in shown.value
    assert "unknown" in shown.value  # no price was given for <big>
    fields[2].value = "1.5"
    fields[3].value = "1000"
    assert "<td>0.001000</td>" in shown.value
    assert given == PRICES


def test_prices_of_any_currency_are_shown_as_they_are() -> None:
    made = TokenBill([message("big", (1, 1))], {"big": (1_250_000, 123456.78)})
    assert "big 1250000 in, 123456.78 out" in repr(made)
    price_in, price_out, shown = made._panel().children
    assert (price_in.value, price_out.value) == ("1250000", "123456.78")
    price_out.value = "5000000"
    assert "6.250000" in shown.value and "unknown" not in shown.value


def test_a_model_without_a_price_has_a_cost_as_soon_as_both_prices_are_typed_in() -> None:
    made = TokenBill([message("big", (100, 10))], {})
    price_in, price_out, shown = made._panel().children
    assert (price_in.value, price_out.value) == ("", "")
    assert price_in.placeholder == "unknown"
    price_in.value = "2"
    assert shown.value.count("unknown") == 2, "the output is not taken to be free"
    price_out.value = "0"
    assert shown.value.count("<td>0.000200</td>") == 2 and "unknown" not in shown.value
    price_out.value = "0,5"  # with a decimal comma
    assert "<td>0.000205</td>" in shown.value
    for nothing in ("", "-1", "nan", "1e10", "much"):
        price_out.value = nothing
        assert shown.value.count("unknown") == 2, nothing


@pytest.mark.parametrize("lang", LANGUAGES)
def test_bad_data_is_said_in_the_readers_language(lang: str) -> None:
    i18n.use(lang)
    good = message("big", (1, 1))
    wrong: list[Any] = [None, "x", good, ["x"], [good, None], good.usage_metadata, {"big": {}}]
    for calls in wrong:
        with pytest.raises(TypeError, match="AIMessage"):
            TokenBill(calls, PRICES)
    for prices in (None, 1.0, {"big": 1.0}, {"big": (1,)}, {"big": (1, "x")}, {"big": (1, -1)}):
        with pytest.raises(TypeError, match="prices"):
            TokenBill([good], prices)  # type: ignore[arg-type]
    with get_usage_metadata_callback() as counted, pytest.raises(TypeError) as caught:
        TokenBill(counted, PRICES)  # type: ignore[arg-type]
    assert str(caught.value) == i18n._(
        "TokenBill(…) takes the usage_metadata of get_usage_metadata_callback(), not the callback "
        "itself. If you named it counted, write TokenBill(counted.usage_metadata, prices)."
    )
    empty = i18n._("There is nothing on this bill: no call was counted.")
    assert repr(TokenBill([], {})) == empty
    assert TokenBill({}, {})._repr_mimebundle_() == {"text/plain": empty}


def test_a_french_bill_has_decimal_commas() -> None:
    i18n.use("fr")
    made = TokenBill([message("small", (1000, 200))], PRICES)
    assert made.table()[-1][-1] == "0,000900"
    assert made._prices_said().endswith("small 0,5 en entrée, 2 en sortie.")
    price_in, _, shown = made._panel().children
    assert price_in.value == "0,5"
    price_in.value = "1,5"
    assert "<td>0,001900</td>" in shown.value
