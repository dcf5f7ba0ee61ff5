"""Traits of a prompt: plain words, whole words, honest about what it can't read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.taste.features import TAGS
from dqa.taste.traits import lexicon, traits
from dqa.taste.words import words


def tags(prompt: str) -> set[str]:
    return {tag for tag in TAGS if traits(prompt)[f"tag:{tag}"] == 1.0}


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("2 guys talking near a big tree, animation style", {"animation", "people", "nature"}),
        ("human girl talk to cute dragon, pixar, disney", {"animation", "people", "fantasy"}),
        ("Wolves prowl a moonlit FOREST, photo-realistic", {"animal", "nature", "dark", "photoreal"}),
        ("oil painting of a street at night", {"painting", "city", "dark"} - {"painting"} | {"painting"}),
        ("extreme close-up of a robot", {"closeup", "fantasy"}),
        ("A car drives", set()),
        ("an empty street, no people, without dogs", {"city"}),
        ("a catalogue of wolfram", set()),  # whole words only
    ],
)
def test_it_reads_what_is_asked_for(prompt: str, expected: set[str]) -> None:
    assert tags(prompt) == expected


@pytest.mark.parametrize("prompt", ["", "...", "一只狼在森林里", "Волк в лесу", "🐺🐺"])
def test_what_it_cannot_read_it_does_not_judge(prompt: str) -> None:
    assert traits(prompt) == {}


def test_longer_and_more_complex_prompts_measure_more() -> None:
    prompts = ["a wolf", "a dark wolf in a forest", "a dark wolf left of a red fox in a snowy forest under a pale moon"]
    for name in ("prompt:length", "prompt:complexity"):
        values = [traits(prompt)[name] for prompt in prompts]
        assert values == sorted(values)
        assert len(set(values)) == 3
        assert all(-3 < value < 3 for value in values)


def test_every_listed_phrase_can_be_found() -> None:
    for tag, phrases in lexicon().items():
        assert len(set(phrases)) == len(phrases)
        for phrase in phrases:
            assert phrase, tag
            assert tag in tags("x " + " ".join(phrase)), phrase


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_has_bounded_traits_or_none(prompt: str) -> None:
    found = traits(prompt)
    assert set(found) in (set(), {f"tag:{tag}" for tag in TAGS} | {"prompt:length", "prompt:complexity"})
    assert all(abs(value) < 6 for value in found.values())


def test_only_the_beginning_of_a_very_long_prompt_is_read() -> None:
    assert traits("wolf " * 10_000) == traits(("wolf " * 10_000)[:4000])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Two WOLVES' eyes", ("two", "wolf", "eye")),
        ("colors, GRAY", ("colour", "grey")),
        ("the dog’s bone", ("the", "dog", "bone")),
        ("ＦＵＬＬ width ﬁlm", ("full", "width", "film")),
    ],
)
def test_words_are_plain(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected
