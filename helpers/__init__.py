"""The course's helpers: they set up, draw and check, and leave every LangChain call to the lesson."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.backend.questions import Questions
    from helpers.exercises.session import Exercise

# All that a lesson imports, by module: these names stay, everything else may change.
PUBLIC = {
    "helpers": ("doctor", "exercise", "predict", "show_progress", "start"),
    "helpers.backend": ("faults",),
    "helpers.backend.receiver": ("Receiver",),
    "helpers.models": ("naive_parrot", "parrot_link"),
    "helpers.models.chat_shop": ("ChatShop",),
    "helpers.models.naive_parrot": ("ChatParrotLink",),
    "helpers.models.parrot_link": ("ChatParrotLink",),
    "helpers.training": ("shop_data", "trained"),
    "helpers.training.muon": ("Muon",),
    "helpers.training.shop_data": ("LANGUAGES", "intent_of"),
    "helpers.training.trained": ("kept",),
    "helpers.views": (
        "ChatWindow",
        "LossCurves",
        "MessageView",
        "Providers",
        "Replay",
        "RunTree",
        "ScoreTable",
        "Timeline",
        "TokenBill",
        "watch",
    ),
}


def start(lang: str | None = None, env_file: str | None = None, builtin: bool = False) -> str:
    """Choose the chat model that this notebook talks to, say which one, and return its name.

    `lang` is the language of the message: "en", "zh" or "fr"; None means the system's.
    `env_file` is read instead of `.env`. `builtin` takes the built-in model even if there is a key.
    See `helpers.backend.start` for the rules and the errors.
    """
    from helpers.backend import start as start_backend

    return start_backend(lang, env_file, builtin)


def doctor() -> None:
    """Look at everything the course needs and print what is found, never a key."""
    from helpers.backend.doctor import doctor as examine

    examine()


def exercise(name: str) -> Exercise:
    """Return the exercise `name`, for example "04-stream/first-token": check, hint, solution, drill.

    See `helpers.exercises.exercise` for the errors.
    """
    from helpers.exercises import exercise as find

    return find(name)


def predict(name: str, guess: str | None = None) -> None:
    """Ask what the code cell `name` ("04-stream/add-up") will show, or keep `guess` as the answer.

    Once the cell has run, both stand side by side. See `helpers.exercises.predicting.predict`.
    """
    from helpers.exercises.predicting import predict as ask

    ask(name, guess)


def show_progress() -> None:
    """Print how many exercises of each lesson are solved."""
    from helpers.exercises import overview

    print(overview())


def questions(lang: str | None = None) -> Questions:
    """Return what the built-in model can be asked, by theme; a notebook shows it.

    `lang` is "en", "zh" or "fr"; None means the language of the last `start`.
    """
    from helpers.backend.questions import Questions

    return Questions(lang)


def shop(lang: str | None = None) -> dict[str, Any]:
    """Return the shop that the course is about: its goods, orders, hours, mails, the desk's rule.

    `lang` is "en", "zh" or "fr"; None means the language of the last `start`. Each call returns a
    copy of its own. `helpers/builtin/shop.yaml` is where it stands.
    """
    from helpers import i18n
    from helpers.builtin.reading import shop as read

    facts: dict[str, Any] = read(lang or i18n.language())
    return facts
