"""The rule, what of a block's text it can use, and that the Director's tool decides by the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dqa.agenthost import blocks
from dqa.agenthost.manifest import load_manifest
from dqa.record import Action, Grade
from dqa.refine.record import Cycle
from dqa.refine.rule import ACCEPTABLE, BEST_FIRST, Standards, decide, ending, read_standards
from dqa.synthesis import GRADES
from tests.agenthost.world import AGENT, World

VERDICTS: list[tuple[Grade | None, Action]] = [
    *((grade, action) for _, grade, action in GRADES),
    ("A", "review"), ("B", "review"), ("C", "review"), (None, "review"),
]  # fmt: skip


@pytest.mark.parametrize("least", ACCEPTABLE)
@pytest.mark.parametrize(("grade", "action"), VERDICTS)
def test_nothing_below_the_minimum_and_nothing_unseen_is_accepted(
    grade: Grade | None, action: Action, least: Grade
) -> None:
    decision = decide(grade, action, least)
    assert (decision == "review") == (action == "review")
    if decision == "accept":
        assert grade is not None
        assert BEST_FIRST.index(grade) <= BEST_FIRST.index(least)
        assert action == "accept"
    if action == "accept" and grade == least:
        assert decision == "accept"


def cycle(grade: Grade | None, action: Action, attempt: int) -> Cycle:
    return Cycle(
        attempt=attempt, prompt="a wolf", seed=1, media="m", evaluation=f"ev_{attempt}", grade=grade, action=action,
        final=None, advice=(),
    )  # fmt: skip


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


@pytest.mark.parametrize("least", ["A-", "C"])
@pytest.mark.parametrize("retries", [0, 1, 12])
def test_the_director_decides_by_the_same_rule(least: str, retries: int, world: World) -> None:
    text = f"MIN_ACCEPTABLE_GRADE: {least}\nMAX_RETRIES: {retries}\n"
    block = blocks.parse(text)
    standards, _ = read_standards({key: blocks.value(block, key) for key in block.names()}, Standards())
    world.route("GET", f"/v1/agents/{AGENT}/core-memory/blocks/quality_standards", {"value": text})
    for grade, action in VERDICTS:
        for attempts in {max(1, min(retries, 10)), min(retries, 10) + 1}:
            told = [{"id": f"ev_{n}", "grade": grade, "action": action} for n in range(attempts)]
            world.log(*(("ask_cameraman", one) for one in told))
            cycles = [cycle(grade, action, n + 1) for n in range(attempts)]
            expected = "refine" if ending(cycles, standards) is None else "deliver"
            assert world.call("decide_next")["decision"] == expected, (grade, action, attempts)


@pytest.mark.parametrize(
    ("text", "expected", "problems"),
    [
        ("MIN_ACCEPTABLE_GRADE: A-\nMAX_RETRIES: 5", Standards("A-", 5), 0),
        ('{"MIN_ACCEPTABLE_GRADE": "B+", "MAX_RETRIES": "2"}', Standards("B+", 2), 0),
        ("MIN_ACCEPTABLE_GRADE: C\nMAX_RETRIES: 99", Standards("B", 10), 1),
        ("MIN_ACCEPTABLE_GRADE: superb\nMAX_RETRIES: many", Standards("B", 3), 2),
        ("MAX_RETRIES: -1\nMIN_ACCEPTABLE_GRADE: 7", Standards("B", 3), 2),
        ("", Standards("B", 3), 0),
        ("FAILURE_PATTERNS_TO_AVOID: blur, jitter\nFAILURE_PATTERNS: [\"blur\"]\nPROVEN_PROMPT_TEMPLATES: one wolf",
         Standards("B", 3, ("blur", "jitter"), ("one wolf",)), 0),
    ],
)  # fmt: skip
def test_standards_are_read_from_either_form(text: str, expected: Standards, problems: int) -> None:
    block = blocks.parse(text)
    found, said = read_standards({key: blocks.value(block, key) for key in block.names()}, Standards())
    assert found == expected
    assert len(said) == problems


def test_the_shipped_block_is_the_default() -> None:
    keys: dict[str, Any] = {key: data.first for key, data in load_manifest().blocks["quality_standards"].keys.items()}
    assert read_standards(keys, Standards("A", 0)) == (Standards("B", 3), [])


def test_the_rule_is_written_once() -> None:
    sources = (Path(__file__).parents[2] / "dqa").rglob("*.py")
    users = [path.name for path in sources if "MIN_ACCEPTABLE_GRADE" in path.read_text(encoding="utf-8")]
    assert users == ["rule.py"]
