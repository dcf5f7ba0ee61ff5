"""``dqa up`` and ``dqa down``: what they refuse, and what they hand on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dqa.agenthost import local
from dqa.agenthost import runtime as deployment
from dqa.config import Settings
from dqa.errors import UnavailableError
from tests.cli.conftest import Run, sentence

STATUS = deployment.Status(
    service_url="http://127.0.0.1:1",
    service_healthy=True,
    letta_url="http://127.0.0.1:2",
    letta_healthy=True,
    letta_password_file="/home/me/.dqa/secrets/letta_password",
    agents={"agent-dqa-verifier": {"id": "agent-1", "in_sync": True}},
    processes=(deployment.ProcessStatus("letta", "healthy", "", 7, 2),),
    supervised=True,
)


class Started:
    """Stands in for the runtime; remembers the options."""

    def __init__(self) -> None:
        self.options: deployment.UpOptions | None = None
        self.deployed = 0

    def up(self, settings: Settings, options: deployment.UpOptions, *_: Any) -> deployment.Status:
        self.options = options
        return STATUS

    def deploy(self, *_: Any) -> None:
        self.deployed += 1


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Started:
    started = Started()
    monkeypatch.setattr(deployment, "up", started.up)
    monkeypatch.setattr(deployment, "status", lambda *_: STATUS)
    monkeypatch.setattr(deployment, "connect", lambda _: None)
    monkeypatch.setattr(local, "deploy_agents", started.deploy)
    return started


def test_up_deploys_the_agents_and_tells_where_to_talk_to_them(cli: Run, started: Started) -> None:
    done = cli("up", "--letta-port", "9000")
    assert done.code == 0
    assert started.deployed == 1
    assert started.options == deployment.UpOptions(letta_port=9000)
    assert "agent-dqa-verifier  agent-1, in sync" in done.out
    assert "restarted 2 times" in done.out
    assert "secrets/letta_password" in done.out


def test_up_prints_the_agreed_status_as_json(cli: Run, started: Started) -> None:
    done = cli("up", "--no-agents", "--json")
    assert json.loads(done.out) == STATUS.to_json()
    assert started.deployed == 0


def test_up_hands_on_the_variables_that_are_named(cli: Run, started: Started, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "theirs")
    assert cli("up", "--pass-env", "ANTHROPIC_API_KEY").code == 0
    assert started.options is not None
    assert started.options.provider_variables == {"ANTHROPIC_API_KEY": "theirs"}


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--pass-env", "NOT_SET_ANYWHERE"), "NOT_SET_ANYWHERE is not set"),
        (("--brain-url", "http://127.0.0.1:9/v1"), "DQA_AGENT_MODEL"),
        (("--letta-url", "http://127.0.0.1:9"), "DQA_AGENT_MODEL"),
    ],
)
def test_up_refuses_before_anything_is_started(
    cli: Run, started: Started, arguments: tuple[str, ...], what: str
) -> None:
    done = cli("up", *arguments)
    assert done.code == 2
    assert what in sentence(done)
    assert started.options is None


def test_what_can_not_be_started_is_one_sentence(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise UnavailableError("port 8283, for the Letta server, is taken", fix="free it")

    monkeypatch.setattr(deployment, "up", refuse)
    done = cli("up")
    assert done.code == 4
    assert "port 8283" in sentence(done)


def test_down_with_nothing_running_is_done(cli: Run, tmp_path: Path) -> None:
    done = cli("down", "--home", str(tmp_path / "none"))
    assert done.code == 0
    assert "nothing is running" in done.err
