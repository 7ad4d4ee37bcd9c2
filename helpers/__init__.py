"""The course's helpers: they set up, draw and check, and leave every LangChain call to the lesson."""

from __future__ import annotations


def start(lang: str | None = None, env_file: str | None = None) -> str:
    """Choose the chat model that this notebook talks to, say which one, and return its name.

    `lang` is the language of the message: "en", "zh" or "fr"; None means the system's.
    `env_file` is read instead of `.env`.
    See `helpers.backend.start` for the rules and the errors.
    """
    from helpers.backend import start as start_backend

    return start_backend(lang, env_file)


def doctor() -> None:
    """Look at everything the course needs and print what is found, never a key."""
    from helpers.health import doctor as examine

    examine()
