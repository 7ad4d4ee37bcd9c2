"""Chooses the chat model that a notebook talks to: OpenAI, a compatible server, or the built-in one."""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dotenv import dotenv_values

from helpers import i18n
from helpers.i18n import LANGUAGES, system_language
from helpers.setup import ROOT

if TYPE_CHECKING:
    from helpers.builtin.server import Server

ENV_FILE = ROOT / ".env"
ENV_FILE_VARIABLE = "COURSE_ENV_FILE"  # another file instead of ENV_FILE, for building and testing
PLACEHOLDER = "put-your-key-here"  # as it stands in .env.example
OPENAI_DEFAULT_MODEL = "gpt-6-luna"
DEFAULT_PACE = 40.0  # tokens per second: as fast as one can watch
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What stands for a key where none is needed, for the client refuses to start without one.
BUILTIN_KEY, NO_KEY = "built-in-model-needs-no-key", "no-key-needed"
SHORTEST_KEY = 8  # characters; "ollama" and the like, as some servers want, are no secrets

READ = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_API_BASE",  # the older name of OPENAI_BASE_URL; langchain-openai reads it first
    "OPENAI_MODEL",
    "COURSE_PACE",
    "LANGSMITH_TRACING",
    "LANGSMITH_API_KEY",
)
# Older names of the two tracing variables, still honoured by langsmith.
TRACING = ("LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING_V2", "LANGSMITH_TRACING", "LANGCHAIN_TRACING")
TRACING_KEYS = ("LANGSMITH_API_KEY", "LANGCHAIN_API_KEY")
KNOWN = tuple(dict.fromkeys((*READ, *TRACING, *TRACING_KEYS)))

