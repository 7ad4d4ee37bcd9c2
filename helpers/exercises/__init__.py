"""Exercises that check themselves: check, hint, solution, as text anywhere and as buttons in Jupyter."""

from __future__ import annotations

import contextlib
import ctypes
import dis
import functools
import io
import json
import linecache
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display
from markdown_it import MarkdownIt

from helpers import i18n
from helpers.exercises import progress

TEXTS_FILE = Path(__file__).with_name("texts.json")  # the builder makes it from the lessons
TIME_LIMIT = 15.0  # seconds that a check may take

TEXTS = {
    "en": {
        "correct": "**Correct.** {message}",
        "incorrect": "**Not yet.** {message}",
        "untouched": "**Not attempted.** Replace the `...` above, run that cell, then this one. "
        "If that cell showed an error, fix it first. For a hint: `exercise({name!r}).hint()`.",
        "unfinished": "**Not finished.** Still as it was handed out: {names}.",
        "arguments": "**Not attempted.** This check takes {names}.",
        "not_callable": "Hand over the function or class itself: its name, without brackets.",
        "raised": "Your code raised `{error}` in line {line}: `{code}`",
        "raised_elsewhere": "With your answer, the check ended in `{error}`.",
        "slow": "It was stopped after {seconds:.0f} seconds. Is there a loop that never ends, or a "
        "wait for something that never comes?",
        "choices": "Answer with one of the letters {letters}, for example `answer = {example!r}`.",
        "no_more_hints": "There are no more hints. `exercise({name!r}).solution()` shows the model answer.",
        "hint": "**Hint {number} of {count}.** {text}",
        "try_first": "Try first, the check will say what is missing. To see the model answer all the same, "
        "ask once more.",
        "no_solution": "This copy of the course comes without solutions. Ask whoever gave it to you.",
        "solution": "**Model answer.**",
        "not_kept": "(Your progress could not be saved: {error}.)",
        "not_read": "Your progress could not be read: {error}.",
        "check_button": "Check",
        "hint_button": "Hint",
        "solution_button": "Solution",
        "lesson": "{lesson}  {solved} of {count}",
        "none": "No exercise yet.",
    },
    "zh": {
        "correct": "**正确。** {message}",
        "incorrect": "**还不对。** {message}",
        "untouched": "**还没有做。** 把上面的 `...` 换掉，运行那一格，再运行这一格。"
        "如果那一格报了错，请先改好。要提示的话：`exercise({name!r}).hint()`。",
        "unfinished": "**还没有做完。** {names} 还是原来的样子。",
        "arguments": "**还没有做。** 这个检查需要 {names}。",
        "not_callable": "请把函数或类本身交给检查，只写名字，不加括号。",
        "raised": "你的代码在第 {line} 行 `{code}` 抛出了 `{error}`。",
        "raised_elsewhere": "用你的答案检查时，抛出了 `{error}`。",
        "slow": "运行了 {seconds:.0f} 秒还没结束，检查已经把它停下。是不是有停不下来的循环，或者在等永远不会来的东西？",
        "choices": "请用 {letters} 中的一个字母作答，例如 `answer = {example!r}`。",
        "no_more_hints": "没有更多提示了。`exercise({name!r}).solution()` 会显示参考答案。",
        "hint": "**提示 {number}/{count}。** {text}",
        "try_first": "先自己试一试，检查会告诉你还缺什么。如果还是想看参考答案，再要一次就行。",
        "no_solution": "这份课程不带参考答案。请向给你课程的人索取。",
        "solution": "**参考答案。**",
        "not_kept": "（进度没能保存：{error}。）",
        "not_read": "进度无法读取：{error}。",
        "check_button": "检查",
        "hint_button": "提示",
        "solution_button": "参考答案",
        "lesson": "{lesson}  {solved}/{count}",
        "none": "还没有练习。",
    },
    "fr": {
        "correct": "**Juste.** {message}",
        "incorrect": "**Pas encore.** {message}",
        "untouched": "**Pas encore essayé.** Remplacez les `...` de la cellule précédente, exécutez-la, "
        "puis exécutez celle-ci. Si la précédente a affiché une erreur, corrigez-la d'abord. "
        "Pour un indice\u00a0: `exercise({name!r}).hint()`.",
        "unfinished": "**Pas encore fini.** Toujours en l'état\u00a0: {names}.",
        "arguments": "**Pas encore essayé.** Cette vérification attend {names}.",
        "not_callable": "Donnez la fonction ou la classe elle-même\u00a0: son nom, sans parenthèses.",
        "raised": "Votre code a levé `{error}` à la ligne {line}\u00a0: `{code}`",
        "raised_elsewhere": "Avec votre réponse, la vérification s'est arrêtée sur `{error}`.",
        "slow": "Votre code a été arrêté au bout de {seconds:.0f} secondes. Y a-t-il une boucle sans fin, ou l'attente de "
        "quelque chose qui ne vient jamais\u00a0?",
        "choices": "Répondez par l'une des lettres {letters}, par exemple `answer = {example!r}`.",
        "no_more_hints": "Il n'y a plus d'indice. `exercise({name!r}).solution()` montre le corrigé.",
        "hint": "**Indice {number} sur {count}.** {text}",
        "try_first": "Essayez d'abord\u00a0: la vérification vous dira ce qui manque. Pour voir le corrigé malgré tout, "
        "demandez-le encore une fois.",
        "no_solution": "Cette copie du cours ne contient pas les corrigés. Adressez-vous à la personne qui vous l'a remise.",
        "solution": "**Corrigé.**",
        "not_kept": "(Votre progression n'a pas pu être enregistrée\u00a0: {error}.)",
        "not_read": "Votre progression n'a pas pu être lue\u00a0: {error}.",
        "check_button": "Vérifier",
        "hint_button": "Indice",
        "solution_button": "Corrigé",
        "lesson": "{lesson}  {solved} sur {count}",
        "none": "Pas encore d'exercice.",
    },
}

