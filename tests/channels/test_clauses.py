"""Prompts in parts: every letter stays, in any script, and no part is longer than it may be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.channels.semantic.clauses import cut, halved, length, packed, parted
from dqa.channels.semantic.vqa import LONG_PROMPT, split
from dqa.models.vlm.safety import LONGEST, quoted

FOX = "一只红色的狐狸在雪地里奔跑，远处的村庄正在沉睡。"


@pytest.mark.parametrize("mark", list("。，；！？、…"))
def test_marks_of_other_scripts_end_a_clause_without_a_space(mark: str) -> None:
    assert parted(f"红狐{mark}雪地") == [f"红狐{mark}", "雪地"]


def test_marks_that_come_together_stay_together() -> None:
    assert parted("他说：“快跑！”狐狸跑了……天亮了。") == ["他说：", "“快跑！”", "狐狸跑了……", "天亮了。"]
    assert parted("a lens of 3.5 mm, 1,000 lights") == ["a lens of 3.5 mm, ", "1,000 lights"]
    assert parted("one\ntwo\n\nthree") == ["one\n", "two\n\n", "three"]


@given(st.text(alphabet="a红。，. ,\n…”é\u0301x", max_size=400), st.integers(1, 70))
def test_nothing_is_lost_and_nothing_is_too_long(text: str, most: int) -> None:
    assert "".join(parted(text)) == text
    for clause in parted(text):
        pieces = packed(clause, most)
        assert "".join(pieces) == clause
        assert all(length(piece) <= most for piece in pieces if "\u0301" not in piece)


@given(st.text(max_size=3000))
def test_a_split_prompt_holds_all_of_it_in_questions_that_are_not_cut(text: str) -> None:
    parts = split(text)
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(len(" ".join(part.split())) <= LONGEST for part in parts if "\u0301" not in part)


def test_a_chinese_prompt_of_6000_letters_is_asked_in_full() -> None:
    for text in ((FOX * 300)[:6000], "狐" * 6000, "x" * 6000):
        parts = split(text)
        assert len(parts) > 1
        assert "".join(parts) == text
        assert all(length(part) <= LONG_PROMPT for part in parts)
        assert sum(len(quoted(part)) - 2 for part in parts) == 6000, "no question is cut"


def test_english_is_split_as_it_was() -> None:
    text = "A red fox walks. " + "The sky is full of golden clouds over the hills. " * 10
    assert [len(part.split()) for part in split(text)] == [24, 30, 30, 20]
    assert split("a fox " * 30) == [("a fox " * 30)]
    assert [len(part.split()) for part in split("fox " * 130)] == [60, 60, 10]


def test_letters_keep_their_accents_and_joiners() -> None:
    family = "👨‍👩‍👧"
    assert halved(family * 2, lambda piece: len(piece) <= 5) == [family, family]
    assert halved("e\u0301" * 2, lambda piece: len(piece) <= 2) == ["e\u0301", "e\u0301"]
    assert halved(family, lambda piece: len(piece) <= 2) is None
    assert cut(["狐狸狐狸", "x"], lambda piece: len(piece) <= 3) == ["狐狸", "狐狸", "x"]
