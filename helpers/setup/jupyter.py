"""Opens JupyterLab on the course's first notebook, and says where it is once it answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers import i18n
from helpers.i18n import LANGUAGES, _
from helpers.setup import CourseError, processes
from helpers.setup.files import write_whole
from helpers.setup.processes import typed

FIRST_PORT = 8888
PATIENCE = 30  # seconds, after which the reader is told that JupyterLab is not there yet
# JupyterLab breaks a long line that was printed in the middle of a word.
STYLE = """.jp-Notebook .jp-OutputArea-output pre {
  word-break: normal;
  overflow-wrap: anywhere;
}
"""
LOCALES = {"en": "en", "zh": "zh_CN", "fr": "fr_FR"}  # JupyterLab's names for our languages


def write_lab_settings(folder: Path, lang: str) -> None:
    """Write JupyterLab's defaults for a reader of `lang`; what a learner sets himself goes before them.

    They are its interface in that language, and no question whether it may fetch news. Beside them
    stands STYLE.
    """
    settings = {
        "@jupyterlab/apputils-extension:notification": {
            "fetchNews": "false",
            "checkForUpdates": False,
        },
        "@jupyterlab/translation-extension:plugin": {"locale": LOCALES[lang]},
    }
    write_whole(folder / "overrides.json", json.dumps(settings, indent=2) + "\n")
    write_whole(folder / "custom" / "custom.css", STYLE)


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


def server_info(runtime: Path) -> dict[str, Any] | None:
    """Return what the JupyterLab whose runtime folder this is says of itself, None before it does.

    It says so a moment before it listens: `listens` tells whether it does.
    """
    for path in runtime.glob("jpserver-*.json"):
        with contextlib.suppress(ValueError):  # it is being written
            info = json.loads(path.read_text(encoding="utf-8"))
            return info if isinstance(info, dict) else None
    return None


def reachable_host(info: dict[str, Any]) -> str:
    """Return the address under which this computer reaches the server that says `info` of itself."""
    listens_on = str(info["hostname"])
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(listens_on, listens_on)


def listens(info: dict[str, Any]) -> bool:
    """Say whether the server that says `info` of itself takes connections; a file socket's is believed."""
    if info["sock"]:
        return True
    try:
        socket.create_connection((reachable_host(info), info["port"]), timeout=2).close()
    except OSError:
        return False
    return True


def wait_until_there(
    child: subprocess.Popen[bytes], runtime: Path, python: Path
) -> dict[str, Any] | None:
    """Return `server_info` as soon as it listens; None where `child`, the JupyterLab, ends before."""
    patient_until: float = time.monotonic() + PATIENCE
    info = server_info(runtime)
    while (info is None or not listens(info)) and child.poll() is None:
        if time.monotonic() > patient_until:
            patient_until = float("inf")
            text = _(
                "JupyterLab has not answered for {seconds} seconds. On a slow computer it may need a few "
                "minutes. If nothing comes, stop it with Ctrl-C: the cause may be your own settings of "
                "Jupyter. Where they are, this tells:\n\n    {command}"
            )
            paths = subprocess.list2cmdline([str(python), "-m", "jupyter", "--paths"])
            print(text.format(seconds=PATIENCE, command=paths), flush=True)
        time.sleep(0.1)
        info = server_info(runtime)
    return info if child.poll() is None else None


def address(info: dict[str, Any], page: str, token: str) -> str:
    """Return the address at which a browser on this computer finds `page`.

    `info` is what the server says of itself: the reader's own settings may have moved it. The token
    is part of the address if it is `token`, which we gave it; the reader's own stays with the reader.
    """
    if info["sock"]:
        return str(info["url"])  # no browser can open it, but whoever asked for a socket knows
    host = reachable_host(info)
    host = f"[{host}]" if ":" in host else host
    scheme = "https" if info["secure"] else "http"
    base = info["base_url"].rstrip("/")
    query = f"?token={token}" if token and info["token"] == token else ""
    return f"{scheme}://{host}:{info['port']}{base}{page}{query}"


def serve(
    python: Path, root: Path, lang: str, port: int, ip: str = "127.0.0.1", extra: Sequence[str] = ()
) -> int:
    """Run JupyterLab with the interpreter `python` on `root` until it or the reader ends it, and say where.

    Its interface is in `lang`, unless the reader has chosen a language in its own settings.
    `extra` goes to JupyterLab, after our own arguments. Returns 0 after Ctrl-C, otherwise
    JupyterLab's exit code. Raises CourseError where it ends before it answers.
    """
    with tempfile.TemporaryDirectory(prefix="course-lab-", ignore_cleanup_errors=True) as folder:
        return serve_from(Path(folder), python, root, lang, port, ip, extra)


def serve_from(
    folder: Path, python: Path, root: Path, lang: str, port: int, ip: str, extra: Sequence[str]
) -> int:
    """Run JupyterLab as `serve` does. What it notes while it runs is in `folder`, its own alone."""
    page = f"/lab/tree/notebooks/{lang}/00-start.ipynb"
    settings, runtime = folder / "settings", folder / "runtime"
    runtime.mkdir()
    write_lab_settings(settings, lang)
    # No option of JupyterLab's own says where STYLE is.
    style = {"static_custom_path": [str(settings / "custom")]}
    command = [
        str(python),
        *("-m", "jupyterlab"),
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url={page}",
        f"--LabApp.app_settings_dir={settings}",
        "--LabApp.custom_css=True",
        f"--ServerApp.tornado_settings={style}",
        "--Application.log_level=ERROR",
        "--ServerApp.answer_yes=True",
        "--KernelManager.transport_encryption=auto",
        "--FileContentsManager.pre_save_hook=helpers.backend.saving.before_save",
    ]
    if not any("sock" in argument for argument in extra):
        command += [f"--ServerApp.ip={ip}", f"--ServerApp.port={port}"]
        command += ["--ServerApp.port_retries=0", "--ServerApp.sock="]
    if sys.platform != "win32" and os.geteuid() == 0:
        command.append("--allow-root")
    # The course's own kernel goes before one of that name that the user has installed.
    variables = {"JUPYTER_RUNTIME_DIR": str(runtime), "JUPYTER_PREFER_ENV_PATH": "1"}
    token = ""
    if not any("token" in argument or "password" in argument for argument in extra):
        # Handed over by the environment: everybody on this computer can read a command line.
        token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(24)
        variables["JUPYTER_TOKEN"] = token
    print(_("Starting JupyterLab …"), flush=True)
    child = subprocess.Popen(
        [*command, *extra], cwd=root, env=processes.child_environment(**variables)
    )
    try:
        info = wait_until_there(child, runtime, python)
        if info is not None:
            running = _(
                "JupyterLab is running. If no browser opens, open this address:\n\n    {address}\n\n"
                "Ctrl-C in this window stops it."
            )
            print(running.format(address=address(info, page, token)), flush=True)
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
