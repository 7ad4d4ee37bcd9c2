"""How the exercises of lesson 15 are judged."""

from __future__ import annotations

from typing import Any

from helpers.exercises.judging import check, choice, returned, wrong_unless


@check("15-train-your-own/targets", "targets_of")
def targets(function: Any) -> None:
    for ids, spoken in (
        ([1, 7, 8, 9, 2, 5], [0, 0, 1, 1, 1, 0]),
        ([3, 0, 4], [False, True, True]),
        ([6, 6], [0, 0]),
    ):
        expected = [token if said else -100 for token, said in zip(ids, spoken, strict=True)]
        got = function(list(ids), list(spoken))
        returned(got)
        shown = repr(got)[:60]
        wrong_unless(isinstance(got, (list, tuple)), "list", got=shown)
        moved = ([*expected[1:], *end] for end in ([], [-100]))
        wrong_unless(list(got) == expected or list(got) not in moved, "shifted")
        wrong_unless(len(got) == len(ids), "length", expected=len(ids), got=shown)
        turned = [-100 if said else token for token, said in zip(ids, spoken, strict=True)]
        wrong_unless(list(got) != turned, "inverted")
        wrong_unless(list(got) != ids, "all")
        fields = {"ids": ids, "spoken": spoken, "expected": expected, "got": shown}
        wrong_unless(list(got) == expected, "other", **fields)


@check("15-train-your-own/metric", "exact")
def metric(function: Any) -> None:
    for replies, right, expected, otherwise in (
        (["yes", "no", "yes", "yes"], ["yes", "yes", "yes", "yes"], 0.75, "other"),
        (["yes ", "\nno"], ["yes", "no"], 1.0, "blank"),
        (["order 4821", "order", "no"], ["order 4812", "order 1", "no"], 1 / 3, "loose"),
        (["Yes", "yes.", "oh yes", "no w"], ["yes", "yes", "yes", "now"], 0.0, "loose"),
        (["a", "b"], ["b", "a"], 0.0, "other"),
    ):
        got = function(list(replies), list(right))
        good = isinstance(got, (int, float)) and not isinstance(got, bool)
        wrong_unless(good, "number", got=repr(got)[:60])
        wrong_unless(0 <= got <= 1, "count", got=got)
        fields = {"replies": replies, "right": right, "expected": f"{expected:.2f}", "got": got}
        wrong_unless(abs(got - expected) < 0.005, otherwise, **fields)


@check("15-train-your-own/rank", "lora_weights")
def rank(function: Any) -> None:
    for rows, columns, size in ((128, 384, 16), (384, 128, 4), (10, 20, 1)):
        got, expected = function(rows, columns, size), size * (rows + columns)
        wrong_unless(got != rows * columns, "whole", got=got)
        wrong_unless(got not in (rows * size, columns * size), "half", got=got)
        fields = {"rows": rows, "columns": columns, "rank": size, "expected": expected}
        wrong_unless(got == expected, "other", got=repr(got)[:60], **fields)


choice("15-train-your-own/loss", right="b", wrong="ac")
