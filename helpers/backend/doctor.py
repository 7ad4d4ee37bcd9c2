"""Looks at everything the course needs and says what it finds, without ever printing a key."""

from __future__ import annotations

import argparse
import importlib.metadata
import io
import platform
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter

from packaging.requirements import Requirement

from helpers import backend, i18n
from helpers.i18n import LANGUAGES, system_language
from helpers.setup import ROOT
from helpers.setup.processes import typed

TEXTS = {
    "en": {
        "python": "Python {version}",
        "old": "Python {version} is too old: install 3.10 or newer, then run python3 -m helpers lab",
        "packages": "{count} packages, as requirements.txt pins them",
        "wrong": "Packages that are missing or not as requirements.txt pins them ({count}): {names}. "
        "Run: python3 -m helpers lab",
        "env": ".env: {names} set",
        "no_env": ".env: none, and none is needed",
        "answered": "{model} answered in {seconds} s",
        "failed": "{model} did not answer. Check the key, the address and the model in .env, and the "
        "network. The service said: {error}",
    },
    "zh": {
        "python": "Python {version}",
        "old": "Python {version} 太旧：请安装 3.10 或更新的版本，再运行 python3 -m helpers lab",
        "packages": "{count} 个软件包，版本与 requirements.txt 一致",
        "wrong": "{count} 个软件包与 requirements.txt 不一致：{names}。请运行：python3 -m helpers lab",
        "env": ".env：设置了 {names}",
        "no_env": ".env：没有，也不需要",
        "answered": "{model} 在 {seconds} 秒内作答",
        "failed": "{model} 没有作答。请检查 .env 里的密钥、地址和模型，以及网络。服务器的说明：{error}",
    },
    "fr": {
        "python": "Python {version}",
        "old": "Python {version} est trop ancien\u00a0: installez la version 3.10 ou une plus récente, "
        "puis lancez python3 -m helpers lab",
        "packages": "{count} paquets, aux versions que fixe requirements.txt",
        "wrong": "Paquets absents ou d'une autre version que dans requirements.txt ({count})\u00a0: {names}. "
        "Lancez\u00a0: python3 -m helpers lab",
        "env": ".env\u00a0: contient {names}",
        "no_env": ".env\u00a0: absent, et ce n'est pas nécessaire",
        "answered": "{model} a répondu en {seconds} s",
        "failed": "{model} n'a pas répondu. Vérifiez la clé, l'adresse et le modèle dans .env, et le "
        "réseau. Le service a dit\u00a0: {error}",
    },
}


def doctor() -> bool:
    """Print one line for each thing looked at, `ok` or `!!`; return whether all is well.

    The language and the chat model are those of the notebook (of the last `start()`). One short
    question goes to the chat model.
    """
    texts = TEXTS[i18n.language()]
    well = True

    def say(good: bool, line: str) -> None:
        nonlocal well
        well = well and good
        print("ok" if good else "!!", line)

    version = platform.python_version()
    new_enough = sys.version_info >= (3, 10)
    say(new_enough, texts["python" if new_enough else "old"].format(version=version))
    count, wrong = compare_packages(ROOT / "requirements.txt")
    if wrong:
        say(False, texts["wrong"].format(count=len(wrong), names=", ".join(wrong[:5])))
    else:
        say(True, texts["packages"].format(count=count))
    try:
        file = backend.default_env_file()
        stored = backend.Settings({}, file, backend.TEXTS[i18n.language()]).stored
        names = ", ".join(name for name in backend.KNOWN if stored.get(name))
        say(True, texts["env"].format(names=names) if names else texts["no_env"])
        with redirect_stdout(io.StringIO()) as line:
            model = backend.start(i18n.language(), *backend.asked)
        say(True, line.getvalue().strip())
    except backend.BackendError as error:
        say(False, str(error))
        return well
    from langchain_openai import ChatOpenAI

    begun = perf_counter()
    try:
        ChatOpenAI(model=model, timeout=30, max_retries=0).invoke("Hello!")
    except Exception as error:  # whatever the service refuses, the learner should read
        say(False, texts["failed"].format(model=model, error=backend.without_keys(str(error))))
    else:
        seconds = f"{perf_counter() - begun:.1f}".replace(".", "," if texts is TEXTS["fr"] else ".")
        say(True, texts["answered"].format(model=model, seconds=seconds))
    return well


def compare_packages(requirements: Path) -> tuple[int, list[str]]:
    """Return how many packages `requirements` pins for this machine, and those installed otherwise."""
    count, wrong = 0, []
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if not re.match(r"[A-Za-z0-9]", line):
            continue
        pinned = Requirement(line)
        if pinned.marker is not None and not pinned.marker.evaluate():
            continue
        count += 1
        try:
            installed = importlib.metadata.version(pinned.name)
        except importlib.metadata.PackageNotFoundError:
            installed = ""
        if not installed or not pinned.specifier.contains(installed, prereleases=True):
            wrong.append(pinned.name)
    return count, wrong


def main(command: str, arguments: list[str]) -> int:
    """Run `python -m helpers doctor`; return the exit code."""
    parser = argparse.ArgumentParser(prog=typed(command))
    parser.add_argument("--lang", choices=LANGUAGES, default=system_language())
    i18n.use(parser.parse_args(arguments).lang)
    return 0 if doctor() else 1
