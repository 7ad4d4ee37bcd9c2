"""Takes the learner's keys out of what is shown or kept."""

from __future__ import annotations

import contextlib
import re

from helpers.backend import variables
from helpers.backend.settings import (
    PLACEHOLDER,
    TRACING_KEYS,
    BackendError,
    Settings,
    default_env_file,
)

# What stands for a key where none is needed, for the client refuses to start without one.
BUILTIN_KEY, NO_KEY = "built-in-model-needs-no-key", "no-key-needed"
SHORTEST_KEY = 8  # characters; "ollama" and the like, as some servers want, are no secrets


def known_keys() -> set[str]:
    """Return the learner's keys, from the environment, from `.env` and from what start() read."""
    names = ("OPENAI_API_KEY", "LANGSMITH_GATEWAY_API_KEY", *TRACING_KEYS)
    found = {variables.ours(name) or "" for name in names}
    with contextlib.suppress(BackendError):
        settings = Settings(default_env_file())
        found |= {settings.value(name) for name in names}
    return {key for key in found if len(key) >= SHORTEST_KEY} - {PLACEHOLDER, BUILTIN_KEY, NO_KEY}


def without_keys(text: str) -> str:
    """Return `text` without the learner's keys, nor what looks like one: services quote parts of them."""
    for key in known_keys():
        text = text.replace(key, "***")
    # Long and with a digit, or with a part left out by the service; other things begin so too.
    return re.sub(r"\bsk-(?:(?=[\w.-]*\d)[\w.-]{20,}|[\w.-]*\*{3}[\w*.-]*)", "sk-***", text)