MARKDOWN = MarkdownIt("commonmark", {"html": False})  # what a learner answered is no markup

CORRECT, INCORRECT, UNTOUCHED = "correct", "incorrect", "not attempted"


class WrongAnswer(Exception):
    """What a check raises: the key of the message for the learner, and what to fill into it."""

    def __init__(self, key: str, **fields: object) -> None:
        super().__init__(key)
        self.key = key
        self.fields = fields


class TooSlow(BaseException):
    """Raised inside a learner's code that has run longer than TIME_LIMIT."""


@dataclass(frozen=True)
class Result:
    """CORRECT, INCORRECT or UNTOUCHED, the text for the learner (Markdown), and the message's key."""

    outcome: str
    text: str
    key: str = ""


@dataclass(frozen=True)
class Check:
    """How an exercise is judged: the names that hold the answer, and a function of their values."""

    names: tuple[str, ...]
    judge: Callable[..., None]


CHECKS: dict[str, Check] = {}  # helpers.checks fills it


@functools.cache
def all_texts() -> dict[str, dict[str, dict[str, str]]]:
    """Return the texts of all exercises, name -> key -> language -> text."""
    texts: dict[str, dict[str, dict[str, str]]] = json.loads(TEXTS_FILE.read_text(encoding="utf-8"))
    return texts


@dataclass
class _State:
    """What this kernel remembers of an exercise beyond the progress file."""

    hints: int = 0
    attempted: bool = False
    solution_asked: bool = False


_states: dict[str, _State] = {}


def exercise(name: str) -> Exercise:
    """Return the exercise `name`, for example "04-stream/first-token".

    Raises LookupError, naming the exercises there are, for a name that none has.
    """
    import helpers.exercises.checks  # noqa: F401  (fills CHECKS)

    if name not in CHECKS:
        raise LookupError(f"There is no exercise {name!r}. There are: {', '.join(sorted(CHECKS))}.")
    return Exercise(name)


