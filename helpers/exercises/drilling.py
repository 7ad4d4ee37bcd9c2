"""Drills: code of a colleague that has one of the mistakes which the lessons know, and four names for it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from helpers import i18n
from helpers.exercises.texts import all_texts, drills
from helpers.exercises.verdict import CORRECT, INCORRECT, SHARED_NAMES, Result
from helpers.i18n import _

LETTERS = "abcd"


@dataclass(frozen=True)
class Drill:
    """One drill: a mistake of an exercise, its code by language, and what one chooses from.

    `choices` are pairs of an exercise and a label.
    """

    exercise: str
    mistake: str
    codes: Mapping[str, str]
    choices: tuple[tuple[str, str], ...]

    @property
    def right(self) -> str:
        """The letter of the name that fits."""
        return LETTERS[self.choices.index((self.exercise, self.label))]

    @property
    def label(self) -> str:
        """What kind of mistake it is."""
        return label_of(self.mistake)

    def code(self) -> str:
        """Return the code as Markdown, in the current language."""
        return f"```python\n{self.codes[i18n.language()]}\n```"

    def name(self, letter: str) -> str:
        """Return what stands beside a letter, in the current language."""
        return name_of(*self.choices[LETTERS.index(letter)], i18n.language())

    def question(self) -> str:
        """Return the code, the question and what one chooses from, as Markdown."""
        asked = _("**What is wrong here?** A colleague has written this for the exercise:")
        names = "\n".join(f"- ({letter}) {self.name(letter)}" for letter in LETTERS)
        return f"{asked}\n\n{self.code()}\n\n{names}"


def label_of(mistake: str) -> str:
    """Return the key of a mistake without the number that tells it from others of its kind."""
    return mistake.partition(".")[0]


def name_of(exercise: str, label: str, lang: str) -> str:
    """Return the name of a mistake in a few words."""
    own = all_texts()[exercise].get(f"{label}.name")
    return own[lang] if own else _(SHARED_NAMES[label], lang)


def drills_of(exercise: str) -> list[Drill]:
    """Return the drills of an exercise in the order of its mistakes.

    There are none where it asks for a letter, and where this copy of the course has none.

    What one chooses from are its own mistakes, and those of the lesson's others where it has too few.
    It is the same each time, in an order that tells nothing.
    """
    known = drills() or {}
    mistakes = known.get(exercise, {})
    lesson = exercise.partition("/")[0]
    others = [name for name in all_texts() if name.startswith(f"{lesson}/") and name != exercise]
    near = [(exercise, label_of(mistake)) for mistake in mistakes]
    far = [(name, label_of(mistake)) for name in others for mistake in known.get(name, ())]
    found = []
    for mistake, codes in mistakes.items():
        chance = random.Random(f"{exercise} {mistake}")
        right = (exercise, label_of(mistake))
        chosen = [right]
        names = {name_of(*right, "en")}
        for group in (near, far):
            for other in chance.sample(group, len(group)):
                name = name_of(*other, "en")
                if len(chosen) < len(LETTERS) and name not in names:
                    chosen.append(other)
                    names.add(name)
        chance.shuffle(chosen)
        found.append(Drill(exercise, mistake, codes, tuple(chosen)))
    return found


@dataclass
class Drills:
    """What this kernel remembers of an exercise's drills: how many it showed, and whether one is open."""

    shown: int = 0
    open: bool = False
    known: list[Drill] = field(default_factory=list)

    def of(self, exercise: str) -> list[Drill]:
        """Return the drills of an exercise, read once."""
        self.known = self.known or drills_of(exercise)
        return self.known

    def said(self, exercise: str, letter: str | None) -> Result:
        """Return a drill, the next once the last was answered rightly, or the verdict on a `letter`."""
        own = self.of(exercise)
        if not own:
            text = _("This copy of the course comes without drills. Ask whoever gave it to you.")
            if drills() is not None:
                text = _("This exercise has no drill: it asks for a letter, not for code.")
            return Result("", text)
        if letter is None and not self.open:
            self.shown += 1
            self.open = True
        drill = own[(max(1, self.shown) - 1) % len(own)]
        if letter is None:
            number = _("**Drill {number} of {count}.**").format(
                number=own.index(drill) + 1, count=len(own)
            )
            return Result("", f"{number} {drill.question()}\n\n{how_to_answer(exercise)}")
        chosen = str(letter).strip("() ").casefold()
        if chosen not in tuple(LETTERS):
            return Result("", how_to_answer(exercise))
        if chosen != drill.right:
            text = _(
                "**Not yet.** That is not it: ({letter}) {name}. Follow the code line by line."
            )
            text = text.format(letter=chosen, name=drill.name(chosen))
            return Result(INCORRECT, f"{text}\n\n{drill.question()}\n\n{how_to_answer(exercise)}")
        self.open = False
        text = _("**Correct.** ({letter}) {name}.").format(letter=chosen, name=drill.name(chosen))
        following = _(
            "**Next:** mend it. Put this code where your answer stands, change what is wrong, run that "
            "cell, and check."
        )
        return Result(CORRECT, f"{text}\n\n{following}\n\n{drill.code()}")


def how_to_answer(exercise: str) -> str:
    """Return how one answers a drill where there are no buttons, and with them."""
    text = _("Answer with a letter, for example `exercise({name!r}).drill('b')`.")
    return text.format(name=exercise)
