"""What a running deployment is asked, and what is written into its blocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.agenthost.double import ScriptedHost
from dqa.agenthost.port import AgentSpec
from dqa.cli import refine_deployment
from dqa.config import Settings
from dqa.errors import UnavailableError
from dqa.refine.rule import Standards

TEST = {"ACTIVE_TEST": "rf_1", "VARIATIONS": ["seed 1", "seed 2"], "VARIATION_A_ID": "ev_1", "VARIATION_B_ID": "ev_2"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> ScriptedHost:
    """A deployment with a Director; somebody else's blocks have the same labels."""
    double = ScriptedHost()
    monkeypatch.setattr(refine_deployment, "agent_host", lambda _: double)
    return double


def director(host: ScriptedHost, **values: str) -> dict[str, str]:
    """Deploys the Director with these blocks; their ids."""
    foreign = [host.create_block(label, "MIN_ACCEPTABLE_GRADE: A", "", 1000, []) for label in values]
    ids = {label: host.create_block(label, text, "", 1000, ["dqa"]).id for label, text in values.items()}
    spec = AgentSpec("agent-dqa-director", "letta_v1_agent", "", "", "m", "", (), tuple(values), ())
    host.create_agent(spec, tool_ids=[], block_ids=list(ids.values()), tags=["dqa"], metadata={})
    assert len(foreign) == len(ids)
    return ids


@pytest.mark.parametrize(
    "text", ["MIN_ACCEPTABLE_GRADE: A-\nMAX_RETRIES: 1\n", '{"MIN_ACCEPTABLE_GRADE": "A-", "MAX_RETRIES": 1}']
)
def test_the_director_s_block_says_the_standards(host: ScriptedHost, settings: Settings, text: str) -> None:
    director(host, quality_standards=text)
    assert refine_deployment.standards_in_force(settings) == Standards("A-", 1)


def test_without_a_deployment_or_a_director_the_shipped_values_count(host: ScriptedHost, settings: Settings) -> None:
    assert refine_deployment.standards_in_force(settings) == Standards("B", 3)


def test_nothing_runs(settings: Settings) -> None:
    assert refine_deployment.standards_in_force(settings) == Standards("B", 3)
    refine_deployment.announce_test(settings, TEST)
    with pytest.raises(UnavailableError, match="dqa up"):
        refine_deployment.agent_host(settings)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "# mine\nACTIVE_TEST: old\nUSER_SELECTIONS: []\nMY_KEY: stays\n",
            "# mine\nACTIVE_TEST: rf_1\nUSER_SELECTIONS: []\nMY_KEY: stays\n"
            'VARIATIONS: ["seed 1", "seed 2"]\nVARIATION_A_ID: ev_1\nVARIATION_B_ID: ev_2\n',
        ),
        (
            '{"MY_KEY": 1, "ACTIVE_TEST": ""}',
            '{"MY_KEY": 1, "ACTIVE_TEST": "rf_1", "VARIATIONS": ["seed 1", "seed 2"], "VARIATION_A_ID": "ev_1", '
            '"VARIATION_B_ID": "ev_2"}',
        ),
    ],
)
def test_a_test_is_announced_and_every_other_key_stays(
    host: ScriptedHost, settings: Settings, before: str, after: str
) -> None:
    block = director(host, ab_testing=before)["ab_testing"]
    refine_deployment.announce_test(settings, TEST)
    assert host.all_blocks[block].value == after
    assert [one.value for one in host.blocks("ab_testing") if one.id != block] == ["MIN_ACCEPTABLE_GRADE: A"]


def test_a_broken_block_is_left_and_named(
    host: ScriptedHost, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    block = director(host, ab_testing='{"ACTIVE_TEST": ')["ab_testing"]
    refine_deployment.announce_test(settings, TEST)
    assert host.all_blocks[block].value == '{"ACTIVE_TEST": '
    assert "not written" in capsys.readouterr().err
