"""What reaches the terminal, and what must not."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.cli.output import one_line
from dqa.cli.progress import clock
from dqa.report import text
from dqa.report.text import clean, shorten


@given(st.text())
def test_cleaned_text_can_steer_nothing_and_can_be_written(value: str) -> None:
    cleaned = clean(value)
    cleaned.encode("utf-8")
    assert not any(char in cleaned for char in "\x1b\x07\x08\r\x00\x9b\u202e\u2066\u200f\u2028")
    assert clean(cleaned) == cleaned
    assert "\n" not in one_line(value)


def test_ordinary_text_stays_as_it_is() -> None:
    for value in ("a red apple", "ein grüner Apfel", "تفاحة حمراء", "👩‍🚀 on the moon", "क्षितिज"):
        assert clean(value) == value


def test_the_docs_examples_hold() -> None:
    assert doctest.testmod(text).failed == 0


def test_shortened_text_says_how_long_it_was() -> None:
    assert shorten("x" * 10, 10) == "x" * 10
    assert shorten("x" * 1200, 10) == "xxxxxxxxxx... (1,200 characters)"


@pytest.mark.parametrize(("seconds", "shown"), [(0.4, "0:00"), (75, "1:15"), (3675, "1:01:15")])
def test_durations(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
