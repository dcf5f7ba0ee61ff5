"""What a user says they like: cut into phrases, found in prompts by whole words and in looks by degree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.taste.features import LOOKS
from dqa.taste.style import NO_STYLE, Style, look_words, matches
from dqa.taste.wishes import MOST_CHARS, MOST_PHRASES, wishes
from tests.counting import calls


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("Warm tones, slow pans; no neon", ["warm tone", "slow pan"], ["neon"]),
        ("avoid shaky camera and fast cuts, but love drone shots", ["drone shot"], ["shaky camera", "fast cut"]),
        ("I like black and white, not too dark", ["black-and-white"], ["dark"]),
        ("no neon or lens flares, warm", ["warm"], ["neon", "lens flare"]),
        ("Avoid neon, grain. Wolves", ["wolf"], ["neon", "grain"]),
        ("Don't like text overlays. Loves wolves", ["wolf"], ["text overlay"]),
        ("vivid colours without neon", ["vivid colour"], ["neon"]),
        ("ev_0123abc: neon city, clip_2.mp4", ["neon city"], []),
        ("Straße, 霓虹灯，狼", ["strasse", "霓虹灯", "狼"], []),
        ("the, of, and ... !!", [], []),
        ("", [], []),
    ],
)
def test_what_people_write_is_cut_into_phrases(text: str, wanted: list[str], unwanted: list[str]) -> None:
    found = wishes([text], liked=True)
    assert (found.wanted, found.unwanted) == (wanted, unwanted)


def test_in_a_list_of_dislikes_no_says_the_same_again() -> None:
    assert Style.of([], ["no neon", "avoid text", "blur"]).dislikes == ("neon", "text", "blur")


def test_what_is_both_is_disliked() -> None:
    assert Style.of(["neon, wolves"], ["Neon"]) == Style(likes=("wolf",), dislikes=("neon",))


@settings(deadline=None)
@given(st.lists(st.text(), max_size=8), st.lists(st.text(), max_size=8))
def test_any_text_makes_a_bounded_style(likes: list[str], dislikes: list[str]) -> None:
    style = Style.of(likes, dislikes)
    assert Style.model_validate_json(style.model_dump_json()) == style
    assert all(0 < len(phrase) <= MOST_CHARS for phrase in (*style.likes, *style.dislikes))
    found = matches(style.likes, " ".join(likes), {})
    assert found is None or 0 <= found <= 1


def large(times: int) -> Style:
    return Style.of([f"thing{i} " * 300 * times for i in range(200 * times)], ["a, " * 20_000 * times])


def test_sizes_are_bounded_and_so_is_the_work() -> None:
    assert len(large(10).likes) <= MOST_PHRASES
    assert calls(lambda: large(10)) < 15 * calls(lambda: large(1)), "a hundred times the text"
    with pytest.raises(ValueError, match="at most 64"):
        Style(likes=("x",) * 65)


def test_nothing_said_is_not_nothing_found() -> None:
    assert matches(NO_STYLE.likes, "a wolf", {"warmth": 0.9}) is None
    assert matches(("wolf",), "a hen", {}) == 0.0


@pytest.mark.parametrize(
    ("phrase", "prompt", "found"),
    [
        ("wolf", "Two WOLVES run", 0.5),
        ("wolf", "wolfram wire", 0.0),
        ("lens flare", "a lens flare over a lake", 0.5),
        ("lens flare", "a camera lens", 1 - 2**-0.25),  # half of its words, squared
        ("wolf snow", "snow, and in it a wolf", 0.5),
        ("霓虹灯", "城市的霓虹灯", 0.5),
        ("warm", "a warm evening", 0.5),
    ],
)
def test_whole_words_are_found_in_the_prompt(phrase: str, prompt: str, found: float) -> None:
    assert matches((phrase,), prompt, {}) == pytest.approx(found)


def test_more_matches_count_more_and_never_reach_one() -> None:
    values = [matches(("wolf", "moon", "snow")[:n], "wolf moon snow", {}) for n in (1, 2, 3)]
    assert values == [0.5, 0.75, 0.875]


@pytest.mark.parametrize("word", sorted(look_words()))
def test_a_look_word_follows_how_the_clip_looks(word: str) -> None:
    name, side = look_words()[word]
    assert name in LOOKS
    low, middle, high = (matches((word,), "x", {name: value}) or 0.0 for value in (0.1, 0.5, 0.9))
    assert (high > middle > low) if side > 0 else (low > middle > high)


def test_how_it_looks_counts_more_than_what_the_prompt_asked_for() -> None:
    assert matches(("warm tone",), "warm tones", {"warmth": 0.1}) == 0.0
    assert matches(("warm tone",), "blue ice", {"warmth": 0.9}) == 0.5
    assert matches(("slow camera movement",), "x", {"pace": 0.0}) == 0.5
