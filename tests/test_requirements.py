"""requirements.txt is what pyproject.toml asks for, for every platform, and what is installed."""

from __future__ import annotations

import importlib.metadata
import re
import sys

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.environment import ROOT
from helpers.health import compare_packages

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = (ROOT / "requirements.txt").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OUT_OF_DATE = "requirements.txt is out of date; CONTRIBUTING.md says how to make it anew"


def pins() -> dict[str, list[Requirement]]:
    """Return the pins by name; a package may be pinned differently for different Pythons."""
    found: dict[str, list[Requirement]] = {}
    for line in TEXT.splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            pin = Requirement(line)
            assert re.fullmatch(r"==[^*]+", str(pin.specifier)), line
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def test_the_direct_dependencies_are_those_of_the_project() -> None:
    entries = re.findall(r"^(\S+)==.*\n((?:    #.*\n)+)", TEXT, re.MULTILINE)
    direct = {canonicalize_name(name) for name, via in entries if "(pyproject.toml)" in via}
    wanted = {
        canonicalize_name(Requirement(line).name): Requirement(line)
        for line in PROJECT["dependencies"]
    }
    assert direct == set(wanted), OUT_OF_DATE
    for name, requirement in wanted.items():
        for pin in pins()[name]:
            (version,) = (spec.version for spec in pin.specifier)
            assert requirement.specifier.contains(version, prereleases=True), OUT_OF_DATE


def test_every_package_brings_along_only_what_is_pinned() -> None:
    """On this platform, what each pinned package asks for is itself pinned, in a fitting version."""
    here = {
        name: pin
        for name, several in pins().items()
        for pin in several
        if pin.marker is None or pin.marker.evaluate()
    }
    for name in here:
        for line in importlib.metadata.requires(name) or []:
            asked = Requirement(line)
            if asked.marker is None or asked.marker.evaluate({"extra": ""}):
                pin = here.get(canonicalize_name(asked.name))
                assert pin is not None, f"{name} asks for {asked}: {OUT_OF_DATE}"
                (version,) = (spec.version for spec in pin.specifier)
                assert asked.specifier.contains(version, prereleases=True), (
                    f"{name} asks for {asked}"
                )


def test_what_is_pinned_is_installed() -> None:
    count, wrong = compare_packages(ROOT / "requirements.txt")
    assert count > 100
    assert wrong == []


def test_all_platforms_are_pinned_and_no_index_is_named() -> None:
    markers = " ".join(str(pin.marker) for several in pins().values() for pin in several)
    assert "win32" in markers and "darwin" in markers
    assert "://" not in TEXT
