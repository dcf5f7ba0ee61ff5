"""What is refused as a prompt."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.errors import InvalidPrompt
from dqa.prompt import check_prompt


@pytest.mark.parametrize(
    "text",
    ["", "   \n\t ", "...", "a\x00b", "a\x1bb", "a \ud800 b", "wolf " * 2001, "w" * 20_001],
    ids=["empty", "blank", "dots", "NUL", "escape", "surrogate", "words", "characters"],
)
def test_refused(text: str) -> None:
    with pytest.raises(InvalidPrompt) as refusal:
        check_prompt(text)
    assert refusal.value.exit_code == 3
    assert refusal.value.fix


@pytest.mark.parametrize(
    "text", ['"; touch pwned; "', "$(id) `id` %s {0}", "ein dunkler Wolf", "月夜の狼", "line one\nline two"]
)
def test_kept_to_the_letter(text: str) -> None:
    assert check_prompt(f"  {text}\n") == text


@given(st.text(max_size=100))
def test_never_anything_but_a_text_or_a_refusal(text: str) -> None:
    with contextlib.suppress(InvalidPrompt):
        assert check_prompt(text) == text.strip()
