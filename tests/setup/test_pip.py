"""Tests of helpers.setup.pip: what pip says is followed, and explained where it fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from helpers import i18n
from helpers.i18n import LANGUAGES
from helpers.setup.pip import failure, is_setting, pip_environment, progress, taken_over

NETWORK = "ERROR: HTTPSConnectionPool(host='index.example'): Max retries exceeded with url: /simple"
DISK = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
SOCKS = (
    "ERROR: Could not install packages due to an OSError: Missing dependencies for SOCKS support."
)
BUILD = "ERROR: No matching distribution found for tiny==9"


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (NETWORK, "HTTPS_PROXY"),
        (DISK, "1 G"),
        (BUILD, BUILD),
        (SOCKS, "HTTPS_PROXY"),
        (SOCKS, "Clash"),
        ("Unable to determine SOCKS version from socks://127.0.0.1:7890/", "Clash"),
        ("Proxy URL had unsupported scheme socks5h, should use http:// or https://", "Clash"),
    ],
)
def test_what_pip_says_is_explained(
    said: str, expected: str, lang: str, tmp_path: Path, typed: str
) -> None:
    i18n.use(lang)
    text = str(failure("\n".join(["Collecting tiny", said]), tmp_path))
    assert expected in text
    assert typed in text
    assert (str(tmp_path / ".venv" / "install.log") in text) == (said != DISK)


def test_progress_follows_pip() -> None:
    ignored = "Ignoring appnope: markers 'sys_platform == \"darwin\"' don't match\n"
    assert progress(ignored + "Collecting a==1 (from -r x)\n", 4, 0) == (0, 1, 3)
    found = ignored + "Collecting a==1\nCollecting b==1\nRequirement already satisfied: c==1\n"
    fetched = "  Using cached a-1.whl.metadata (1 kB)\n  Downloading a-1.whl (9 kB)\n"
    assert progress(found + fetched, 4, 0) == (1, 1, 2)
    assert progress("Requirement already satisfied: c==1\n", 1, 0) == (0, 1, 1)
    assert progress(found + "Installing collected packages: a, b\n", 4, 1) == (2, 1, 2)


# What changes what is installed, or where, or gets in the way; and what is about the way there.
REFUSED = (
    *("target", "prefix", "root", "user", "require-virtualenv", "constraint", "no-deps", "dry-run"),
    *(
        "no-binary",
        "only-binary",
        "pre",
        "editable",
        "ignore-installed",
        "platform",
        "log",
        "report",
    ),
    *("python-version", "abi", "implementation", "src", "upgrade-strategy", "force-reinstall"),
    *("requirement", "require-hashes", "python", "quiet", "isolated", "break-system-packages"),
    *(
        "no-build-isolation",
        "config-settings",
        "global-option",
        "ignore-requires-python",
        "no-compile",
    ),
)
TAKEN = {
    "index-url": "https://pypi.tuna.tsinghua.edu.cn/simple",
    "extra-index-url": "https://a.example/simple https://b.example/simple",
    "trusted-host": "a.example",
    "proxy": "http://proxy.example.org:3128",
    "cert": "/etc/ssl/my certificates.pem",
    "client-cert": "/home/me/client.pem",
    "timeout": "180",
    "retries": "7",
    "cache-dir": "/big/cache",
    "keyring-provider": "subprocess",
    "find-links": "/opt/wheels",
    "no-index": "true",
}


def variable(name: str) -> str:
    return f"PIP_{name.upper().replace('-', '_')}"


@pytest.mark.parametrize("section", ["global", "install", ":env:"])
def test_of_pips_settings_only_the_way_to_packages_is_taken_over(section: str) -> None:
    listed = [f"{section}.{name}={'1'!r}" for name in REFUSED]
    listed += [f"{section}.{name}={value!r}" for name, value in TAKEN.items()]
    assert taken_over("\n".join(listed)) == {variable(name): v for name, v in TAKEN.items()}
    assert not any(map(is_setting, map(variable, REFUSED)))
    assert all(map(is_setting, map(variable, TAKEN))) and not is_setting("INDEX_URL")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (":env:.proxy='e'\nglobal.proxy='g'\ninstall.proxy='i'", {"PIP_PROXY": "e"}),
        ("global.proxy='g'\ninstall.proxy='i'\ndownload.proxy='d'", {"PIP_PROXY": "i"}),
        (":env:.proxy=''\nglobal.proxy='g'", {"PIP_PROXY": "g"}),
        (":env:.default-timeout='9'\nglobal.timeout='5'", {"PIP_TIMEOUT": "9"}),
        ("global.pypi-url='p'\ninstall.index-url='i'", {"PIP_INDEX_URL": "i"}),
        (r"global.find-links='\n/a\n/b'", {"PIP_FIND_LINKS": "\n/a\n/b"}),
        ('global.cert="/it\'s/cert.pem"', {"PIP_CERT": "/it's/cert.pem"}),
        ("global.use-feature='fast-deps truststore'", {"PIP_USE_FEATURE": "truststore"}),
        ("global.use-feature='fast-deps'", {}),
        ("For variant 'global', will try loading '/etc/pip.conf'", {}),
    ],
)
def test_settings_count_as_they_do_for_pip(listed: str, expected: dict[str, str]) -> None:
    assert taken_over(listed) == expected


HIDING = """
[global]
quiet = 2
log = /proc/none
python = none
target = away
index_url = https://files.example/simple
find-links =
    /a
    /b
retries = 2
[install]
no-deps = yes
user = yes
retries = 3
"""


@pytest.mark.parametrize("where", ["user", "variable", "null"])
def test_pip_is_asked_for_what_its_files_say(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real file that would lead everything elsewhere, and hides what it says."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    (tmp_path / ".venv").mkdir()
    file = tmp_path / "pip" / ("pip.ini" if os.name == "nt" else "pip.conf")
    file.parent.mkdir()
    file.write_text(HIDING, encoding="utf-8")
    for name in ("HOME", "XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    if where != "user":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
        monkeypatch.setenv("PIP_CONFIG_FILE", str(file) if where == "variable" else os.devnull)
    for name in ("PIP_TARGET", "PIP_PYTHON", "PIP_QUIET", "PIP_LOG", "PIP_REQUIRE_VIRTUALENV"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_CERT", "/c.pem")
    ours = pip_environment(Path(sys.executable), tmp_path)
    ours = {name: " ".join(ours[name].split()) for name in ours if name.startswith("PIP_")}
    ours.pop("PIP_EXTRA_INDEX_URL", None)  # this computer's own
    found = {"PIP_CONFIG_FILE": os.devnull, "PIP_CERT": "/c.pem"}
    if where != "null":
        found |= {"PIP_INDEX_URL": "https://files.example/simple", "PIP_RETRIES": "3"}
        found |= {"PIP_FIND_LINKS": "/a /b"}
    assert ours == found
