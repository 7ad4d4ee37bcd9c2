"""Switches LangSmith's tracing on or off, as the learner's variables ask for."""

from __future__ import annotations

import sys

from helpers.backend import variables
from helpers.backend.settings import TRACING, TRACING_KEYS, Settings


def settle(settings: Settings) -> bool:
    """Switch tracing on only if it is asked for and has a key; return whether the key is missing."""
    asked = any(settings.value(name).lower() == "true" for name in TRACING)
    key = next(filter(None, map(settings.value, TRACING_KEYS)), "")
    if asked and key:
        variables.put(LANGSMITH_TRACING_V2="true", LANGSMITH_API_KEY=key)
    else:
        variables.put(LANGSMITH_TRACING_V2="false")  # the name that langsmith reads first
    if "langsmith.utils" in sys.modules:  # it remembers what it read
        sys.modules["langsmith.utils"].get_env_var.cache_clear()
    return asked and not key
