"""Chooses the chat model that a notebook talks to: OpenAI, a compatible server, or the built-in one."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from helpers import i18n
from helpers.backend import tracing, variables
from helpers.backend.keys import BUILTIN_KEY, NO_KEY
from helpers.backend.settings import (
    LOOPBACK,
    PLACEHOLDER,
    BackendError,
    Settings,
    default_env_file,
)
from helpers.builtin import MODEL
from helpers.i18n import _

if TYPE_CHECKING:
    from helpers.builtin.server import Server

OPENAI_DEFAULT_MODEL = "gpt-6-luna"
TIMEOUT = 10.0  # seconds for a server to list its models

_model = ""  # the name that the last start() returned
_asked: tuple[str | Path | None, bool] = (None, False)  # its `env_file` and `builtin`
_server: Server | None = None  # the built-in model, once it runs


def start(
    lang: str | None = None, env_file: str | Path | None = None, builtin: bool = False
) -> str:
    """Choose the chat model, say in one line which one and why, and return its name.

    With OPENAI_BASE_URL it is that server; else with OPENAI_API_KEY it is OpenAI; else the
    built-in model, which runs in this process on loopback. The variables come from the
    environment or from `.env`; a key is never printed. Harmless when called again: a changed
    `.env` takes effect, and the built-in model runs once.

    `lang` is the language of messages, "en", "zh" or "fr"; None means the system's. `env_file` is
    read instead of `.env`. `builtin` takes the built-in model in any case, for a lesson that needs
    it. Raises ValueError for another language, FileNotFoundError for an
    `env_file` that does not exist, and BackendError, with what to do, for a `.env`
    that cannot be read, a base URL that is none, and a server that does not answer.
    """
    global _model, _asked
    i18n.use(lang or i18n.system_language())
    if env_file is not None and not Path(env_file).is_file():
        raise FileNotFoundError(f"There is no file {env_file}")
    settings = Settings(Path(env_file or default_env_file()))
    _asked = env_file, builtin
    variables.give_back("OPENAI_PROXY")
    key = settings.value("OPENAI_API_KEY")
    if builtin or key == PLACEHOLDER:
        key = ""
    base = "OPENAI_BASE_URL" if settings.value("OPENAI_BASE_URL") else "OPENAI_API_BASE"
    if settings.value(base) and not builtin:
        _model, line = _use_compatible(settings, base, key)
    elif key:
        _model, line = _use_openai(settings, key)
    else:
        _model, line = _use_builtin(settings, builtin)
    variables.put(OPENAI_MODEL=_model)  # for programs that ask the environment, as lesson 17's do
    notes = [line]
    if key and key != settings.raw("OPENAI_API_KEY"):
        note = _("(The key {where} has spaces or quotes around it; they were left out.)")
        notes.append(note.format(where=settings.where("OPENAI_API_KEY")))
    if tracing.settle(settings):
        notes.append(_("(Tracing was asked for, but there is no LANGSMITH_API_KEY: it stays off.)"))
    print("\n".join(notes))
    return _model


def start_again() -> str:
    """Do what the last `start` did, with what stands in `.env` and in the environment by now."""
    return start(i18n.language(), *_asked)


def current_model() -> str:
    """Return the name of the chat model that was chosen, "" before the first `start`."""
    return _model


def builtin_server() -> Server:
    """Return the built-in model; raise BackendError where this notebook talks to another."""
    if _server is None or os.environ.get("OPENAI_BASE_URL") != _server.url:
        message = _(
            "Only the built-in model fails on demand, and this notebook does not talk to it. "
            'First run helpers.start("en", builtin=True).'
        )
        raise BackendError(message)
    return _server


def _use_openai(settings: Settings, key: str) -> tuple[str, str]:
    """Point the client at OpenAI; return the model's name and what to say of it."""
    variables.put(OPENAI_API_KEY=key, OPENAI_BASE_URL=None, OPENAI_API_BASE=None)
    model = settings.value("OPENAI_MODEL") or OPENAI_DEFAULT_MODEL
    line = _("Chat model: {model} at OpenAI, because there is an OPENAI_API_KEY {where}.")
    return model, line.format(model=model, where=settings.where("OPENAI_API_KEY"))


