"""Settings: flags before variables before the file; unknown names and wrong values are one clear sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.config import load_settings
from dqa.errors import ConfigError


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('port = 1\nprofile = "from-file"\nuser = "file"\n')
    env = {"DQA_HOME": str(tmp_path), "DQA_PORT": "2", "DQA_USER": "env", "PATH": "x"}
    settings = load_settings({"user": "flag", "port": None}, env)
    assert (settings.user, settings.port, settings.profile) == ("flag", 2, "from-file")
    assert settings.home == tmp_path


def test_roots_are_a_path_list(tmp_path: Path) -> None:
    settings = load_settings({}, {"DQA_HOME": str(tmp_path), "DQA_ROOTS": "/a:/b/c"})
    assert settings.roots == (Path("/a"), Path("/b/c"))


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"DQA_PROFIL": "x"}, "DQA_PROFIL: unknown setting; did you mean DQA_PROFILE?"),
        ({"DQA_PORT": "eighty"}, "DQA_PORT: input should be a valid integer"),
        ({"DQA_BUDGET_GB": "inf"}, "DQA_BUDGET_GB: input should be a finite number"),
        ({"DQA_CPU_BUDGET_GB": "nan"}, "DQA_CPU_BUDGET_GB: input should be a finite number"),
        ({"DQA_JOB_TIMEOUT_S": "inf"}, "DQA_JOB_TIMEOUT_S: input should be a finite number"),
        ({"DQA_PORT": "70000"}, "DQA_PORT: input should be less than or equal to 65535"),
    ],
)
def test_wrong_variables_are_named(env: dict[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_settings({}, {"DQA_HOME": str(tmp_path), **env})
    assert says in error.value.sentence()


@pytest.mark.parametrize(
    ("text", "says"), [("por = 1", "did you mean port?"), ("port = [", "not readable as TOML"), ("port = 'x'", "port:")]
)
def test_a_wrong_file_is_named(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_settings({}, {"DQA_HOME": str(tmp_path)})
    assert says in error.value.sentence()
    assert "config.toml" in error.value.sentence()


def test_a_token_is_not_shown(tmp_path: Path) -> None:
    settings = load_settings({}, {"DQA_HOME": str(tmp_path), "DQA_TOKEN": "canary-123"})
    assert "canary-123" not in repr(settings)
    assert "canary-123" not in settings.model_dump_json()


@pytest.mark.parametrize("token", ["pässword", "näh", "a\nb", "xq\t", " lead", "trail ", "\x7f", "日本"])
def test_a_token_that_no_header_can_carry_is_refused(token: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DQA_TOKEN: the token holds characters that an Authorization") as caught:
        load_settings(environ={"DQA_HOME": str(tmp_path), "DQA_TOKEN": token})
    assert token.strip() not in str(caught.value)


@pytest.mark.parametrize("token", ["plain", "a b", "!~", "c" * 500])
def test_other_tokens_are_taken(token: str, tmp_path: Path) -> None:
    settings = load_settings(environ={"DQA_HOME": str(tmp_path), "DQA_TOKEN": token})
    assert settings.token is not None
    assert settings.token.get_secret_value() == token
