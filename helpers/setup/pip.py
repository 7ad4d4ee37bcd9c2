"""Installs packages with an environment's pip, shows how far it is, and explains how it failed."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from helpers.i18n import N_, _
from helpers.setup import CourseError
from helpers.setup.processes import as_typed, child_environment, stop

# How far pip is, as `progress` counts it.
PHASES = (
    N_("Step 2 of 2: looking up packages, {done} of {total}"),
    N_("Step 2 of 2: downloading packages, {done} of {total}"),
    N_("Step 2 of 2: installing packages, {done} of {total}"),
)
# The settings of pip that the course takes over, by the name that counts where there are several:
# where packages come from, and how they are reached. No other has a say, for it may change what is
# installed, or where.
SETTINGS = {
    "pypi-url": "index-url",
    "default-timeout": "timeout",
    **{
        name: name
        for name in (
            *("index-url", "extra-index-url", "no-index", "find-links", "trusted-host", "proxy"),
            *("cert", "client-cert", "timeout", "retries", "resume-retries"),
            *("cache-dir", "no-cache-dir", "keyring-provider", "use-feature", "use-deprecated"),
        )
    },
}
# Of these, which are about more, what is about certificates.
VALUES = {"use-feature": {"truststore"}, "use-deprecated": {"legacy-certs"}}

# What pip says when it is the network that failed. It differs between versions, and may be no more
# than that it found no version at all of a package.
NETWORK_FAILURE = re.compile(
    r"(Connection|Timeout|Proxy|SSL|NameResolution|Protocol)Error"
    r"|onnection (broken|aborted|refused|reset)|timed out|from versions: none|Max retries"
)
# What it says of a proxy that it cannot use; it comes without the package that knows SOCKS.
SOCKS_FAILURE = re.compile(r"SOCKS support|SOCKS version|unsupported scheme socks")


def is_setting(variable: str) -> bool:
    """Say whether an environment variable is one of pip's SETTINGS, as pip reads them."""
    name = variable.removeprefix("PIP_").lower().replace("_", "-")
    return variable.startswith("PIP_") and name in SETTINGS


def taken_over(listed: str) -> dict[str, str]:
    """Return as environment variables what the course takes over of what `pip config list` printed.

    As for pip, the command's section goes before the global one, the environment before both, and
    what is empty does not count.
    """
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.splitlines():
        parts = re.fullmatch(r"(global|install|:env:)\.([\w-]+)=(['\"].*['\"])", line)
        if parts and parts[2] in SETTINGS:
            name, value = SETTINGS[parts[2]], str(ast.literal_eval(parts[3]))
            if name in VALUES:
                value = " ".join(part for part in value.split() if part in VALUES[name])
            if value:
                found[parts[1]][name] = value
    merged = {**found["global"], **found["install"], **found[":env:"]}
    return {f"PIP_{name.upper().replace('-', '_')}": value for name, value in merged.items()}


def pip_environment(python: Path, root: Path) -> dict[str, str]:
    """Return the environment variables for the pip of `python`: of its settings only SETTINGS.

    pip itself is asked for what its files say. Raises CourseError where it cannot read them, OSError.
    """
    ours = {
        name: value
        for name, value in child_environment(PYTHONIOENCODING="utf-8").items()
        if not name.startswith("PIP_") or name == "PIP_CONFIG_FILE" or is_setting(name)
    }
    # Where the home cannot be written to, it can still hold settings.
    home = {name: value for name, value in os.environ.items() if name == "HOME"}
    # Settings to be quiet, to write a log or to work for another Python must not be in the way.
    command = [str(python), "-m", "pip", "--python", str(python), "config", "list", "-vvvv"]
    listed = subprocess.run(
        [*command, "--log", str(log_of(root))],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**ours, **home},
    )
    said = listed.stdout.decode("utf-8", "replace")
    if listed.returncode:
        raise failure(said + listed.stderr.decode("utf-8", "replace"), root)
    rest = {name: value for name, value in ours.items() if not name.startswith("PIP_")}
    return {**rest, **taken_over(said), "PIP_CONFIG_FILE": os.devnull}


