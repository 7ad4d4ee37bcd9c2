"""Tests of helpers.setup.packages: what is installed is compared with what is pinned."""

from __future__ import annotations

from pathlib import Path

from helpers.setup.packages import compare_packages


def test_packages_that_are_missing_or_of_another_version_are_named(tmp_path: Path) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        "# a comment\nopenai==0.1\n    # via course\nno-such-package==1\n"
        "other-system==1 ; sys_platform == 'none'\npytest>=1\n",
        encoding="utf-8",
    )
    assert compare_packages(requirements) == (3, ["openai", "no-such-package"])