def _use_builtin(settings: Settings, asked: bool) -> tuple[str, str]:
    """Start the built-in model unless it runs, and point the client at it."""
    global _server
    from helpers.builtin.server import serve

    pace = settings.pace()
    if _server is None:
        _server = serve(pace)
    _server.pace = pace
    if _server.calls is not None:
        _server.calls.end()
    variables.put(
        OPENAI_API_KEY=BUILTIN_KEY,
        OPENAI_BASE_URL=_server.url,
        OPENAI_API_BASE=None,
    )
    _keep_off_proxies()
    if asked:
        why = _("this lesson asks for it")
    elif "OPENAI_API_KEY" not in settings:
        why = _("there is no OPENAI_API_KEY")
    elif settings.value("OPENAI_API_KEY"):
        why = _("OPENAI_API_KEY {where} is still the placeholder of .env.example")
    else:
        why = _("OPENAI_API_KEY {where} is empty")
    why = why.format(where=settings.where("OPENAI_API_KEY"))
    return MODEL, _("Chat model: the built-in one, offline, because {why}.").format(why=why)


def _use_compatible(settings: Settings, base: str, key: str) -> tuple[str, str]:
    """Point the client at the server that the variable `base` names; its first model unless one is set."""
    url = settings.value(base)
    where = settings.where(base)
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        message = _(
            "{name} {where} is not an address such as http://127.0.0.1:11434/v1. "
            "Mend it, or take it out to use the built-in model."
        )
        raise BackendError(message.format(name=base, where=where))
    if _is_near(parts.hostname):
        _keep_off_proxies(parts.hostname)
    variables.put(OPENAI_API_KEY=key or NO_KEY, OPENAI_BASE_URL=url, OPENAI_API_BASE=None)
    model = settings.value("OPENAI_MODEL") or _first_model(settings, base, key, host)
    line = _("Chat model: {model} at {host}, because there is an {name} {where}.")
    return model, line.format(model=model, host=host, name=base, where=where)


def _first_model(settings: Settings, base: str, key: str, host: str) -> str:
    """Return the first model that the server lists; raise BackendError where it lists none."""
    request = urllib.request.Request(
        settings.value(base).rstrip("/") + "/models",
        headers={"Authorization": f"Bearer {key}"} if key else {},
    )
    no_list = _(
        "The server at {host} does not list its models: {error}. Name one: OPENAI_MODEL=… in .env."
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return str(json.load(answer)["data"][0]["id"])
    except urllib.error.HTTPError as error:
        refused = _("The server at {host} does not take your key: {error}. Check OPENAI_API_KEY.")
        text = refused if error.code in (401, 403) else no_list
        raise BackendError(text.format(host=host, error=error)) from None
    # URLError and time-outs among the first; the second is what does not speak HTTP.
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        text = _(
            "The server at {host} ({name} {where}) does not answer: {error}. "
            "Start it, or take {name} out to use the built-in model."
        ).format(name=base, host=host, where=settings.where(base), error=reason)
        raise BackendError(text) from None
    except (ValueError, LookupError, TypeError) as error:
        raise BackendError(no_list.format(host=host, error=type(error).__name__)) from None


def _is_near(host: str) -> bool:
    """Return whether `host` is this machine or an address of a local network, as a teacher's is."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_private
    return host in LOOPBACK


def _keep_off_proxies(*near: str) -> None:
    """Add loopback and what is near to NO_PROXY, in both spellings: a proxy cannot reach it."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in os.environ.get(name, "").split(",") if host.strip()]
        missing = [host for host in dict.fromkeys((*LOOPBACK, *near)) if host not in hosts]
        if missing and "*" not in hosts:
            os.environ[name] = ",".join(hosts + missing)
    variables.put(OPENAI_PROXY=None)  # langchain-openai's own, which NO_PROXY does not bind
