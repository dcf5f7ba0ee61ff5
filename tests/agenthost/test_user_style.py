"""The user_style block as a style: both forms, however it is written; broken parts say nothing and hide nothing."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.agenthost.manifest import load_manifest
from dqa.agenthost.user_style import DISLIKES, LIKES, read_style
from dqa.taste.style import NO_STYLE, Style
from tests.counting import calls

VALUES = {
    "COLOR_PREFERENCES": "warm tones, no neon",
    "MOOD_PREFERENCES": "calm",
    "FAVORITE_SUCCESSES": [{"video_id": "ev_1", "prompt": "a wolf in the snow", "score": 3}, "clip_07.mp4"],
    "DISLIKED_ELEMENTS": ["shaky camera", "no text"],
    "SOMEBODY_ELSE_S": "ignored words",
}
EXPECTED = Style(likes=("warm tone", "calm", "wolf snow"), dislikes=("neon", "shaky camera", "text"))
LINES = "".join(f"{key}: {value if isinstance(value, str) else json.dumps(value)}\n" for key, value in VALUES.items())


@pytest.mark.parametrize("text", [LINES, "# mine\n" + LINES, json.dumps(VALUES), json.dumps(VALUES, indent=2)])
def test_both_forms_say_the_same(text: str) -> None:
    assert read_style(text) == EXPECTED


def test_the_keys_are_the_block_s() -> None:
    assert {*LIKES, *DISLIKES} == set(load_manifest().blocks["user_style"].keys)


def test_the_tuner_has_the_block() -> None:
    (tuner,) = [a for a in load_manifest().agents.values() if a.name == "agent-dqa-tuner-sleeptime"]
    assert "user_style" in tuner.blocks


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", NO_STYLE),
        ("{broken", NO_STYLE),
        (
            'FAVORITE_SUCCESSES: ["wolf", broken\nDISLIKED_ELEMENTS: blur',
            Style(likes=("wolf", "broken"), dislikes=("blur",)),
        ),
        ("PACING_PREFERENCES: 7\nMOOD_PREFERENCES: null\nTHEME_PREFERENCES: true", NO_STYLE),
        ('COLOR_PREFERENCES: "warm"', Style(likes=("warm",))),
        ('DISLIKED_ELEMENTS: ["[\\"text\\"]"]', Style(dislikes=("text",))),
        ("DISLIKED_ELEMENTS: 霓虹灯，文字", Style(dislikes=("霓虹灯", "文字"))),
        ("COLOR_PREFERENCES: cold\nCOLOR_PREFERENCES: warm", Style(likes=("warm",))),
    ],
)
def test_what_cannot_be_read_says_nothing_and_hides_nothing(text: str, expected: Style) -> None:
    assert read_style(text) == expected


@settings(deadline=None)
@given(st.text() | st.builds(lambda key, value: f"{key}: {value}", st.sampled_from([*LIKES, *DISLIKES]), st.text()))
def test_no_text_raises(text: str) -> None:
    read_style(text)


@pytest.mark.parametrize(
    "block",
    [
        lambda n: "COLOR_PREFERENCES: " + "a, " * 200 * n,
        lambda n: "FAVORITE_SUCCESSES: " + json.dumps([f"wolf {i} runs" for i in range(30 * n)]),
        lambda n: "FAVORITE_SUCCESSES: " + "[" * 100 * n,
    ],
    ids=["words", "list", "depth"],
)
def test_a_huge_block_costs_no_more_than_its_length(block: Callable[[int], str]) -> None:
    assert len(read_style(block(1000)).likes) <= 64
    assert calls(lambda: read_style(block(1000))) < 15 * calls(lambda: read_style(block(100)))
