"""The rule editor: words exchanged where the prompt has them, added where it has not, all else to the letter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.calibrate.axes import default_axes
from dqa.calibrate.editor import Edit, EditRequest, Target
from dqa.calibrate.rewrite import added, exchange, tidy, without
from dqa.calibrate.rules import RuleEditor

AXES = default_axes()
SQUARE = "a small white square on a blue background"


def target(name: str, ref: str, gen: str) -> Target:
    return Target(AXES[name], ref, gen, "mismatch")


def proposed(prompt: str, *targets: Target, used: tuple[str, ...] = (), seen: frozenset[str] = frozenset()) -> Edit:
    edit = RuleEditor(AXES).propose(EditRequest(prompt, targets, "", used, seen))
    assert edit is not None
    return edit


@pytest.mark.parametrize(
    ("axis", "ref", "gen", "expected"),
    [
        ("background_colour", "red", "blue", "a small white square on a red background"),
        ("subject_colour", "yellow", "white", "a small yellow square on a blue background"),
        ("framing", "large (0.192)", "small (0.028)", "a large white square on a blue background"),
        ("subject_position", "left (0.2)", "right (0.6)", SQUARE + ", on the left"),
        ("brightness", "dark (0.2)", "bright (0.7)", SQUARE + ", dark, low-key lighting"),
        ("clothing", "a red coat", "a blue coat", SQUARE + ", wearing a red coat"),
        ("accessories", "none", "a hat", SQUARE + ", no accessories"),
    ],
)
def test_one_axis_is_corrected_and_nothing_else(axis: str, ref: str, gen: str, expected: str) -> None:
    assert proposed(SQUARE, target(axis, ref, gen)).prompt == expected


def test_a_background_is_no_colour_of_the_subject() -> None:
    edit = proposed("a square on a white background", target("subject_colour", "red", "white"))
    assert edit.prompt == "a square on a white background, red subject"


def test_the_last_wording_makes_room_for_the_next() -> None:
    first = proposed("a fox", target("brightness", "dark", "bright"))
    second = proposed(first.prompt, target("brightness", "bright", "dark"))
    assert "dark" not in second.prompt
    assert second.prompt.startswith("a fox, ")


def test_what_the_generator_understood_is_taken_back_by_its_own_words() -> None:
    edit = proposed("a fox, wearing a blue coat, snow", target("clothing", "a red coat", "a blue coat"))
    assert edit.prompt == "a fox, snow, wearing a red coat"


def test_wordings_that_were_used_come_last_and_prompts_that_were_seen_never() -> None:
    one = target("brightness", "dark", "bright")
    first = proposed("a fox", one)
    second = proposed("a fox", one, used=first.wordings)
    assert second.wordings != first.wordings
    seen: set[str] = set()
    while (edit := RuleEditor(AXES).propose(EditRequest("a fox", (one,), "", (), frozenset(seen)))) is not None:
        assert edit.prompt not in seen
        seen.add(edit.prompt)
    assert len(seen) >= 2


def test_two_axes_at_once() -> None:
    edit = proposed(SQUARE, target("framing", "large", "small"), target("background_colour", "red", "blue"))
    assert edit.prompt == "a large white square on a red background"
    assert edit.wordings == ("large", "red background")


def test_every_value_of_every_axis_can_be_said_and_taken_back() -> None:
    for axis in AXES:
        for value in axis.values:
            for other in axis.values:
                if value is not other:
                    assert proposed("a fox", target(axis.name, value.name, other.name)).prompt != "a fox"


def test_words_are_whole_and_of_any_case() -> None:
    assert exchange("Bigotry is BIG", ["big"], "small") == "Bigotry is small"
    assert exchange("a fox", ["big"], "small") is None
    assert exchange("big and huge", ["big", "huge"], "small") == "small and"
    assert without("redder red", ["red"]) == "redder "
    assert exchange("dark blue sea", ["blue"], "red", protected=["dark blue"]) is None
    assert added("", "x") == "x"


@given(st.text(max_size=80), st.text(min_size=1, max_size=10))
def test_no_text_breaks_it(prompt: str, phrase: str) -> None:
    assert exchange(prompt, [phrase], "new") is None or "new" in (exchange(prompt, [phrase], "new") or "")
    assert tidy(tidy(prompt)) == tidy(prompt)
    without(prompt, [phrase])
