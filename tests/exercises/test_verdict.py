"""Tests of how checks are found, and of what they may say."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import tool

from helpers.exercises import exercise, texts, verdict
from helpers.exercises.verdict import CORRECT, SHARED, WrongAnswer
from helpers.i18n import LANGUAGES, _

FOLDER = Path(verdict.__file__).parent


def test_an_unknown_exercise_names_those_there_are() -> None:
    with pytest.raises(LookupError, match="'04-stream/nothing'.*04-stream/first-token"):
        exercise("04-stream/nothing")


def test_of_the_checks_only_those_of_the_lesson_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def loaded() -> list[str]:
        return [name for name in sys.modules if ".checks.lesson_" in name]

    for name in loaded():
        monkeypatch.delitem(sys.modules, name)
    verdict.check_of("14-parrot-link-for-real/nap")
    assert loaded() == ["helpers.exercises.checks.lesson_14"]


@pytest.mark.parametrize("module", ["judging", "awaiting"])
def test_a_shared_judgement_has_a_shared_message(module: str) -> None:
    keys = keys_in(ast.parse((FOLDER / f"{module}.py").read_text("utf-8")))
    assert keys and keys <= set(SHARED)


def test_what_is_said_for_all_is_said_once() -> None:
    """No exercise repeats in a text of its own, in all languages, what is said for all of them."""
    shared = {tuple(_(text, lang) for lang in LANGUAGES) for text in SHARED.values()}
    for name, own in texts.all_texts().items():
        for key, said in own.items():
            assert tuple(said[lang] for lang in LANGUAGES) not in shared, (name, key)


def test_a_wrong_answer_is_an_exception_with_its_fields() -> None:
    error = WrongAnswer("whole", got="x")
    assert (error.key, error.fields) == ("whole", {"got": "x"})


RIGHT = ["b", "B)", "(b)", "B.", "`b`", "b) the server", "b: a program", "Ｂ", "ｂ", "（Ｂ）", "ⓑ", "answer: b", "réponse : B", "option_b", "I think b", "c'est b", "C’est le b", "答案是b", "我选 Ｂ。", "b, b", ["b"]]  # fmt: skip
NONE = ["", "ab", "ac", None, "d", "not sure", "b or c", "B OR C", "b, c", "b/c", "b ou c", "c ou bien b", "b 或 c", "b还是c", "b、c", "ｂ，ｃ", "b and c", "b & a", "a or b", "b or a", "either a or b", "c or a I think", ["a", "b"]]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "key"),
    [(answer, "correct") for answer in RIGHT] + [(one, "choices") for one in NONE],
)
def test_a_choice_is_one_letter_however_it_is_written(answer: object, key: str) -> None:
    assert exercise("00-start/both").judge(answer).key == key


@pytest.mark.parametrize("answer", ["a", "Ａ", "It's a", "I think a is right", "a) a service"])
def test_a_wrong_letter_is_told_from_the_little_word(answer: str) -> None:
    assert exercise("00-start/both").judge(answer).key == "a"


@pytest.mark.parametrize(
    ("rule", "question"),
    [
        ("you are a PIRATE.", "what is the capital of france?"),
        (
            "Ｙｏｕ ａｒｅ ａ Ｐｉｒａｔｅ．",
            "Ｗｈａｔ ｉｓ ｔｈｅ ｃａｐｉｔａｌ ｏｆ Ｆｒａｎｃｅ？",
        ),
        ("Vous êtes un Pirate.", "QUELLE EST LA CAPITALE DE LA FRANCE ?"),
        ("你是海盗。", "法国的首都是哪里？"),
    ],
)
def test_what_a_learner_writes_is_read_without_case_and_width(rule: str, question: str) -> None:
    talk = [("system", rule), ("human", question)]
    assert exercise("02-messages/pirate").judge(talk).outcome == CORRECT


def test_what_a_learners_program_says_is_read_so_too() -> None:
    def pick(makers: dict[str, Any]) -> Any:
        provider, _colon, model = os.environ.get("CHAT_MODEL", "").partition(":")
        if not model or provider not in makers:
            raise ValueError(f"Choose one of {', '.join(makers).title()}.")
        return makers[provider](model=model)

    assert exercise("10-providers/pick").judge(pick).outcome == CORRECT

    def order_tool(customer: str, orders: dict[int, Any]) -> Any:
        @tool
        def find_order(number: int) -> str:
            """Find an order."""
            order = orders.get(number, {})
            mine = order.get("customer") == customer
            return (
                f"{order['item'].upper()}: {order['state'].title()}" if mine else "No such order."
            )

        return find_order

    assert exercise("16-capstone/order-tool").judge(order_tool).outcome == CORRECT


def keys_in(tree: ast.AST) -> set[str]:
    """Return the keys of messages that the code raises."""
    places = {"wrong_unless": 1, "WrongAnswer": 0}
    return {
        constant.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        for argument in call.args[places.get(call.func.id, 9) :][:1]
        for constant in ast.walk(argument)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }


@pytest.mark.parametrize("path", sorted(FOLDER.glob("checks/lesson_*.py")))
def test_a_check_may_only_use_messages_that_exist(path: Path) -> None:
    """Each key that a check can raise stands in the lesson's texts."""
    tree = ast.parse(path.read_text("utf-8"))
    number = path.stem[-2:]
    own = {name: set(said) for name, said in texts.all_texts().items() if name.startswith(number)}
    judged = 0
    for function in tree.body:
        for decorator in getattr(function, "decorator_list", []):
            if isinstance(decorator, ast.Call) and isinstance(decorator.args[0], ast.Constant):
                name = str(decorator.args[0].value)
                judged += 1
                assert keys_in(function) <= own[name] | set(SHARED), name
    assert judged or "choice(" in path.read_text("utf-8")
    assert keys_in(tree) <= set(SHARED).union(*own.values())