TEXTS = {
    "en": {
        "builtin": "Chat model: the built-in one, offline, because {why}.",
        "openai": "Chat model: {model} at OpenAI, because there is an OPENAI_API_KEY {where}.",
        "compatible": "Chat model: {model} at {host}, because there is an {name} {where}.",
        "none": "there is no OPENAI_API_KEY",
        "empty": "OPENAI_API_KEY {where} is empty",
        "placeholder": "OPENAI_API_KEY {where} is still the placeholder of .env.example",
        "environment": "in the environment",
        ".env": "in .env",
        "spaces": "(The key {where} has spaces or quotes around it; they were left out.)",
        "tracing": "(Tracing was asked for, but there is no LANGSMITH_API_KEY: it stays off.)",
        "encoding": "{path} is not UTF-8 text. Save it again as UTF-8 "
        "(in Windows Notepad: Save as, encoding UTF-8).",
        "url": "{name} {where} is not an address such as http://127.0.0.1:11434/v1. "
        "Mend it, or take it out to use the built-in model.",
        "unreachable": "The server at {host} ({name} {where}) does not answer: {error}. "
        "Start it, or take {name} out to use the built-in model.",
        "refused": "The server at {host} does not take your key: {error}. Check OPENAI_API_KEY.",
        "models": "The server at {host} does not list its models: {error}. "
        "Name one: OPENAI_MODEL=… in .env.",
        "asked": "this lesson asks for it",
        "other": "Only the built-in model fails on demand, and this notebook does not talk to it. "
        'First run helpers.start("en", builtin=True).',
        "pace": "COURSE_PACE {where} must be a number of tokens per second, 0 or more "
        "(0: as fast as possible).",
    },
    "zh": {
        "builtin": "聊天模型：内置模型（离线），因为{why}。",
        "openai": "聊天模型：OpenAI 的 {model}，因为{where}有 OPENAI_API_KEY。",
        "compatible": "聊天模型：{host} 上的 {model}，因为{where}有 {name}。",
        "none": "没有找到 OPENAI_API_KEY",
        "empty": "{where}的 OPENAI_API_KEY 是空的",
        "placeholder": "{where}的 OPENAI_API_KEY 还是 .env.example 里的占位文字",
        "environment": "环境变量里",
        ".env": "文件 .env 里",
        "spaces": "（{where}的密钥前后有空格或引号，已经去掉。）",
        "tracing": "（你要求开启追踪，但没有 LANGSMITH_API_KEY，所以追踪保持关闭。）",
        "encoding": "{path} 不是 UTF-8 文本。请另存为 UTF-8 编码（Windows 记事本：另存为，编码选 UTF-8）。",
        "url": "{where}的 {name} 不是形如 http://127.0.0.1:11434/v1 的地址。"
        "请改正，或删掉它以使用内置模型。",
        "unreachable": "{host} 上的服务器（{where}的 {name}）没有应答：{error}。"
        "请先启动它，或删掉 {name} 以使用内置模型。",
        "refused": "{host} 上的服务器不接受你的密钥：{error}。请检查 OPENAI_API_KEY。",
        "models": "{host} 上的服务器没有给出模型列表：{error}。请在 .env 里写明 OPENAI_MODEL=…。",
        "asked": "本课需要它",
        "other": "只有内置模型能按要求出错，而这个笔记本用的不是它。"
        '请先运行 helpers.start("zh", builtin=True)。',
        "pace": "{where}的 COURSE_PACE 必须是每秒 token 数，大于或等于 0（0 表示尽可能快）。",
    },
    "fr": {
        "builtin": "Modèle de conversation\u00a0: le modèle intégré, hors ligne, car {why}.",
        "openai": "Modèle de conversation\u00a0: {model} chez OpenAI, "
        "car il y a une OPENAI_API_KEY {where}.",
        "compatible": "Modèle de conversation\u00a0: {model} sur {host}, "
        "car il y a une {name} {where}.",
        "none": "il n'y a pas d'OPENAI_API_KEY",
        "empty": "OPENAI_API_KEY, {where}, est vide",
        "placeholder": "OPENAI_API_KEY, {where}, contient encore le texte d'exemple de .env.example",
        "environment": "dans l'environnement",
        ".env": "dans .env",
        "spaces": "(La clé {where} est entourée d'espaces ou de guillemets\u00a0; ils sont ignorés.)",
        "tracing": "(Le traçage est demandé, mais il n'y a pas de LANGSMITH_API_KEY\u00a0: "
        "il reste désactivé.)",
        "encoding": "{path} n'est pas un texte UTF-8. Enregistrez-le de nouveau en UTF-8 "
        "(Bloc-notes de Windows\u00a0: Enregistrer sous, encodage UTF-8).",
        "url": "{name} {where} n'est pas une adresse de la forme http://127.0.0.1:11434/v1. "
        "Corrigez-la, ou retirez-la pour utiliser le modèle intégré.",
        "unreachable": "Le serveur {host} ({name} {where}) ne répond pas\u00a0: {error}. "
        "Démarrez-le, ou retirez {name} pour utiliser le modèle intégré.",
        "refused": "Le serveur {host} n'accepte pas votre clé\u00a0: {error}. Vérifiez OPENAI_API_KEY.",
        "models": "Le serveur {host} ne donne pas la liste de ses modèles\u00a0: {error}. "
        "Nommez-en un\u00a0: OPENAI_MODEL=… dans .env.",
        "asked": "cette leçon le demande",
        "other": "Seul le modèle intégré tombe en panne sur demande, et ce notebook ne lui parle pas. "
        'Lancez d\'abord helpers.start("fr", builtin=True).',
        "pace": "COURSE_PACE {where} doit être un nombre de tokens par seconde, 0 ou plus "
        "(0\u00a0: aussi vite que possible).",
    },
}

model = ""  # the name that the last start() returned
asked: tuple[str | Path | None, bool] = (None, False)  # its `env_file` and `builtin`
_server: Server | None = None  # the built-in model, once it runs
# What start() put into the environment, and what stood there before: (ours, the learner's).
_changed: dict[str, tuple[str | None, str | None]] = {}


class BackendError(Exception):
    """No chat model can be used as things are set up; the message says what to do."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook: the traceback leads into helpers, not to the cause."""
        return [f"BackendError: {self}"]


