"""The doctor: what is wrong is said with what to do, twice running, and no key is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

import helpers
from helpers import i18n
from helpers.backend import doctor as health
from helpers.backend import settings
from helpers.i18n import LANGUAGES

CANARY = "sk-canary-7c1f4be0"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_all_is_well_also_the_second_time(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    helpers.start(lang)
    capsys.readouterr()
    helpers.doctor()
    helpers.doctor()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * 5
    assert all(line.startswith("ok ") for line in lines)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_server_that_is_not_there_is_named_and_the_key_is_not(
    lang: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text(
        f"OPENAI_BASE_URL=http://127.0.0.1:9/v1\nOPENAI_API_KEY={CANARY}\n", "utf-8"
    )
    monkeypatch.setenv(settings.ENV_FILE_VARIABLE, str(env_file))
    i18n.use(lang)
    assert health.doctor() is False
    printed = capsys.readouterr().out
    assert "!! " in printed and "127.0.0.1:9" in printed and "OPENAI_BASE_URL" in printed
    env_file.write_text(f"{env_file.read_text('utf-8')}OPENAI_MODEL=m\n", "utf-8")
    assert health.doctor() is False
    printed += capsys.readouterr().out
    assert ".env" in printed.splitlines()[-1] and CANARY not in printed
    monkeypatch.delenv(settings.ENV_FILE_VARIABLE)
    monkeypatch.setenv(settings.ENV_FILE_VARIABLE, "")
    monkeypatch.setattr(settings, "learners", lambda name: tmp_path / "none")
    helpers.start(lang)
