"""Switches LangSmith's tracing on or off, as the learner's variables ask for."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from helpers.backend import variables
from helpers.backend.settings import (
    MISLEADING,
    TRACING,
    TRACING_KEYS,
    TRACING_PREFIXES,
    Settings,
)
from helpers.i18n import _

ENDPOINTS = ("LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT")
LANGSMITH = "api.smith.langchain.com"  # where runs go without an endpoint


def settle(settings: Settings) -> str:
    """Switch tracing on only if it is asked for and has a key; return what to say of it, or "".

    What `.env` says of LangSmith is taken together: a key belongs to an endpoint, a workspace and a
    project, and what is to be hidden is hidden. Raises BackendError for a key that is none.
    """
    asked = any(settings.value(name).lower() == "true" for name in TRACING)
    name = next(filter(settings.value, TRACING_KEYS), "")
    if not asked or not name:
        # Some of them can break a program that traces nothing: langsmith reads them when imported.
        idle = [other for other in os.environ if other.startswith(TRACING_PREFIXES)]
        variables.put(**dict.fromkeys(idle))
        variables.put(LANGSMITH_TRACING_V2="false")  # the name that langsmith reads first
        _forget()
        if asked:
            return _("(Tracing was asked for, but there is no LANGSMITH_API_KEY: it stays off.)")
        return ""
    together = {n: value for n, value in settings.stored_for_tracing().items() if value}
    variables.put(**{n: value for n, value in together.items() if n not in MISLEADING})
    variables.put(LANGSMITH_TRACING_V2="true", LANGSMITH_API_KEY=settings.key(name))
    _forget()
    endpoint = next(filter(None, map(settings.value, ENDPOINTS)), "")
    said = _("(Tracing is on: questions and answers are also sent to {host}.)")
    return said.format(host=_host(endpoint))


def _host(endpoint: str) -> str:
    """Return the host of LangSmith's address, for a message: without what else may stand in it."""
    try:
        return urlsplit(endpoint).hostname or LANGSMITH
    except ValueError:
        return "?"


def _forget() -> None:
    """Let langsmith read its variables anew: it remembers what it read, and the client made of it."""
    if "langsmith.utils" in sys.modules:
        sys.modules["langsmith.utils"].get_env_var.cache_clear()
        sys.modules["langsmith.utils"].get_tracer_project.cache_clear()
    if "langsmith.run_trees" in sys.modules:
        sys.modules["langsmith"].configure(client=None)