class Settings:
    """The course's variables, from the environment, else from `.env`, and where each was found.

    A variable that the environment sets wins over `.env` even when it is empty.
    """

    def __init__(self, environment: Mapping[str, str], env_file: Path, texts: Mapping[str, str]):
        try:
            # utf-8-sig: Windows Notepad starts a UTF-8 file with a byte-order mark.
            self.stored = dotenv_values(env_file, encoding="utf-8-sig", interpolate=False)
        except UnicodeDecodeError:
            raise BackendError(texts["encoding"].format(path=env_file)) from None
        self._found: dict[str, tuple[str, str]] = {}
        for name in KNOWN:
            value = environment.get(name)
            ours, learners = _changed.get(name, (None, None))
            if value == ours:
                value = learners
            if value is not None:
                self._found[name] = (value, texts["environment"])
            elif name in self.stored:
                self._found[name] = (self.stored[name] or "", texts[".env"])

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def raw(self, name: str) -> str:
        return self._found.get(name, ("", ""))[0]

    def value(self, name: str) -> str:
        """Return the value without the spaces and quotes that copying leaves around it."""
        return self.raw(name).strip().strip("\"'").strip()

    def where(self, name: str) -> str:
        return self._found.get(name, ("", ""))[1]


def default_env_file() -> Path:
    """Return the file that holds the learner's variables; it need not exist."""
    return Path(os.environ.get(ENV_FILE_VARIABLE) or ENV_FILE)


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
    global model, asked
    if lang is not None and lang not in LANGUAGES:
        raise ValueError(f"start() knows the languages {', '.join(LANGUAGES)}, not {lang!r}")
    language = lang or system_language()
    i18n.use(language)
    texts = TEXTS[language]
    if env_file is not None and not Path(env_file).is_file():
        raise FileNotFoundError(f"There is no file {env_file}")
    settings = Settings(os.environ, Path(env_file or default_env_file()), texts)
    asked = env_file, builtin
    _give_back("OPENAI_PROXY")
    key = settings.value("OPENAI_API_KEY")
    if builtin or key == PLACEHOLDER:
        key = ""
    base = "OPENAI_BASE_URL" if settings.value("OPENAI_BASE_URL") else "OPENAI_API_BASE"
    if settings.value(base) and not builtin:
        model, line = _use_compatible(settings, base, key, texts)
    elif key:
        _put(OPENAI_API_KEY=key, OPENAI_BASE_URL=None, OPENAI_API_BASE=None)
        model = settings.value("OPENAI_MODEL") or OPENAI_DEFAULT_MODEL
        line = texts["openai"].format(model=model, where=settings.where("OPENAI_API_KEY"))
    else:
        model, line = _use_builtin(settings, texts, builtin)
    _put(OPENAI_MODEL=model)  # for programs that ask the environment, as those of lesson 17
    notes = [line]
    if key and key != settings.raw("OPENAI_API_KEY"):
        notes.append(texts["spaces"].format(where=settings.where("OPENAI_API_KEY")))
    if _settle_tracing(settings):
        notes.append(texts["tracing"])
    print("\n".join(notes))
    return model


def builtin_server() -> Server:
    """Return the built-in model; raise BackendError where this notebook talks to another."""
    if _server is None or os.environ.get("OPENAI_BASE_URL") != _server.url:
        raise BackendError(TEXTS[i18n.language()]["other"])
    return _server


def find_pace(settings: Settings, texts: Mapping[str, str]) -> float:
    """Return how many tokens per second the built-in model writes; raise BackendError."""
    try:
        pace = float(settings.value("COURSE_PACE") or DEFAULT_PACE)
        if not 0 <= pace < float("inf"):
            raise ValueError
    except ValueError:
        raise BackendError(texts["pace"].format(where=settings.where("COURSE_PACE"))) from None
    return pace


def _use_builtin(settings: Settings, texts: Mapping[str, str], asked: bool) -> tuple[str, str]:
    """Start the built-in model unless it runs, and point the client at it."""
    global _server
    from helpers.builtin.server import MODEL, serve

    pace = find_pace(settings, texts)
    if _server is None:
        _server = serve(pace)
    _server.pace = pace
    if _server.calls is not None:
        _server.calls.end()
    _put(
        OPENAI_API_KEY=BUILTIN_KEY,
        OPENAI_BASE_URL=_server.url,
        OPENAI_API_BASE=None,
    )
    _keep_off_proxies()
    where = settings.where("OPENAI_API_KEY")
    if asked:
        why = texts["asked"]
    elif "OPENAI_API_KEY" not in settings:
        why = texts["none"]
    elif settings.value("OPENAI_API_KEY"):
        why = texts["placeholder"].format(where=where)
    else:
        why = texts["empty"].format(where=where)
    return MODEL, texts["builtin"].format(why=why)


