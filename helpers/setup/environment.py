"""Make the course's own Python environment, .venv, and keep it in step with its requirements."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from helpers.setup import ROOT, CourseError
from helpers.setup.files import try_lock, write_whole
from helpers.setup.processes import child_environment, is_inside, python_of, stop, typed

OLDEST_PYTHON = (3, 10)

PYTHON_TOO_OLD = {
    "en": "This is Python {found}; the course needs {oldest} or newer.\n"
    "Install a newer one from https://www.python.org/downloads/ and type, with its name:\n\n"
    "    {name} -m helpers {arguments}",
    "zh": "当前的 Python 是 {found}，本课程需要 {oldest} 或更新的版本。\n"
    "请从 https://www.python.org/downloads/ 安装新版本，然后用它的名字输入：\n\n"
    "    {name} -m helpers {arguments}",
    "fr": "Ce Python est en version {found} ; le cours demande au moins la version {oldest}.\n"
    "Installez-en un plus récent depuis https://www.python.org/downloads/, puis tapez, "
    "avec son nom :\n\n    {name} -m helpers {arguments}",
}
NO_ENSUREPIP = {
    "en": "This Python comes without ensurepip, so it cannot make an environment of its own.\n"
    "On Debian and Ubuntu that is a package of its own (python3-venv). Type:\n\n"
    "    sudo apt install {package}\n    {command}\n\n"
    "Elsewhere, install Python from https://www.python.org/downloads/.",
    "zh": "这个 Python 没有自带 ensurepip，因此无法创建独立的环境。\n"
    "在 Debian 和 Ubuntu 上，它在单独的软件包（python3-venv）里。请输入：\n\n"
    "    sudo apt install {package}\n    {command}\n\n"
    "在其他系统上，请从 https://www.python.org/downloads/ 安装 Python。",
    "fr": "Ce Python est livré sans ensurepip : il ne peut pas créer d'environnement.\n"
    "Sous Debian et Ubuntu, c'est un paquet à part (python3-venv). Tapez :\n\n"
    "    sudo apt install {package}\n    {command}\n\n"
    "Ailleurs, installez Python depuis https://www.python.org/downloads/.",
}
NO_NETWORK = {
    "en": "The packages could not be downloaded: the connection failed.\n"
    "What was downloaded is kept. When the network is back, go on with the same command:\n\n"
    "    {command}\n\n"
    "Behind a proxy, first set HTTPS_PROXY to its address, for example "
    "http://proxy.example.org:3128.\nEverything that pip said: {log}",
    "zh": "软件包没有下载成功：网络连接失败。\n"
    "已经下载的内容会保留。网络恢复后，输入同一条命令就会接着做：\n\n"
    "    {command}\n\n"
    "如果要经过代理，请先把 HTTPS_PROXY 设为代理的地址，例如 "
    "http://proxy.example.org:3128。\npip 的完整输出：{log}",
    "fr": "Les paquets n'ont pas pu être téléchargés : la connexion a échoué.\n"
    "Ce qui a été téléchargé est conservé. Une fois le réseau rétabli, reprenez avec la même "
    "commande :\n\n    {command}\n\n"
    "Derrière un proxy, donnez d'abord son adresse à HTTPS_PROXY, par exemple "
    "http://proxy.example.org:3128.\nTout ce que pip a dit : {log}",
}
DISK_FULL = {
    "en": "The disk is full, so the environment is not complete (it takes about 550 MB, and 1.9 GB "
    "with what training needs).\n"
    "Free about 1 GB (3 GB for training) and go on with the same command:\n\n    {command}",
    "zh": "磁盘已满，环境没有装完（大约需要 550 MB；加上训练所需的软件包，大约 1.9 GB）。\n"
    "请腾出大约 1 GB 空间（训练需要 3 GB），然后用同一条命令继续：\n\n    {command}",
    "fr": "Le disque est plein : l'environnement est incomplet (il occupe environ 550 Mo, et 1,9 Go "
    "avec ce que demande l'entraînement).\n"
    "Libérez environ 1 Go (3 Go pour l'entraînement) et reprenez avec la même commande :\n\n"
    "    {command}",
}
READ_ONLY = {
    "en": "This folder cannot be written to, so the environment cannot be made in it:\n\n"
    "    {root}\n\nCopy it into your home folder, change to the copy and type:\n\n    {command}",
    "zh": "这个文件夹不可写，无法在其中创建环境：\n\n"
    "    {root}\n\n请把它复制到你的主目录，进入副本，然后输入：\n\n    {command}",
    "fr": "Ce dossier n'est pas accessible en écriture : l'environnement ne peut pas y être créé.\n"
    "\n    {root}\n\nCopiez-le dans votre dossier personnel, entrez dans la copie et tapez :\n\n"
    "    {command}",
}
FAILED = {
    "en": "The environment could not be completed. The last lines are:\n\n{lines}\n\n"
    "If JupyterLab is open, close it, and type the same command again:\n\n    {command}\n\n"
    "If that does not help, delete the folder .venv first. Everything that pip said: {log}",
    "zh": "环境没有装完。最后几行输出是：\n\n{lines}\n\n"
    "如果 JupyterLab 开着，请先关闭它，再输入同一条命令：\n\n    {command}\n\n"
    "如果还不行，请先删除文件夹 .venv。pip 的完整输出：{log}",
    "fr": "L'environnement n'a pas pu être achevé. Voici les dernières lignes :\n\n{lines}\n\n"
    "Si JupyterLab est ouvert, fermez-le, puis tapez à nouveau la même commande :\n\n"
    "    {command}\n\n"
    "Si cela ne suffit pas, supprimez d'abord le dossier .venv. Tout ce que pip a dit : {log}",
}
INTERRUPTED = {
    "en": "Stopped. The same command goes on from here:\n\n    {command}",
    "zh": "已停止。输入同一条命令就会接着做：\n\n    {command}",
    "fr": "Arrêté. La même commande reprend où elle en était :\n\n    {command}",
}
WAITING = {
    "en": "Another window is setting up this course; waiting for it.",
    "zh": "另一个窗口正在安装本课程，请稍候。",
    "fr": "Une autre fenêtre installe ce cours ; attente de la fin.",
}
CREATING = {
    "en": "Step 1 of 2: creating the environment {venv} (once, about 550 MB)",
    "zh": "第 1 步，共 2 步：创建环境 {venv}（只需一次，约 550 MB）",
    "fr": "Étape 1 sur 2 : création de l'environnement {venv} (une seule fois, environ 550 Mo)",
}
KEEPING = {
    "en": "Step 1 of 2: the environment is there",
    "zh": "第 1 步，共 2 步：环境已经存在",
    "fr": "Étape 1 sur 2 : l'environnement existe déjà",
}
INSTALLING = (
    {
        "en": "Step 2 of 2: looking up packages, {done} of {total}",
        "zh": "第 2 步，共 2 步：正在查找软件包，{done}/{total}",
        "fr": "Étape 2 sur 2 : recherche des paquets, {done} sur {total}",
    },
    {
        "en": "Step 2 of 2: downloading packages, {done} of {total}",
        "zh": "第 2 步，共 2 步：正在下载软件包，{done}/{total}",
        "fr": "Étape 2 sur 2 : téléchargement des paquets, {done} sur {total}",
    },
    {
        "en": "Step 2 of 2: installing packages, {done} of {total}",
        "zh": "第 2 步，共 2 步：正在安装软件包，{done}/{total}",
        "fr": "Étape 2 sur 2 : installation des paquets, {done} sur {total}",
    },
)
READY = {
    "en": "The environment is ready.",
    "zh": "环境已就绪。",
    "fr": "L'environnement est prêt.",
}

TRAINING_READY = {
    "en": "What training needs is installed. Restart the kernel of any notebook that is open.",
    "zh": "训练所需的软件包已经装好。如果有打开的笔记本，请重启它的内核。",
    "fr": "Ce que demande l'entraînement est installé. "
    "Redémarrez le noyau des notebooks qui sont ouverts.",
}

# What is added to the environment when it is asked for, and the file that pins it.
EXTRAS = {"training": "training.txt", "browser": "browser.txt"}

# What pip says when it is the network that failed. It differs between versions, and may be no more
# than that it found no version at all of a package.
NETWORK_FAILURE = re.compile(
    r"(Connection|Timeout|Proxy|SSL|NameResolution|Protocol)Error"
    r"|onnection (broken|aborted|refused|reset)|timed out|from versions: none|Max retries"
)
# Prints where packages go, if this Python is new enough to be of use.
PROBE = (
    f"import sys, sysconfig; sys.exit(1) if sys.version_info < {OLDEST_PYTHON} "
    "else print(sysconfig.get_path('purelib'))"
)
# JupyterLab's names for the course's languages.
LOCALES = {"en": "en", "zh": "zh_CN", "fr": "fr_FR"}


def tell(texts: dict[str, str], lang: str, **fields: object) -> str:
    """Return the text for `lang` with `fields` filled in and French spaces made non-breaking."""
    text = texts[lang]
    if lang == "fr":
        text = re.sub(r" (?=[:;!?»])|(?<=«) ", "\u00a0", text)
    return text.format(**fields)


def check_python(lang: str, version: Sequence[Any] = sys.version_info) -> None:
    """Raise CourseError where `version` of Python is too old for the course."""
    if tuple(version[:2]) < OLDEST_PYTHON:
        found, oldest = (".".join(map(str, pair)) for pair in (version[:2], OLDEST_PYTHON))
        name = "py -3" if os.name == "nt" else "python3.12"
        arguments = subprocess.list2cmdline(sys.argv[1:])
        raise CourseError(
            tell(PYTHON_TOO_OLD, lang, found=found, oldest=oldest, name=name, arguments=arguments)
        )


def extras_in(root: Path) -> set[str]:
    """Return which of EXTRAS were added to the environment under `root`."""
    return {extra for extra in EXTRAS if (root / ".venv" / extra).exists()}


def requirements(root: Path, extras: set[str]) -> list[Path]:
    """Return the files that say what is to be installed, with these of EXTRAS."""
    names = [name for extra, name in EXTRAS.items() if extra in extras]
    folder = root / "helpers" / "setup" / "requirements"
    return [root / "requirements.txt", *(folder / name for name in names)]


def stamp_of(root: Path) -> dict[str, str]:
    """Return what was true when the environment under `root` was finished, if it still is.

    The interpreter's real path changes when the system's Python is replaced by another version.
    """
    content = b"".join(path.read_bytes() for path in requirements(root, extras_in(root)))
    return {
        "requirements": hashlib.sha256(content).hexdigest(),
        "python": os.path.realpath(python_of(root / ".venv")),
        "venv": str(root / ".venv"),
    }


def read_stamp(venv: Path) -> dict[str, str]:
    """Return what was noted when `venv` was finished; nothing where it was not."""
    try:
        stamp = json.loads((venv / "course.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def is_current(root: Path) -> bool:
    """Say whether the environment under `root` is complete; starts no process."""
    venv = root / ".venv"
    return python_of(venv).exists() and read_stamp(venv) == stamp_of(root)


def site_packages(python: Path) -> Path | None:
    """Return where `python` keeps its packages; None where it does not run or has no pip."""
    command = [str(python), "-c", PROBE]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        said = subprocess.check_output(command, stderr=subprocess.DEVNULL, env=child_environment())
        site = Path(said.decode("utf-8").strip())
        return site if any(map(is_whole, site.glob("pip-*.dist-info"))) else None
    return None


def is_whole(package: Path) -> bool:
    """Say whether pip finished installing the package whose .dist-info folder this is.

    The last thing that pip does is to add its own files, INSTALLER among them, to RECORD; a pip
    that was killed before takes the package for installed the next time.
    """
    record = package / "RECORD"
    return record.exists() and "/INSTALLER," in record.read_text(encoding="utf-8")


@contextlib.contextmanager
def lock(venv: Path, lang: str) -> Iterator[None]:
    """Let one set-up at a time work on `venv`.

    The operating system opens the lock when its holders have ended, however they ended. Children
    inherit it (not on Windows), so that a pip that outlives us is waited for.
    """
    key = hashlib.sha256(os.fsencode(f"{venv}\n{Path('~').expanduser()}")).hexdigest()[:16]
    with Path(tempfile.gettempdir(), f"course-{key}.lock").open("a") as file:
        os.set_inheritable(file.fileno(), True)
        if not try_lock(file):
            print(tell(WAITING, lang))
            while not try_lock(file):
                time.sleep(0.3)
        yield


def progress(log: str, required: int, added: int) -> tuple[int, int, int]:
    """Return how far pip is: the index into INSTALLING, packages done, packages in all.

    `log` is what pip has said, `required` the number of requirements, `added` the
    number of packages that have appeared since pip began (it says nothing while it installs).
    """
    lines = [line.strip() for line in log.splitlines()]
    for line in lines:
        if line.startswith("Installing collected packages: "):
            total = line.count(", ") + 1
            return 2, min(max(added, 0), total), total
    required -= sum(line.startswith("Ignoring ") for line in lines)
    wanted = sum(line.startswith("Collecting ") for line in lines)
    there = sum(line.startswith("Requirement already satisfied: ") for line in lines)
    if wanted + there < required or not wanted:
        return 0, wanted + there, required
    fetched = sum(
        line.startswith(("Downloading ", "Using cached ")) and ".metadata" not in line
        for line in lines
    )
    return 1, min(fetched, wanted), wanted


def create(root: Path, lang: str) -> None:
    """Make the environment under `root` anew. Raises CourseError, OSError."""
    venv = root / ".venv"
    print(tell(CREATING, lang, venv=venv))
    command = typed(*sys.argv[1:])
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        raise CourseError(tell(NO_ENSUREPIP, lang, package=package, command=command))
    venv.mkdir(exist_ok=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(venv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=child_environment(),
        close_fds=False,  # the lock
    )
    if made.returncode:
        raise failure(made.stdout.decode("utf-8", "replace"), root, lang)


def install(python: Path, site: Path, root: Path, lang: str, extras: set[str]) -> None:
    """Install the requirements and show how far it is. Raises CourseError, OSError."""
    files = requirements(root, extras)
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    required = sum(bool(line.strip()) and line.lstrip()[0] not in "#-" for line in lines)
    before = len(list(site.glob("*.dist-info")))
    log = root / ".venv" / "install.log"
    command = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    command += [
        "--disable-pip-version-check",
        *(part for file in files for part in ("-r", str(file))),
    ]
    shown, shown_at = -1, 0.0
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=child_environment(PIP_USER="0"),
            close_fds=False,  # the lock
        )
        try:
            while child.poll() is None:
                said = log.read_text(encoding="utf-8", errors="replace")
                added = len(list(site.glob("*.dist-info"))) - before
                phase, done, total = progress(said, required, added)
                line = tell(INSTALLING[phase], lang, done=done, total=total)
                if sys.stdout.isatty():
                    print("\r" + line.ljust(60), end="", flush=True)
                elif phase != shown or time.monotonic() - shown_at > 15:
                    print(line, flush=True)
                    shown, shown_at = phase, time.monotonic()
                time.sleep(0.2)
        except BaseException:
            stop(child)
            raise
        finally:
            if sys.stdout.isatty():
                print()
    if child.returncode:
        raise failure(log.read_text(encoding="utf-8", errors="replace"), root, lang)


def failure(said: str, root: Path, lang: str) -> CourseError:
    """Return the error that explains what a failed pip or venv `said`."""
    lines = said.strip().splitlines()[-8:]
    texts = FAILED
    if "[Errno 28]" in said:
        texts = DISK_FULL
    elif NETWORK_FAILURE.search(said):
        texts = NO_NETWORK
    fields = {"lines": "\n".join("    " + line for line in lines), "root": root}
    log = root / ".venv" / "install.log"
    return CourseError(tell(texts, lang, command=typed(*sys.argv[1:]), log=log, **fields))


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
        write_whole(
            lab_settings(root, lang) / "overrides.json", json.dumps(settings, indent=2) + "\n"
        )


def make(root: Path, lang: str, extra: str | None) -> None:
    """Create or complete the environment under `root`. Raises CourseError, OSError.

    One of EXTRAS is installed if it is asked for now or was there before. That it is there is noted
    at the end: where it cannot be had, the rest of the course goes on without it.
    """
    venv = root / ".venv"
    extras = extras_in(root) | ({extra} if extra else set())
    python = python_of(venv)
    site = site_packages(python)
    moved = read_stamp(venv).get("venv", str(venv)) != str(venv)
    if is_inside(venv) or (site and not moved):
        print(tell(KEEPING, lang))
    else:
        create(root, lang)
        site = site_packages(python)
    if site is None:
        raise failure(f"{python} -m pip", root, lang)
    (venv / "course.json").unlink(missing_ok=True)
    for package in site.glob("*.dist-info"):
        if not is_whole(package):
            shutil.rmtree(package)
    install(python, site, root, lang, extras)
    # Relative, so that it is plain ASCII whatever the folders are called; site.py joins it to
    # the folder that it stands in.
    write_whole(site / "course.pth", os.path.relpath(root, site) + "\n")
    write_lab_settings(root)
    for added in extras:
        (venv / added).touch()
    write_whole(venv / "course.json", json.dumps(stamp_of(root), indent=2))
    print(tell(READY, lang))


def set_up(lang: str, root: Path = ROOT, extra: str | None = None) -> Path:
    """Make sure that the environment under `root` is complete, and return its interpreter.

    `lang` is the language of what is printed. With one of EXTRAS that includes what it needs, from
    then on. Raises CourseError with what the reader can do.
    """
    venv = root / ".venv"

    def complete() -> bool:
        return is_current(root) and (extra is None or extra in extras_in(root))

    try:
        if not complete():
            with lock(venv, lang):
                if not complete():
                    make(root, lang, extra)
    except OSError as error:
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            command = typed(*sys.argv[1:])
            raise CourseError(tell(READ_ONLY, lang, root=root, command=command)) from error
        raise failure(str(error), root, lang) from error
    return python_of(venv)
