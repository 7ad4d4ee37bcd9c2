"""Opens JupyterLab on the course's first notebook, and says where it is once it answers."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from helpers import i18n
from helpers.i18n import LANGUAGES, _
from helpers.setup import CourseError, processes
from helpers.setup.files import write_whole
from helpers.setup.processes import typed

FIRST_PORT = 8888
LOCALES = {"en": "en", "zh": "zh_CN", "fr": "fr_FR"}  # JupyterLab's names for our languages


def lab_settings(root: Path, lang: str) -> Path:
    """Return the folder with JupyterLab's defaults for a reader of `lang`."""
    return root / ".venv" / "share" / "jupyter" / "lab" / "settings" / lang


def write_lab_settings(root: Path) -> None:
    """Write JupyterLab's defaults for each language; what a learner sets himself goes before them.

    They are its interface in that language, and no question whether it may fetch news.
    """
    for lang, locale in LOCALES.items():
        settings = {
            "@jupyterlab/apputils-extension:notification": {
                "fetchNews": "false",
                "checkForUpdates": False,
            },
            "@jupyterlab/translation-extension:plugin": {"locale": locale},
        }
        text = json.dumps(settings, indent=2) + "\n"
        write_whole(lab_settings(root, lang) / "overrides.json", text)


def is_free(port: int) -> bool:
    """Say whether a server can listen on `port` of this computer; 0, which stands for any, is none."""
    if port == 0:
        return False
    with socket.socket() as server:
        if os.name != "nt":  # on Windows this option means something else
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            return False
    return True


def choose_port(wanted: int | None) -> int:
    """Return `wanted` if it is free, the first free one from FIRST_PORT up if it is None.

    Raises CourseError where `wanted` is in use.
    """
    if wanted is not None and is_free(wanted):
        return wanted
    port = next(filter(is_free, range(FIRST_PORT, 65536)))
    if wanted is None:
        return port
    command = typed("lab", "--lang", i18n.language(), "--port", str(port))
    raise CourseError(
        _(
            "Port {port} cannot be used: another program answers there, perhaps another JupyterLab, or "
            "only an administrator may take it (below 1024).\n"
            "Stop that program, or take a free port. Type:\n\n    {command}"
        ).format(port=wanted, command=command)
    )


def check_notebooks(root: Path, lang: str) -> None:
    """Raise CourseError where the first notebook of `lang` is missing."""
    if not (root / "notebooks" / lang / "00-start.ipynb").is_file():
        found = [other for other in LANGUAGES if (root / "notebooks" / other).is_dir()]
        others = [other for other in found if other != lang] or ["en"]
        raise CourseError(
            _(
                "{notebook} is not there, so this copy of the course is not complete.\n"
                "Download it again, or choose another language (--lang {others}). Type:\n\n    {command}"
            ).format(
                notebook=f"notebooks/{lang}/00-start.ipynb",
                others="|".join(others),
                command=typed("lab", "--lang", others[0]),
            )
        )


def answers(server: str, token: str) -> bool:
    """Say whether the JupyterLab that knows `token` answers at the address `server`."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    # /api needs no token; /api/status does, so that somebody else's server is not taken for ours.
    request = urllib.request.Request(server + ("/api/status" if token else "/api"))
    if token:
        request.add_header("Authorization", f"token {token}")
    try:
        direct.open(request, timeout=2).close()
    except (OSError, http.client.HTTPException):
        return False
    return True


def serve(
    python: Path, root: Path, lang: str, port: int, ip: str = "127.0.0.1", extra: Sequence[str] = ()
) -> int:
    """Run JupyterLab with the interpreter `python` on `root` until it or the reader ends it.

    Its interface is in `lang`, unless the reader has chosen a language in its own settings.
    `extra` goes to JupyterLab, after our own arguments. Returns 0 after Ctrl-C, otherwise
    JupyterLab's exit code. Raises CourseError where it ends before it answers.
    """
    page = f"/lab/tree/notebooks/{lang}/00-start.ipynb"
    command = [
        str(python),
        *("-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={page}",
        f"--LabApp.app_settings_dir={lab_settings(root, lang)}",
        f"--ServerApp.ip={ip}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--Application.log_level=ERROR",
        "--ServerApp.answer_yes=True",
        "--KernelManager.transport_encryption=auto",
        "--FileContentsManager.pre_save_hook=helpers.backend.saving.before_save",
    ]
    if sys.platform != "win32" and os.geteuid() == 0:
        command.append("--allow-root")
    variables, token = {}, ""
    if not any("token" in argument or "password" in argument for argument in extra):
        # Handed over by the environment: everybody on this computer can read a command line.
        token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
        variables["JUPYTER_TOKEN"] = token
    host = "127.0.0.1" if ip in ("*", "0.0.0.0") else ip
    server = f"http://{host}:{port}"
    print(_("Starting JupyterLab …"), flush=True)
    child = subprocess.Popen(
        [*command, *extra], cwd=root, env=processes.child_environment(**variables)
    )
    try:
        while child.poll() is None and not answers(server, token):
            time.sleep(0.1)
        if child.poll() is None:
            address = server + page + (f"?token={token}" if token else "")
            running = _(
                "JupyterLab is running. If no browser opens, open this address:\n\n    {address}\n\n"
                "Ctrl-C in this window stops it."
            )
            print(running.format(address=address), flush=True)
            return child.wait()
    except KeyboardInterrupt:
        processes.stop(child, patience=5)
        return 0
    except BaseException:
        processes.stop(child)
        raise
    raise CourseError(
        _(
            "JupyterLab ended before it answered (exit code {code}). Its last lines, above, say why.\n"
            "If they do not help, delete the folder .venv and have it made anew. Type:\n\n    {command}"
        ).format(code=child.returncode, command=typed("lab", "--lang", lang))
    )