class Exercise:
    """One exercise. Its texts follow the language of the notebook (of the last `start()`)."""

    def __init__(self, name: str) -> None:
        self.name = name
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

    def _say(self, key: str, **fields: object) -> str:
        return TEXTS[i18n.language()][key].format(name=self.name, **fields)

    def _own(self, key: str) -> str:
        return all_texts()[self.name][key][i18n.language()]

    def judge(self, *answers: Any) -> Result:
        """Return the verdict on `answers`; nothing is shown or kept."""
        names = CHECKS[self.name].names
        if len(answers) != len(names):
            return Result(UNTOUCHED, self._say("arguments", names=listed(names)))
        stubs = [
            stub
            for name, answer in zip(names, answers, strict=True)
            for stub in stubs_in(name, answer)
        ]
        if stubs:
            key = "untouched" if stubs == list(names) else "unfinished"
            return Result(UNTOUCHED, self._say(key, names=listed(stubs)))
        try:
            run_limited(lambda: CHECKS[self.name].judge(*answers))
        except WrongAnswer as wrong:
            if wrong.key == "choices":
                text = self._say("choices", **wrong.fields)
            else:
                text = self._own(wrong.key).format(
                    **{k: shorten(v) for k, v in wrong.fields.items()}
                )
            return Result(INCORRECT, self._say("incorrect", message=text), wrong.key)
        except TooSlow:
            text = self._say("slow", seconds=TIME_LIMIT)
            return Result(INCORRECT, self._say("incorrect", message=text), "slow")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # the learner's: shown, never raised, whatever it is
            text = self._say("incorrect", message=self._explain(error))
            return Result(INCORRECT, text, "raised")
        return Result(CORRECT, self._say("correct", message=self._own("correct")), "correct")

    def _explain(self, error: BaseException) -> str:
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
            return self._say("not_callable")
        if not code:
            return self._say("raised_elsewhere", error=said)
        return self._say("raised", error=said, line=line, code=code)

    def _checked(self, answers: tuple[Any, ...]) -> str:
        result = self.judge(*answers)
        text = result.text
        if result.outcome != UNTOUCHED:
            self._state.attempted = True
            try:
                progress.record(self.name, result.outcome == CORRECT)
            except progress.ProgressError as error:
                text += "\n\n" + self._say("not_kept", error=error)
        return text

    def _next_hint(self) -> str:
        hints = [key for key in all_texts()[self.name] if key.startswith("hint-")]
        if self._state.hints == len(hints):
            return self._say("no_more_hints")
        key = hints[self._state.hints]
        self._state.hints += 1
        return self._say("hint", number=self._state.hints, count=len(hints), text=self._own(key))

    def _solution(self) -> str:
        attempted = self._state.attempted
        with contextlib.suppress(progress.ProgressError):
            attempted = attempted or self.name in progress.read()
        if not (attempted or self._state.solution_asked):
            self._state.solution_asked = True
            return self._say("try_first")
        code = solution_code(self.name, i18n.language())
        if code is None:
            return self._say("no_solution")
        return f"{self._say('solution')}\n\n```python\n{code}\n```"

    def _panel(self, text: str) -> Any:
        """Return the three buttons, with `text` below them, as a widget."""
        import ipywidgets

        message = ipywidgets.HTML(render(text))

        def button(key: str, answer: Callable[[], str]) -> Any:
            made = ipywidgets.Button(description=self._say(f"{key}_button"))
            made.on_click(lambda _: setattr(message, "value", render(answer())))
            return made

        buttons = [
            button("check", lambda: self._checked(self._answers_now())),
            button("hint", self._next_hint),
            button("solution", self._solution),
        ]
        return ipywidgets.VBox([ipywidgets.HBox(buttons), message])

    def _answers_now(self) -> tuple[Any, ...]:
        """Return what the answer's names hold at this moment, a stub for one that is not there."""
        names = InteractiveShell.instance().user_ns
        return tuple(names.get(name, ...) for name in CHECKS[self.name].names)


def show(text: str, panel: Callable[[str], Any] | None = None) -> None:
    """Show Markdown: as a widget where the front end has widgets, as text everywhere else."""
    if not InteractiveShell.initialized():
        print(text)
        return
    bundle = {"text/plain": text, "text/markdown": text}
    if panel is not None:
        bundle = {**panel(text)._repr_mimebundle_(), **bundle}
    display(bundle, raw=True)


def render(text: str) -> str:
    """Return Markdown as HTML that a screen reader announces when it changes."""
    return f'<div role="status" class="jp-RenderedHTMLCommon">{MARKDOWN.render(text)}</div>'


def listed(names: Sequence[str]) -> str:
    """Return names as a list in running text."""
    return ", ".join(f"`{name}`" for name in names)


def safely(show: Callable[[Any], str], value: object) -> str:
    """Return `show(value)`, str or repr, or the type's name where a learner's class fails at it."""
    try:
        return show(value)
    except Exception:
        return type(value).__name__


def shorten(value: object, limit: int = 200) -> str:
    """Return a value as text of at most `limit` characters, on one line, fit for inline code."""
    plain = isinstance(value, str) and value.strip() == value != ""
    text = str(value) if plain else safely(repr, value)
    text = " ".join(text.split()).replace("`", "'").encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= limit else text[: limit - 1] + "…"


# What the code of a function that does nothing consists of, the last two lines if it is async.
NOTHING = {"RESUME", "NOP", "RETURN_VALUE"}
NOTHING |= {"GEN_START", "RETURN_GENERATOR", "POP_TOP", "CALL_INTRINSIC_1", "RERAISE"}


