"""Open JupyterLab on the course's first notebook, and say where it is once it answers."""

from __future__ import annotations

import argparse
import http.client
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from helpers.i18n import LANGUAGES, system_language
from helpers.setup import ROOT, CourseError, environment, processes
from helpers.setup.environment import tell
from helpers.setup.processes import typed

FIRST_PORT = 8888

STARTING = {
    "en": "Starting JupyterLab …",
    "zh": "正在启动 JupyterLab……",
    "fr": "Démarrage de JupyterLab…",
}
SERVING = {
    "en": "JupyterLab is running. If no browser opens, open this address:\n\n    {address}\n\n"
    "Ctrl-C in this window stops it.",
    "zh": "JupyterLab 正在运行。如果浏览器没有自动打开，请打开这个地址：\n\n    {address}\n\n"
    "在这个窗口按 Ctrl-C 即可停止。",
    "fr": "JupyterLab est lancé. Si aucun navigateur ne s'ouvre, ouvrez cette adresse :\n\n"
    "    {address}\n\nCtrl-C dans cette fenêtre l'arrête.",
}
NO_NOTEBOOKS = {
    "en": "{notebook} is not there, so this copy of the course is not complete.\n"
    "Download it again, or choose another language (--lang {others}). Type:\n\n    {command}",
    "zh": "找不到 {notebook}，说明这份课程不完整。\n"
    "请重新下载，或者换一种语言（--lang {others}）。请输入：\n\n    {command}",
    "fr": "{notebook} est introuvable : cette copie du cours est incomplète.\n"
    "Téléchargez-la à nouveau ou choisissez une autre langue (--lang {others}). Tapez :\n\n"
    "    {command}",
}
PORT_IN_USE = {
    "en": "Port {port} cannot be used: another program answers there, perhaps another JupyterLab, or "
    "only an administrator may take it (below 1024).\n"
    "Stop that program, or take a free port. Type:\n\n    {command}",
    "zh": "端口 {port} 不能使用：另一个程序正在使用它，也许是另一个 JupyterLab；"
    "或者只有管理员才能使用它（1024 以下）。\n"
    "请停止那个程序，或者换一个空闲的端口。请输入：\n\n    {command}",
    "fr": "Le port {port} est inutilisable : un autre programme y répond, peut-être un autre "
    "JupyterLab, ou il est réservé à l'administrateur (au-dessous de 1024).\n"
    "Arrêtez ce programme ou prenez un port libre. Tapez :\n\n    {command}",
}
DIED = {
    "en": "JupyterLab ended before it answered (exit code {code}). Its last lines, above, say why.\n"
    "If they do not help, delete the folder .venv and have it made anew. Type:\n\n    {command}",
    "zh": "JupyterLab 还没有响应就退出了（退出码 {code}）。上面的最后几行说明了原因。\n"
    "如果看不出原因，请删除文件夹 .venv，让它重新创建。请输入：\n\n    {command}",
    "fr": "JupyterLab s'est arrêté avant de répondre (code {code}). Ses dernières lignes, "
    "ci-dessus, disent pourquoi.\n"
    "Si elles ne suffisent pas, supprimez le dossier .venv ; il sera recréé. Tapez :\n\n"
    "    {command}",
}


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


def choose_port(wanted: int | None, lang: str) -> int:
    """Return `wanted` if it is free, the first free one from FIRST_PORT up if it is None.

    Raises CourseError where `wanted` is in use.
    """
    if wanted is not None and is_free(wanted):
        return wanted
    port = next(filter(is_free, range(FIRST_PORT, 65536)))
    if wanted is None:
        return port
    command = typed("lab", "--lang", lang, "--port", str(port))
    raise CourseError(tell(PORT_IN_USE, lang, port=wanted, command=command))


def check_notebooks(root: Path, lang: str) -> None:
    """Raise CourseError where the first notebook of `lang` is missing."""
    if not (root / "notebooks" / lang / "00-start.ipynb").is_file():
        found = [other for other in LANGUAGES if (root / "notebooks" / other).is_dir()]
        others = [other for other in found if other != lang] or ["en"]
        command = typed("lab", "--lang", others[0])
        fields = {"notebook": f"notebooks/{lang}/00-start.ipynb", "others": "|".join(others)}
        raise CourseError(tell(NO_NOTEBOOKS, lang, command=command, **fields))


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
        f"--LabApp.app_settings_dir={environment.lab_settings(root, lang)}",
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
    print(tell(STARTING, lang), flush=True)
    child = subprocess.Popen(
        [*command, *extra], cwd=root, env=processes.child_environment(**variables)
    )
    try:
        while child.poll() is None and not answers(server, token):
            time.sleep(0.1)
        if child.poll() is None:
            address = server + page + (f"?token={token}" if token else "")
            print(tell(SERVING, lang, address=address), flush=True)
            return child.wait()
    except KeyboardInterrupt:
        processes.stop(child, patience=5)
        return 0
    except BaseException:
        processes.stop(child)
        raise
    restart = typed("lab", "--lang", lang)
    raise CourseError(tell(DIED, lang, code=child.returncode, command=restart))


def main(argv: Sequence[str]) -> int:
    """Set up and open the course; `argv` is what stands after `lab`. Raises CourseError."""
    parser = argparse.ArgumentParser(typed("lab"), add_help=False, allow_abbrev=False)
    parser.add_argument("--lang", choices=LANGUAGES, default=system_language())
    parser.add_argument("--port", type=int)
    parser.add_argument("--ip", default="127.0.0.1")
    options, extra = parser.parse_known_args(argv)
    check_notebooks(ROOT, options.lang)
    python = environment.set_up(options.lang)
    port = choose_port(options.port, options.lang)
    return serve(python, ROOT, options.lang, port, options.ip, extra)
