"""One exercise as a learner meets it: check, hint, solution, drill, and what this kernel remembers."""

from __future__ import annotations

import contextlib
import linecache
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from helpers import backend, i18n
from helpers.backend.choice import builtin_server
from helpers.exercises import diagnosis, progress, running
from helpers.exercises.drilling import LETTERS, Drills
from helpers.exercises.panel import show, values_now, with_buttons
from helpers.exercises.stubs import stubs_in
from helpers.exercises.texts import all_texts, lessons, solution_code
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
    drills: Drills = field(default_factory=Drills)


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
        result = self._checked(answers)
        show(result.text, lambda: self._panel(result))

    def hint(self) -> None:
        """Show the first hint, and each time the next."""
        show(self._next_hint().text)

    def solution(self) -> None:
        """Show the model answer, after an attempt or when asked a second time."""
        show(self._solution().text)

    def drill(self, letter: str | None = None) -> None:
        """Show code of a colleague that has a mistake, or judge the `letter` that says which."""
        show(self._drill(letter).text)

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
            return self._wrong(diagnosis.of_verdict(wrong), answers)
        except running.TooSlow as slow:
            return incorrect(too_slow(slow), "slow")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the learner's: shown, never raised, whatever it is
            if mistake := diagnosis.of_error(error, answers):
                return self._wrong(mistake, answers)
            return incorrect(explain(error) + self._besides(answers), "raised")
        text = _("**Correct.** {message}").format(message=self._own("correct"))
        return Result(CORRECT, text, "correct")

    def message(self, key: str, fields: Mapping[str, object]) -> str:
        """Return what is said of a wrong answer, in the current language."""
        own = key in all_texts()[self.name]
        text = self._own(key) if own else _(SHARED[key])
        return text.format(**{name: shorten(value) for name, value in fields.items()})

    def _own(self, key: str) -> str:
        return all_texts()[self.name][key][i18n.language()]

    def _wrong(self, wrong: WrongAnswer, answers: tuple[Any, ...]) -> Result:
        said = self.message(wrong.key, wrong.fields)
        if wrong.key not in diagnosis.SAYS_SO:
            said += self._besides(answers)
        return incorrect(said, wrong.key, wrong.fields)

    def _besides(self, answers: tuple[Any, ...]) -> str:
        """Return what can be said of a wrong answer by looking at it, after a space, or nothing."""
        seen = diagnosis.unused_parameter(answers)
        return " " + self.message(seen.key, seen.fields) if seen else ""

    def _checked(self, answers: tuple[Any, ...]) -> Result:
        result = self.judge(*answers)
        if result.outcome == UNTOUCHED:
            return result
        self._state.attempted = True
        try:
            progress.record(self.name, result.outcome == CORRECT)
            trouble = ""
        except progress.ProgressError as error:
            trouble = progress.not_kept(error)
        said = [result.text, self._next(result.outcome == CORRECT), trouble]
        return replace(result, text="\n\n".join(filter(None, said)))

    def _next(self, solved: bool) -> str:
        """Return what a learner can do after an answer."""
        if not solved:
            text = _(
                "**Next:** change your answer, run its cell, and check again. For a hint: "
                "`exercise({name!r}).hint()`."
            )
            return text.format(name=self.name)
        lesson = self.name.partition("/")[0]
        done = {self.name}
        with contextlib.suppress(progress.ProgressError):
            done |= {name for name, entry in progress.read().items() if entry["solved"]}
        names = [name for name in all_texts() if name.startswith(f"{lesson}/")]
        place = names.index(self.name)
        for name in names[place + 1 :] + names[:place]:
            if name not in done:
                return _("**Next** in this lesson: `exercise({name!r})`.").format(name=name)
        following = lessons()[lessons().index(lesson) + 1 :]
        text = _("All exercises of this lesson are solved.")
        if following:
            text += " " + _("**Next:** lesson {lesson}.").format(lesson=following[0][:2])
        return text

    def _next_hint(self) -> Result:
        hints = [key for key in all_texts()[self.name] if key.startswith("hint-")]
        if self._state.hints == len(hints):
            text = _(
                "There are no more hints. `exercise({name!r}).solution()` shows the model answer."
            )
            return Result("", text.format(name=self.name))
        hint = self._own(hints[self._state.hints])
        self._state.hints += 1
        text = _("**Hint {number} of {count}.** {text}")
        return Result("", text.format(number=self._state.hints, count=len(hints), text=hint))

    def _solution(self) -> Result:
        attempted = self._state.attempted
        with contextlib.suppress(progress.ProgressError):
            attempted = attempted or self.name in progress.read()
        if not (attempted or self._state.solution_asked):
            self._state.solution_asked = True
            text = _(
                "Try first, the check will say what is missing. To see the model answer all the same, "
                "ask once more."
            )
            return Result("", text)
        code = solution_code(self.name, i18n.language())
        if code is None:
            text = _("This copy of the course comes without solutions. Ask whoever gave it to you.")
            return Result("", text)
        return Result("", _("**Model answer.**") + f"\n\n```python\n{code}\n```")

    def _drill(self, letter: str | None = None) -> Result:
        return self._state.drills.said(self.name, letter)

    def _panel(self, result: Result) -> Any:
        """Return the buttons, with a verdict below them, as a widget."""
        buttons = {
            _("Check"): lambda: self._checked(values_now(self._check.names)),
            _("Hint"): self._next_hint,
            _("Solution"): self._solution,
        }
        letters = {letter: partial(self._drill, letter) for letter in LETTERS}
        drill = {_("Drill"): self._drill} if self._state.drills.of(self.name) else {}
        return with_buttons(result, buttons, drill, letters)


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
