"""Serves the built-in model to a whole room: python -m helpers serve."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import re
import secrets
import signal
import socket
import sys
import time

from helpers import backend
from helpers.builtin.server import MAX_CONNECTIONS, Server
from helpers.builtin.server import serve as start_server
from helpers.i18n import LANGUAGES, system_language
from helpers.setup import CourseError
from helpers.setup.environment import tell
from helpers.setup.processes import typed

PORT = 8000
TOKEN_VARIABLE = (
    "COURSE_TOKEN"  # not on the command line, which everybody on this computer can read
)
PATIENCE = 8.0  # seconds for the answers under way; processes.stop waits for 10

SERVING = {
    "en": "The built-in model answers at {url}.\n"
    "Your students write into their .env:\n\n    {lines}\n\n"
    "Ctrl-C stops it, once the answers under way are finished.",
    "zh": "内置模型正在 {url} 提供服务。\n请学生在各自的 .env 里写入：\n\n    {lines}\n\n"
    "按 Ctrl-C 停止；没答完的会先答完。",
    "fr": "Le modèle intégré répond à l'adresse {url}.\n"
    "Vos étudiants doivent mettre dans leur .env :\n\n    {lines}\n\n"
    "Ctrl-C l'arrête, une fois les réponses en cours terminées.",
}
STOPPING = {
    "en": "Stopping; the answers under way have {seconds:.0f} seconds.",
    "zh": "正在停止；没答完的还有 {seconds:.0f} 秒。",
    "fr": "Arrêt en cours : il reste {seconds:.0f} secondes pour finir les réponses commencées.",
}
TAKEN = {
    "en": "Port {port} is taken by another program. Choose another one with --port.",
    "zh": "端口 {port} 已被其他程序占用。请用 --port 另选一个。",
    "fr": "Le port {port} est déjà utilisé par un autre programme. Choisissez-en un autre avec --port.",
}
FORBIDDEN = {
    "en": "This computer does not allow you port {port}. Choose another one, from 1024 on, with --port.",
    "zh": "这台电脑不允许使用端口 {port}。请用 --port 另选一个 1024 或以上的端口。",
    "fr": "Cet ordinateur ne vous autorise pas à utiliser le port {port}. "
    "Choisissez-en un autre, à partir de 1024, avec --port.",
}
NO_HOST = {
    "en": "This computer has no address {host}. For the whole network, take --host 0.0.0.0.",
    "zh": "这台电脑没有地址 {host}。要向整个网络提供服务，请用 --host 0.0.0.0。",
    "fr": "Cet ordinateur n'a pas l'adresse {host}. Pour tout le réseau, prenez --host 0.0.0.0.",
}
BAD_TOKEN = {
    "en": "A token is made of ASCII letters, digits and signs, without spaces.",
    "zh": "令牌只能由 ASCII 字母、数字和符号组成，不能有空格。",
    "fr": "Un jeton d'accès se compose de lettres, de chiffres et de signes ASCII, sans espaces.",
}


def main(command: str, arguments: list[str]) -> int:
    """Run `python -m helpers serve` until Ctrl-C or SIGTERM; return the exit code."""
    parser = argparse.ArgumentParser(prog=typed(command))
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0: the whole network")
    parser.add_argument("--port", type=int, default=PORT, help=f"{PORT} unless given")
    parser.add_argument("--token", help=f"what students send as their key; also {TOKEN_VARIABLE}")
    parser.add_argument("--pace", type=float, help="tokens per second; 0: as fast as possible")
    parser.add_argument("--lang", choices=LANGUAGES, default=system_language())
    options = parser.parse_args(arguments)
    if options.pace is not None and not 0 <= options.pace < float("inf"):
        parser.error("--pace must be 0 or more")
    if not 0 <= options.port < 2**16:
        parser.error("--port must be from 0 to 65535")
    # Being stopped is the way to end. A shell lets what it starts with & ignore Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        token = choose_token(options.token, options.host, options.lang)
        pace = options.pace if options.pace is not None else pace_of_course(options.lang)
        server = listen(pace, options.host, options.port, token, options.lang)
    except (CourseError, backend.BackendError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    try:
        url = address_for_students(server.url)
        lines = f"OPENAI_BASE_URL={url}\n    OPENAI_API_KEY={token or 'no-key-needed'}"
        print(tell(SERVING, options.lang, url=url, lines=lines), flush=True)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        with contextlib.suppress(KeyboardInterrupt):  # the second one ends the patience
            print(tell(STOPPING, options.lang, seconds=PATIENCE), flush=True)
            server.close(PATIENCE)
        server.close()
    return 0


def choose_token(given: str | None, host: str, lang: str) -> str | None:
    """Return the token that clients must send; None on loopback, unless one is given."""
    token = given or os.environ.get(TOKEN_VARIABLE)
    if not token:
        return None if host in backend.LOOPBACK else secrets.token_urlsafe(16)
    if not re.fullmatch(r"[!-~]+", token):
        raise CourseError(tell(BAD_TOKEN, lang))
    return token


def pace_of_course(lang: str) -> float:
    """Return the pace that the environment or `.env` sets. Raises BackendError."""
    texts = backend.TEXTS[lang]
    return backend.find_pace(backend.Settings(os.environ, backend.default_env_file(), texts), texts)


def listen(pace: float, host: str, port: int, token: str | None, lang: str) -> Server:
    """Start the server. Raises CourseError where it cannot listen."""
    try:
        return start_server(pace, host, port, token, allow_files(MAX_CONNECTIONS))
    except OSError as error:
        texts = {errno.EADDRINUSE: TAKEN, errno.EACCES: FORBIDDEN, errno.EPERM: FORBIDDEN}
        text = tell(texts.get(error.errno or 0, NO_HOST), lang, host=host, port=port)
        raise CourseError(text) from error


def allow_files(connections: int) -> int:
    """Let this process open files for so many connections; return how many it may have."""
    if sys.platform == "win32":  # there an event loop takes 512 at most
        return min(connections, 240)
    import resource

    wanted = 2 * connections + 100  # the server takes twice as many, to say that it is full
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(1, (allowed - 100) // 2)


def address_for_students(url: str) -> str:
    """Return `url` with this computer's address in its network where it stands for all of them."""
    for everywhere, family, outside in (
        ("//0.0.0.0:", socket.AF_INET, "192.0.2.1"),
        ("//[::]:", socket.AF_INET6, "2001:db8::1"),
    ):
        if everywhere in url:
            # Connecting a datagram socket sends nothing; it finds out which way a packet would go.
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                try:
                    probe.connect((outside, 9))
                    name = probe.getsockname()[0]
                except OSError:  # no network
                    name = socket.gethostname()
            return url.replace(everywhere, f"//[{name}]:" if ":" in name else f"//{name}:")
    return url
