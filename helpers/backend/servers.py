"""Asks an OpenAI-compatible server which models it has, and says what is wrong with its address."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from helpers.backend import network
from helpers.backend.keys import without_keys
from helpers.backend.settings import BackendError, Settings
from helpers.i18n import _

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 10.0  # seconds for a server to list its models
PROBE = 5.0  # seconds for a server to answer at all, where the list is not needed

# Names of models that do not chat: servers list them among the others, often first.
NO_CHAT = re.compile(
    r"embed|rerank|whisper|transcri|speech|moderation|diffusion|dall-e|minilm"
    r"|(?<![a-z])(tts|asr|ocr|bge|gte|e5|clip|gpt-image|imagen|flux|sora|davinci|babbage)(?![a-z])",
    re.IGNORECASE,
)
# What people copy of a server's address beside the part that all its interfaces begin with.
INTERFACE = re.compile(
    r"/+(chat/completions|chat|completions|responses|embeddings|models|api(/\w+)?)$"
)


@dataclass(frozen=True)
class Address:
    """A server's address `url`, the variable that holds it, and in words where that was found."""

    name: str
    where: str
    url: str

    @property
    def host(self) -> str:
        """The host and the port, without a password that may stand before them."""
        parts = urlsplit(self.url)
        name = f"[{parts.hostname}]" if ":" in str(parts.hostname) else str(parts.hostname)
        return f"{name}:{parts.port}" if parts.port else name


def address(settings: Settings, name: str) -> Address:
    """Return the address that the variable `name` holds; raise BackendError for what is none."""
    url = settings.value(name).rstrip("/")
    found = Address(name, settings.where(name), url)
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname and found.host)
    except ValueError:
        good = False
    if not good or not re.fullmatch(r"[!-~]+", url):
        message = _(
            "{name} {where} is not an address such as http://127.0.0.1:11434/v1. "
            "Mend it, or take it out to use the built-in model."
        )
        raise BackendError(message.format(name=name, where=found.where))
    return found


def reach(address: Address, key: str) -> None:
    """Raise BackendError where no server answers at the address, or it does at another one."""
    import httpx2

    try:
        answer = _ask(address.url, key, PROBE)
    except httpx2.ReadTimeout:  # somebody is there, and busy
        return
    except httpx2.RequestError as error:
        raise _no_answer(address, error) from None
    if not _names(answer):
        _raise_for_address(address, answer, key)


def chat_models(address: Address, key: str) -> list[str]:
    """Return the models that the server lists and that chat; raise BackendError where there are none."""
    import httpx2

    try:
        answer = _ask(address.url, key, TIMEOUT)
    except httpx2.RequestError as error:
        raise _no_answer(address, error) from None
    names = _names(answer)
    chat = [name for name in names if not NO_CHAT.search(name)]
    if chat:
        return chat
    if not names:
        _raise_for_address(address, answer, key)
    if answer.status_code in (401, 403):
        text = _("The server at {host} does not take your key: {error}. Check OPENAI_API_KEY.")
    elif answer.is_success:
        text = _(
            "The server at {host} lists no model that chats ({names}). "
            "Load one there, or name one: OPENAI_MODEL=… in .env."
        )
    else:
        text = _(
            "The server at {host} does not list its models: {error}. "
            "Name one: OPENAI_MODEL=… in .env."
        )
    raise BackendError(
        text.format(host=address.host, error=_status(answer), names=shortened(names) or "–")
    )


def shortened(names: list[str]) -> str:
    """Return the first five of the names, for a message."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _ask(url: str, key: str, timeout: float) -> httpx2.Response:
    """Return what the server at `url` answers to the question for its models."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with network.client(timeout) as client:
        return client.get(f"{url}/models", headers=headers)


def _no_answer(address: Address, error: Exception) -> BackendError:
    """Return what to say of a server that is down, or speaks no HTTP."""
    text = _(
        "The server at {host} ({name} {where}) does not answer: {error}. "
        "Start it, or take {name} out to use the built-in model."
    )
    reason = without_keys(str(error)).rstrip(".") or type(error).__name__
    return BackendError(
        text.format(name=address.name, host=address.host, where=address.where, error=reason)
    )


def _raise_for_address(address: Address, answer: httpx2.Response, key: str) -> None:
    """Raise BackendError with the right address if there is a list of models at a similar one.

    `answer` has none: either nothing is there, or a page for people.
    """
    import httpx2

    if not answer.is_success and answer.status_code not in (404, 405):
        return
    parts = urlsplit(address.url)
    begin = INTERFACE.sub("", parts.path).rstrip("/")
    paths = [parts.path[: parts.path.find("/v1") + 3], begin, f"{begin}/v1", "/v1"]
    for path in dict.fromkeys(paths):
        try:
            if path == parts.path or not _names(
                _ask(parts._replace(path=path).geturl(), key, PROBE)
            ):
                continue
        except httpx2.RequestError:
            continue
        text = _("There is nothing at {name} {where}: the address should end in {path}: {address}")
        right = f"{parts.scheme}://{address.host}{path}"
        fields = {"name": address.name, "where": address.where, "path": path, "address": right}
        raise BackendError(text.format(**fields))


def _names(answer: httpx2.Response) -> list[str]:
    """Return the names in a list of models, none where the answer is no such list."""
    try:
        return [str(model["id"]) for model in answer.json()["data"]]
    except (ValueError, LookupError, TypeError):
        return []


def _status(answer: httpx2.Response) -> str:
    """Return an answer's status as `404 Not Found`, whatever words the server chose for it."""
    import httpx2

    return f"{answer.status_code} {httpx2.codes.get_reason_phrase(answer.status_code)}".strip()