def stubs_in(name: str, answer: Any) -> list[str]:
    """Return the names of what is still as the lesson handed it out: `name`, or nothing.

    Of a class it is those methods, where another is done; `__init__` and its like do not count
    as done, for they may have been there from the start.
    """
    if not isinstance(answer, type):
        return [name] if is_stub(answer) else []
    methods = {key: it for key, it in vars(answer).items() if isinstance(it, FunctionType)}
    stubs = [key for key, method in methods.items() if is_stub(method)]
    done = [key for key in methods if key not in stubs and not key.startswith("__")]
    return [f"{name}.{key}" for key in stubs] if done else [name] if stubs else []


def is_stub(answer: Any) -> bool:
    """Say whether an answer is `...`, or a function that does nothing."""
    if not isinstance(answer, FunctionType):
        return answer is ...
    return all(
        step.opname in NOTHING
        or (step.opname in ("LOAD_CONST", "RETURN_CONST") and step.argval is None)
        for step in dis.get_instructions(answer)
    )


def run_limited(work: Callable[[], None]) -> None:
    """Run `work` in a thread, at most TIME_LIMIT seconds; what it raises is raised here.

    Raises TooSlow. A thread cannot be killed: it is made to raise TooSlow as soon as it runs
    Python code again, and is not waited for. The same goes for an interrupt.
    """
    raised: list[BaseException] = []
    output = sys.stdout  # a check that does not end may have redirected it

    def run() -> None:
        try:
            work()
        except BaseException as error:  # handed over, not handled
            raised.append(error)

    thread = threading.Thread(target=run, name="exercise", daemon=True)
    thread.start()
    try:
        thread.join(TIME_LIMIT)
    finally:
        sys.stdout = output
        if thread.is_alive():
            ident = ctypes.c_ulong(thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(TooSlow))
    if thread.is_alive() and not raised:
        raise TooSlow
    if raised:
        raise raised[0]


def solution_code(name: str, lang: str) -> str | None:
    """Return the model answer from the lesson's source, None where the source was not handed out."""
    from helpers.authoring.source import SourceError, lesson_paths, read_lesson

    lesson, _, cell_id = name.partition("/")
    with contextlib.suppress(SourceError):
        for cell in read_lesson(lesson_paths([lesson])[0]).cells:
            if cell.id == cell_id:
                return cell.source(lang, solution=True)
    return None


def captured(work: Callable[[], Any], printed: io.StringIO | None = None) -> tuple[Any, str]:
    """Return what `work` returns and what it prints, which `printed` can be watched to receive."""
    buffer = io.StringIO() if printed is None else printed
    output, sys.stdout = sys.stdout, buffer
    try:
        value = work()
    finally:
        if sys.stdout is buffer:  # else it was put right already, when the check was stopped
            sys.stdout = output
    return value, buffer.getvalue()


def overview() -> str:
    """Return how many exercises of each lesson are solved, a line each."""
    import helpers.exercises.checks  # noqa: F401  (fills CHECKS)

    texts = TEXTS[i18n.language()]
    try:
        done = progress.read()
    except progress.ProgressError as error:
        return texts["not_read"].format(error=error)
    lines = []
    lessons = sorted({name.partition("/")[0] for name in CHECKS})
    width = max(map(len, lessons), default=0)
    for lesson in lessons:
        names = [name for name in CHECKS if name.partition("/")[0] == lesson]
        solved = sum(bool(done.get(name, {}).get("solved")) for name in names)
        lines.append(
            texts["lesson"].format(lesson=f"{lesson:{width}}", solved=solved, count=len(names))
        )
    return "\n".join(lines) or texts["none"]


def main(command: str, arguments: list[str]) -> int:
    """Run `python -m helpers progress [--reset [LESSON]]`; return the exit code."""
    import argparse

    from helpers.i18n import LANGUAGES, system_language
    from helpers.setup.processes import typed

    parser = argparse.ArgumentParser(prog=typed(command))
    parser.add_argument(
        "--reset",
        nargs="?",
        const="",
        metavar="LESSON",
        help="forget what was solved, of one lesson or of all; no notebook changes",
    )
    parser.add_argument("--lang", choices=LANGUAGES, default=system_language())
    options = parser.parse_args(arguments)
    i18n.use(options.lang)
    if options.reset is not None:
        lessons = sorted({name.partition("/")[0] for name in all_texts()})
        chosen = [name for name in lessons if options.reset in (name, name[:2], name[3:])]
        if options.reset and not chosen:
            parser.error(f"there is no lesson {options.reset!r}: {', '.join(lessons)}")
        try:
            progress.reset(chosen[0] if options.reset else None)
        except progress.ProgressError as error:
            print(TEXTS[i18n.language()]["not_kept"].format(error=error))
            return 1
    print(overview())
    return 0