def install(
    python: Path, site: Path, files: Sequence[Path], root: Path, alone: bool = False
) -> None:
    """Install what the requirements `files` pin, and show how far it is.

    If `alone`, nothing that these packages ask for comes along. `python` is that of the environment under `root`, and `site` where it keeps its packages. Raises
    CourseError, OSError.
    """
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    required = sum(bool(line.strip()) and line.lstrip()[0] not in "#-" for line in lines)
    before = len(list(site.glob("*.dist-info")))
    log = log_of(root)
    command = [str(python), "-m", "pip", "install", "--no-input", "--progress-bar=off"]
    command += ["--disable-pip-version-check", *(["--no-deps"] if alone else [])]
    command += [part for file in files for part in ("-r", str(file))]
    environment = pip_environment(python, root)
    shown, shown_at = -1, 0.0
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            close_fds=False,  # the lock
        )
        try:
            while child.poll() is None:
                said = log.read_text(encoding="utf-8", errors="replace")
                added = len(list(site.glob("*.dist-info"))) - before
                phase, done, total = progress(said, required, added)
                line = _(PHASES[phase]).format(done=done, total=total)
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
        raise failure(log.read_text(encoding="utf-8", errors="replace"), root)


def progress(log: str, required: int, added: int) -> tuple[int, int, int]:
    """Return how far pip is: the index into PHASES, packages done, packages in all.

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


def is_whole(package: Path) -> bool:
    """Say whether pip finished installing the package whose .dist-info folder this is.

    The last thing that pip does is to add its own files, INSTALLER among them, to RECORD; a pip
    that was killed before takes the package for installed the next time.
    """
    record = package / "RECORD"
    return record.exists() and "/INSTALLER," in record.read_text(encoding="utf-8")


def remove_halves(site: Path) -> None:
    """Make pip forget the packages in `site` that it did not finish installing."""
    for package in site.glob("*.dist-info"):
        if not is_whole(package):
            shutil.rmtree(package)


def log_of(root: Path) -> Path:
    """Return the file that holds everything that pip said."""
    return root / ".venv" / "install.log"


def failure(said: str, root: Path) -> CourseError:
    """Return the error that explains what a failed pip or venv `said`."""
    if "[Errno 28]" in said:
        text = _(
            "The disk is full, so the environment is not complete (it takes about 550 MB, and 1.9 GB "
            "with what training needs).\n"
            "Free about 1 GB (3 GB for training) and go on with the same command:\n\n    {command}"
        )
    elif "Windows Long Path" in said:
        text = _(
            "The path of this folder is too long: Windows allows 260 characters for a whole path, and "
            "the longest in the environment takes about 170 of them.\n"
            "Move the course to a shorter path, such as {example}, and type the same command there:\n\n"
            "    {command}\n\nEverything that pip said: {log}"
        )
    elif NETWORK_FAILURE.search(said) or SOCKS_FAILURE.search(said):
        text = _(
            "The packages could not be downloaded: the connection failed.\n"
            "What was downloaded is kept. When the network is back, go on with the same command:\n\n"
            "    {command}\n\n"
            "Behind a proxy, first set HTTPS_PROXY to its address, for example "
            "http://proxy.example.org:3128.\nEverything that pip said: {log}"
        )
        if SOCKS_FAILURE.search(said):
            text += "\n\n" + _(
                "The proxy that is set is a SOCKS proxy, which pip cannot use here. Set HTTPS_PROXY, and "
                "https_proxy where it is set, to the http:// port of the same program (Clash and V2Ray "
                "have one), for example http://127.0.0.1:7890."
            )
    else:
        text = _(
            "The environment could not be completed. The last lines are:\n\n{lines}\n\n"
            "If JupyterLab is open, close it, and type the same command again:\n\n    {command}\n\n"
            "If that does not help, delete the folder .venv first. Everything that pip said: {log}"
        )
    lines = "\n".join("    " + line for line in said.strip().splitlines()[-8:])
    fields = {"lines": lines, "command": as_typed(), "log": log_of(root), "example": "C:\\course"}
    return CourseError(text.format(**fields))
