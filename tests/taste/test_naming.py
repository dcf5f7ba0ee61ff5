"""Every feature has words of its own, and they say which way is which."""

from __future__ import annotations

import pytest

from dqa.taste.features import NAMES
from dqa.taste.naming import named, noun, table, words


def test_every_feature_has_an_entry_and_no_entry_is_left_over() -> None:
    assert named() == set(NAMES)


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith("embedding:")])
def test_more_and_less_are_told_apart(name: str) -> None:
    assert words(name, "high") != words(name, "low")
    assert noun(name)
    entry = table(name)
    assert not any(text.endswith(".") or ":" in text or ";" in text[:3] for text in (entry.more, entry.less))


def test_the_embedding_is_one_thing_whatever_its_direction() -> None:
    assert len({words(n, way) for n in NAMES if n.startswith("embedding:") for way in ("high", "low")}) == 1


def test_a_feature_without_an_entry_is_called_by_its_name() -> None:
    assert words("axis:new_thing", "low") == "less new thing"
