"""One exercise as a learner meets it: check, hint, solution, and what this kernel remembers of it."""

from __future__ import annotations

import contextlib
import linecache
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from helpers import backend, i18n
from helpers.backend.choice import builtin_server
from helpers.exercises import progress, running
from helpers.exercises.panel import show, values_now, with_buttons
from helpers.exercises.stubs import stubs_in
from helpers.exercises.texts import all_texts, solution_code
from helpers.exercises.verdict import (
    CORRECT,
    INCORRECT,
    SHARED,
    UNTOUCHED,
    Result,
    WrongAnswer,
    check_of,
    safely,
    shorten,
)
from helpers.i18n import _


@dataclass
class _State:
    """What this kernel remembers of an exercise beyond the progress file."""

    hints: int = 0
    attempted: bool = False
    solution_asked: bool = False


_states: dict[str, _State] = {}


class Exercise:
    """One exercise. Its texts follow the current language, that of the last `start()`."""

    def __init__(self, name: str) -> None:
        """Take the exercise `name`. Raises LookupError, naming those there are, where none has it."""
        self.name = name
        self._check = check_of(name)
        self._state = _states.setdefault(name, _State())

    def check(self, *answers: Any) -> None:
        """Judge the answers, in the order in which the lesson names them, and show the verdict."""
        show(self._checked(answers), self._panel)

    def hint(self) -> None:
        """Show the first hint, and each time the next."""
        show(self._next_hint())

    def solution(self) -> None:
        """Show the model answer, after an attempt or when asked a second time."""
        show(self._solution())

    def judge(self, *answers: Any) -> Result:
        """Return the verdict on `answers`; nothing is shown or kept."""
        names = self._check.names
        if len(answers) != len(names):
            text = _("**Not attempted.** This check takes {names}.")
            return Result(UNTOUCHED, text.format(names=in_code(names)))
        stubs = [
            stub
            for name, answer in zip(names, answers, strict=True)
            for stub in stubs_in(name, answer)
        ]
        if stubs == list(names):
            text = _(
                "**Not attempted.** Replace the `...` above, run that cell, then this one. "
                "If that cell showed an error, fix it first. For a hint: `exercise({name!r}).hint()`."
            )
            return Result(UNTOUCHED, text.format(name=self.name))
        if stubs:
            text = _("**Not finished.** Still as it was handed out: {names}.")
            return Result(UNTOUCHED, text.format(names=in_code(stubs)))
        patience = running.SERVER_LIMIT if own_server() else 0.0
        try:
            running.run_limited(lambda: self._check.judge(*answers), running.TIME_LIMIT, patience)
        except WrongAnswer as wrong:
            return incorrect(self.message(wrong.key, wrong.fields), wrong.key, wrong.fields)
        except running.TooSlow as slow:
            return incorrect(too_slow(slow), "slow")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the learner's: shown, never raised, whatever it is
            return incorrect(explain(error), "raised")
        text = _("**Correct.** {message}").format(message=self._own("correct"))
        return Result(CORRECT, text, "correct")

    def message(self, key: str, fields: Mapping[str, object]) -> str:
        """Return what is said of a wrong answer, in the current language."""
        own = key in all_texts()[self.name]
        text = self._own(key) if own else _(SHARED[key])
        return text.format(**{name: shorten(value) for name, value in fields.items()})

    def _own(self, key: str) -> str:
        return all_texts()[self.name][key][i18n.language()]

    def _checked(self, answers: tuple[Any, ...]) -> str:
        result = self.judge(*answers)
        text = result.text
        if result.outcome != UNTOUCHED:
            self._state.attempted = True
            try:
                progress.record(self.name, result.outcome == CORRECT)
            except progress.ProgressError as error:
                text += "\n\n" + progress.not_kept(error)
        return text

    def _next_hint(self) -> str:
        hints = [key for key in all_texts()[self.name] if key.startswith("hint-")]
        if self._state.hints == len(hints):
            text = _(
                "There are no more hints. `exercise({name!r}).solution()` shows the model answer."
            )
            return text.format(name=self.name)
        hint = self._own(hints[self._state.hints])
        self._state.hints += 1
        text = _("**Hint {number} of {count}.** {text}")
        return text.format(number=self._state.hints, count=len(hints), text=hint)

    def _solution(self) -> str:
        attempted = self._state.attempted
        with contextlib.suppress(progress.ProgressError):
            attempted = attempted or self.name in progress.read()
        if not (attempted or self._state.solution_asked):
            self._state.solution_asked = True
            return _(
                "Try first, the check will say what is missing. To see the model answer all the same, "
                "ask once more."
            )
        code = solution_code(self.name, i18n.language())
        if code is None:
            return _("This copy of the course comes without solutions. Ask whoever gave it to you.")
        return _("**Model answer.**") + f"\n\n```python\n{code}\n```"

    def _panel(self, text: str) -> Any:
        """Return the three buttons, with `text` below them, as a widget."""
        buttons = {
            _("Check"): lambda: self._checked(values_now(self._check.names)),
            _("Hint"): self._next_hint,
            _("Solution"): self._solution,
        }
        return with_buttons(text, buttons)


def incorrect(message: str, key: str, fields: Mapping[str, object] | None = None) -> Result:
    """Return the verdict on an answer that is not right yet."""
    text = _("**Not yet.** {message}").format(message=message)
    return Result(INCORRECT, text, key, fields or {})


def own_server() -> bool:
    """Return whether the chat model that was chosen is another than the built-in one of this kernel."""
    try:
        builtin_server()
    except backend.BackendError:
        return backend.current_model() != ""
    return False


def too_slow(slow: running.TooSlow) -> str:
    """Return what is said of an answer that took too long, or was stopped when it had."""
    if slow.ended:
        text = _(
            "It took {seconds:.0f} seconds, and {limit:.0f} are allowed. What takes so long, and "
            "cannot be stopped on the way?"
        )
    elif slow.waited:
        text = _(
            "It was stopped after {seconds:.0f} seconds, most of which it waited for your chat model, "
            "{model}. Does it ask again and again, or does the model take so long to answer?"
        )
    else:
        text = _(
            "It was stopped after {seconds:.0f} seconds. Is there a loop that never ends, or a "
            "wait for something that never comes?"
        )
    return text.format(
        seconds=slow.seconds, limit=running.TIME_LIMIT, model=backend.current_model()
    )


def in_code(names: Iterable[str]) -> str:
    """Return names of code as a list in running text."""
    return i18n.listed(f"`{name}`" for name in names)


def explain(error: BaseException) -> str:
    """Say what the learner's code raised and in which line of theirs."""
    said = shorten(f"{type(error).__name__}: {safely(str, error)}".strip().rstrip(":"))
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "ipykernel_" in frame.filename or frame.filename.startswith("<")
    ]
    line = own[-1].lineno or 0 if own else 0
    code = (linecache.getline(own[-1].filename, line) if own else "").strip()
    if not own and "object is not callable" in said:
        return _("Hand over the function or class itself: its name, without brackets.")
    if not code:
        return _("With your answer, the check ended in `{error}`.").format(error=said)
    text = _("Your code raised `{error}` in line {line}: `{code}`")
    return text.format(error=said, line=line, code=code)
