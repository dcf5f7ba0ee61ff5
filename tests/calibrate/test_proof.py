"""The whole climb on pixels: measured verdicts, rules as editor, and a generator that obeys the words of its prompt."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.calibrate.local import Local, climbed


@pytest.mark.parametrize(
    ("wrong", "wanted"),
    [
        ("a small white square on a blue background", "a large yellow square at the left on a red background"),
        ("a huge yellow square at the left, red background", "a small white square on a blue background"),
        ("a fox in the snow", "a big yellow square on a red background"),
        ("a small yellow square on a red background", "a small white square at the left on a red background"),
    ],
)
def test_it_climbs_from_a_wrong_prompt_in_ten_corrections(wrong: str, wanted: str, tmp_path: Path) -> None:
    makes = Local()
    outcome = climbed(tmp_path, makes, wrong, wanted)
    assert outcome.reason == "target"
    assert outcome.climb.standing(outcome.best).overall >= 0.9
    assert outcome.climb.standing(outcome.best).mismatches == 0
    assert len(outcome.climb.steps) - 1 <= 10
    assert all(len(step.axes) == 1 for step in outcome.climb.steps[1:])
    assert makes.seeds == [42] * len(outcome.climb.steps) + [43]
    standings = [outcome.climb.standing(step) for step in outcome.climb.steps if step.number in outcome.climb.kept]
    assert all(later.beats(earlier) for earlier, later in pairwise(standings))


@pytest.mark.parametrize("extra", ["dark", "bright", "low contrast", "black and white"])
def test_light_and_colour_follow_words_too(extra: str, tmp_path: Path) -> None:
    wanted = f"a small white square on a red background, {extra}"
    outcome = climbed(tmp_path, Local(light=True), "a small white square on a red background", wanted)
    assert outcome.climb.standing(outcome.best).overall >= 0.9
    assert outcome.climb.standing(outcome.best).mismatches == 0
    assert len(outcome.climb.steps) - 1 <= 10


def test_two_at_once_is_quicker_where_it_is_allowed(tmp_path: Path) -> None:
    wrong, wanted = "a small white square on a blue background", "a large yellow square at the left on a red background"
    outcome = climbed(tmp_path, Local(), wrong, wanted, pairs=True)
    assert outcome.reason == "target"
    assert len(outcome.climb.steps) - 1 == 2
