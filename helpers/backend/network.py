"""What the clients of openai and LangChain read about the network: proxies and certificates."""

from __future__ import annotations

import contextlib
import ipaddress
import os
from typing import TYPE_CHECKING

from helpers.backend import variables
from helpers.backend.settings import LOOPBACK, BackendError
from helpers.i18n import _

if TYPE_CHECKING:
    import httpx2

NO_PROXY = ("no_proxy", "NO_PROXY")  # in the order in which they count
PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# What the client reads when it is made, and may then refuse.
READ = ("OPENAI_PROXY", *PROXIES, *map(str.lower, PROXIES), *NO_PROXY, *CERTIFICATES)


def is_near(host: str) -> bool:
    """Return whether `host` is this machine or an address of a local network, as a teacher's is."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_private
    return host in LOOPBACK


def client(timeout: float = 10.0) -> httpx2.Client:
    """Return a client that goes the way of the chat models' calls; `timeout` is in seconds.

    What it raises with variables that it cannot use is of many kinds: ValueError, ImportError,
    OSError.
    """
    import httpx2

    proxy = os.environ.get("OPENAI_PROXY") or None
    return httpx2.Client(proxy=proxy, timeout=timeout, follow_redirects=True)


def go_near(*hosts: str) -> None:
    """Let calls reach loopback and `hosts` whatever is set: no proxy, and nothing that breaks the client."""
    variables.put(OPENAI_PROXY=None)  # langchain-openai's own, which NO_PROXY does not bind
    _take_away_unusable()
    said = next(filter(None, map(os.environ.get, NO_PROXY)), "")
    kept_off = [host.strip() for host in said.split(",") if host.strip()]
    missing = [host for host in dict.fromkeys((*LOOPBACK, *hosts)) if host not in kept_off]
    if missing and "*" not in kept_off:
        variables.put(**dict.fromkeys(NO_PROXY, ",".join(kept_off + missing)))


def go_out() -> None:
    """Raise BackendError, with the names, where variables keep the client from being made."""
    if away := _take_away_unusable():
        message = _(
            "The client cannot use {names} as the environment sets it. A proxy needs an address "
            "that begins with http:// (the programs that offer socks:// offer one, too), and "
            "certificates must lie where the variable says. Mend it, or take it out."
        )
        raise BackendError(message.format(names=", ".join(away)))


def _take_away_unusable() -> list[str]:
    """Take away those variables with which no client can be made; return their names."""
    present = [name for name in READ if name in os.environ]
    if not present or _client_can_be_made():
        return []
    variables.put(**dict.fromkeys(present))
    away = []
    for name in present:
        variables.give_back(name)
        if not _client_can_be_made():
            variables.put(**{name: None})
            away.append(name)
    return away


def _client_can_be_made() -> bool:
    try:
        client().close()
    except Exception:  # ValueError, ImportError, OSError, …: the client has the last word
        return False
    return True