def _use_compatible(
    settings: Settings, base: str, key: str, texts: Mapping[str, str]
) -> tuple[str, str]:
    """Point the client at the server that the variable `base` names; its first model unless one is set."""
    url = settings.value(base)
    where = settings.where(base)
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", url):
        raise BackendError(texts["url"].format(name=base, where=where))
    if _is_near(parts.hostname):
        _keep_off_proxies(parts.hostname)
    _put(OPENAI_API_KEY=key or NO_KEY, OPENAI_BASE_URL=url, OPENAI_API_BASE=None)
    model = settings.value("OPENAI_MODEL")
    if not model:
        request = urllib.request.Request(
            url.rstrip("/") + "/models", headers={"Authorization": f"Bearer {key}"} if key else {}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                model = json.load(answer)["data"][0]["id"]
        except urllib.error.HTTPError as error:
            text = texts["refused" if error.code in (401, 403) else "models"]
            raise BackendError(text.format(host=host, error=error)) from None
        # URLError and time-outs among the first; the second is what does not speak HTTP.
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or str(error) or type(error).__name__
            message = texts["unreachable"].format(name=base, host=host, where=where, error=reason)
            raise BackendError(message) from None
        except (ValueError, LookupError, TypeError) as error:
            name = type(error).__name__
            raise BackendError(texts["models"].format(host=host, error=name)) from None
    return model, texts["compatible"].format(model=model, host=host, name=base, where=where)


def _put(**variables: str | None) -> None:
    """Set environment variables, or take them away (None), and remember what stood there before."""
    for name, value in variables.items():
        now = os.environ.get(name)
        ours, learners = _changed.get(name, (None, None))
        before = learners if now == ours else now
        _changed[name] = (value, before)
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _give_back(name: str) -> None:
    """Let an environment variable be again what it was before start() changed it."""
    ours, learners = _changed.get(name, (None, None))
    if os.environ.get(name) == ours and ours != learners:
        _put(**{name: learners})


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
    _put(OPENAI_PROXY=None)  # langchain-openai's own, which NO_PROXY does not bind


def _settle_tracing(settings: Settings) -> bool:
    """Switch tracing on only if it is asked for and has a key; return whether the key is missing."""
    asked = any(settings.value(name).lower() == "true" for name in TRACING)
    key = next(filter(None, map(settings.value, TRACING_KEYS)), "")
    if asked and key:
        _put(LANGSMITH_TRACING_V2="true", LANGSMITH_API_KEY=key)
    else:
        _put(LANGSMITH_TRACING_V2="false")  # the name that langsmith reads first
    if "langsmith.utils" in sys.modules:  # it remembers what it read
        sys.modules["langsmith.utils"].get_env_var.cache_clear()
    return asked and not key


def known_keys() -> set[str]:
    """Return the learner's keys, from the environment, from `.env` and from what start() read."""
    names = ("OPENAI_API_KEY", *TRACING_KEYS)
    found = {_changed[name][0] or "" for name in names if name in _changed}
    with contextlib.suppress(BackendError):
        settings = Settings(os.environ, default_env_file(), TEXTS["en"])
        found |= {settings.value(name) for name in names}
    return {key for key in found if len(key) >= SHORTEST_KEY} - {PLACEHOLDER, BUILTIN_KEY, NO_KEY}


def without_keys(text: str) -> str:
    """Return `text` without the learner's keys, nor what looks like one: services quote parts of them."""
    for key in known_keys():
        text = text.replace(key, "***")
    # Long and with a digit, or with a part left out by the service; other things begin so too.
    return re.sub(r"\bsk-(?:(?=[\w.-]*\d)[\w.-]{20,}|[\w.-]*\*{3}[\w*.-]*)", "sk-***", text)


def without_real_model() -> dict[str, str]:
    """Return this process's environment without whatever leads away from the built-in model.

    For building and testing, so that neither meets the key, the server or the tracing account of
    whoever runs it. The folder of trained networks is named, so that pages say nothing of it.
    """
    away = {*KNOWN} - {"COURSE_PACE"}
    kept = {name: value for name, value in os.environ.items() if name not in away}
    trained = os.environ.get("COURSE_TRAINED") or str(ENV_FILE.with_name(".trained"))
    chosen = {"COURSE_PROGRESS": os.devnull, "COURSE_TRAINED": trained}
    return {**kept, ENV_FILE_VARIABLE: os.devnull, **chosen}
