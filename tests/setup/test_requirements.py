"""The requirements are what pyproject.toml asks for, for every platform, and what is installed."""

from __future__ import annotations

import importlib.metadata
import itertools
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.authoring import browser
from helpers.setup import ROOT, environment
from helpers.setup.packages import compare_packages
from helpers.training import trained
from tests import needs
from tests.browser import sharing

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
BASE, TRAIN, BROWSER, SITE = (
    path.relative_to(ROOT).as_posix()
    for path in environment.requirements(ROOT, set(environment.EXTRAS))
)
OPTIONAL = SETTINGS["project"]["optional-dependencies"]
DIRECT = {
    BASE: [
        *SETTINGS["project"]["dependencies"],
        *OPTIONAL["lab"],
        *OPTIONAL["build"],
        *OPTIONAL["test"],
    ],
    TRAIN: OPTIONAL["train"],
    BROWSER: OPTIONAL["browser"],
    SITE: OPTIONAL["site"],
}
LEAST = {BASE: 100, TRAIN: 20, BROWSER: 3, SITE: 20}  # packages
NOT_PINNED = set(SETTINGS["tool"]["uv"]["exclude-dependencies"])  # for graphics cards
OUT_OF_DATE = "the requirements are out of date; CONTRIBUTING.md says how to make them anew"
EACH = pytest.mark.parametrize("name", DIRECT)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def pins(name: str) -> dict[str, list[Requirement]]:
    """Return the pins by name; a package may be pinned differently for different Pythons."""
    found: dict[str, list[Requirement]] = {}
    for line in text(name).splitlines():
        if re.match(r"[A-Za-z0-9]", line):
            pin = Requirement(line)
            assert re.fullmatch(r"==[^*]+", str(pin.specifier)), line
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def required(name: str) -> None:
    """Skip the test where what this file pins need not be installed, and is not."""
    if name == TRAIN:
        needs.required()
    if name == BROWSER:
        sharing.required()
    if name == SITE:
        needs.needs_site()


@EACH
def test_the_direct_dependencies_are_those_of_the_project(name: str) -> None:
    entries = re.findall(r"^(\S+)==.*\n((?:    #.*\n)+)", text(name), re.MULTILINE)
    direct = {canonicalize_name(name) for name, via in entries if "(pyproject.toml)" in via}
    wanted = {canonicalize_name(Requirement(line).name): Requirement(line) for line in DIRECT[name]}
    assert direct == set(wanted), OUT_OF_DATE
    for package, requirement in wanted.items():
        for pin in pins(name)[package]:
            (version,) = (spec.version for spec in pin.specifier)
            assert requirement.specifier.contains(version, prereleases=True), OUT_OF_DATE


@EACH
def test_every_package_brings_along_only_what_is_pinned(name: str) -> None:
    """On this platform, what each pinned package asks for is itself pinned, in a fitting version."""
    required(name)
    here = {
        package: pin
        for package, several in {**pins(BASE), **pins(name)}.items()
        for pin in several
        if pin.marker is None or pin.marker.evaluate()
    }
    for package in here:
        for line in importlib.metadata.requires(package) or []:
            asked = Requirement(line)
            needed = asked.marker is None or asked.marker.evaluate({"extra": ""})
            if needed and canonicalize_name(asked.name) not in NOT_PINNED:
                pin = here.get(canonicalize_name(asked.name))
                assert pin is not None, f"{package} asks for {asked}: {OUT_OF_DATE}"
                (version,) = (spec.version for spec in pin.specifier)
                assert asked.specifier.contains(version, prereleases=True), (
                    f"{package} asks for {asked}"
                )


@EACH
def test_what_is_pinned_is_installed(name: str) -> None:
    required(name)
    count, wrong = compare_packages(ROOT / name)
    assert count >= LEAST[name]
    assert wrong == []


def test_all_platforms_are_pinned_and_no_index_is_named() -> None:
    markers = " ".join(str(pin.marker) for several in pins(BASE).values() for pin in several)
    assert "win32" in markers and "darwin" in markers
    assert "://" not in "".join(map(text, DIRECT))


def test_an_extra_pins_only_what_the_rest_has_not_and_nothing_for_graphics_cards() -> None:
    for one, other in itertools.combinations(DIRECT, 2):
        assert not set(pins(one)) & set(pins(other))
    assert not [name for name in pins(TRAIN) if re.match("nvidia|cuda|triton", name)]
    assert set(trained.PACKAGES) == {
        {"scikit-learn": "sklearn"}.get(name := re.split("[=<>]", line)[0], name)
        for line in DIRECT[TRAIN]
    }
    assert {name.replace("_", "-") for name in browser.PACKAGES} == set(DIRECT[BROWSER])
