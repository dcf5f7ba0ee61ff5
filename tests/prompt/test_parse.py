"""What the parser makes of real prompts, and of anything at all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqa.prompt import Prompt, chunker, parse_prompt
from dqa.prompt.phrases import Phrase, noun_phrases
from dqa.prompt.tagging import Word
from tests.counting import calls

MANIFEST = Path(__file__).parent.parent / "data" / "clips" / "manifest.jsonl"


def heads(prompt: Prompt) -> list[str]:
    return [e.head for e in prompt.entities]


def relations(prompt: Prompt) -> list[tuple[str, str, str]]:
    named = prompt.entities
    return [(named[r.subject].head, r.name, named[r.object].head) for r in prompt.relations]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dark wolf prowling through moonlit forest", ["wolf", "forest"]),
        ("2 guys talking near a big tree, animation style", ["guy", "tree"]),
        ("Robot dancing in Times Square", ["robot", "square"]),
        ("human girl talk to cute dragon, pixar, disney", ["girl", "dragon"]),
        ("unicorn running in the beautiful garden with rainbow", ["unicorn", "garden", "rainbow"]),
        ("An Iron man is playing the electronic guitar, high electronic guitar", ["man", "guitar"]),
        ("a pair of running shoes on a track", ["shoe", "track"]),
        ("a flock of sheep grazing on a hill", ["sheep", "hill"]),
        ("children building a sandcastle", ["child", "sandcastle"]),
        ("portrait of a bride and her groom", ["bride", "groom"]),
        ("4k, cinematic, studio shot", []),
    ],
)
def test_entities(text: str, expected: list[str]) -> None:
    assert heads(parse_prompt(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red ball to the left of a blue cube", [("ball", "left of", "cube")]),
        ("a blue cube to the right of a red ball", [("cube", "right of", "ball")]),
        ("A cat on the left and a dog on the right", [("cat", "left of", "dog")]),
        ("A cat on the right and a dog on the left", [("cat", "right of", "dog")]),
        ("a bird above the house", [("bird", "above", "house")]),
        ("a house below the bird", [("house", "below", "bird")]),
        ("a dog sleeping under a wooden table", [("dog", "below", "table")]),
        ("a man in front of a castle", [("man", "in front of", "castle")]),
        ("a fox behind an old, mossy tree", [("fox", "behind", "tree")]),
        (
            "a plane on top of a hangar, a truck next to the plane",
            [("plane", "on", "hangar"), ("truck", "next to", "plane")],
        ),
        ("a house. In the sky a bird", []),
        ("an umbrella blown away by the wind", []),
    ],
)
def test_relations_have_their_sign(text: str, expected: list[tuple[str, str, str]]) -> None:
    assert relations(parse_prompt(text)) == expected


def test_attributes_and_counts_are_read() -> None:
    wolves = parse_prompt("three dark wolves and 12 sheep").entities
    assert [(e.head, e.attributes, e.count) for e in wolves] == [("wolf", ("dark",), 3), ("sheep", (), 12)]


def test_style_is_kept_apart() -> None:
    prompt = parse_prompt("Origami dancers in white paper, 3D render, on white background, studio shot")
    assert prompt.style == ("3d render", "white background", "studio shot")
    assert heads(prompt) == ["dancer", "paper"]


def test_a_thing_named_again_is_one_entity() -> None:
    assert heads(parse_prompt("a small dog runs. The dog jumps over a fence.")) == ["dog", "fence"]
    assert heads(parse_prompt("a red ball and a blue ball")) == ["ball", "ball"]


def test_every_prompt_of_the_clips_has_entities() -> None:
    for line in MANIFEST.read_text().splitlines():
        assert parse_prompt(json.loads(line)["prompt"]).entities


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_text_gives_a_sound_parse(text: str) -> None:
    prompt = parse_prompt(text)
    assert prompt == parse_prompt(text)
    for relation in prompt.relations:
        assert relation.subject != relation.object
        assert max(relation.subject, relation.object) < len(prompt.entities)
    for entity in prompt.entities:
        assert entity.text
        assert entity.head
        assert entity.head not in prompt.style


WORDS = st.sampled_from("a the 2 dog dogs cat's of left right to on , . and under running red pair 4k style is".split())  # noqa: SIM905


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=30))
def test_any_order_of_telling_words_gives_a_sound_parse(words: list[str]) -> None:
    prompt = parse_prompt(" ".join(words))
    assert all(r.subject != r.object for r in prompt.relations)
    assert {e.head for e in prompt.entities} <= {"dog", "cat", "running", "red", "pair"}


@pytest.mark.parametrize(
    "again",
    [
        "a very dark wolf sitting on the left of ",
        "wolf ",
        "dark, ",
        "very ",
        "a pair of ",
        "studio shot ",
        "the wolf and ",
        "a's-b ",
        "2 ",
        "-",
    ],
)
def test_work_grows_linearly(again: str) -> None:
    parse_prompt("a wolf")  # reads what is read once for all prompts
    few, many = calls(lambda: parse_prompt(again * 50)), calls(lambda: parse_prompt(again * 1000))
    assert 0 < many <= 30 * few, "twenty times the text"


class Counted(str):
    """A word that counts how often it is looked up."""

    __slots__ = ()
    looked_up = 0

    def __hash__(self) -> int:
        Counted.looked_up += 1
        return super().__hash__()


def test_naming_a_much_described_thing_again_costs_no_second_reading_of_its_attributes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def phrases(words: Sequence[Word]) -> list[Phrase]:
        return [
            replace(p, entity=replace(p.entity, attributes=tuple(Counted(a) for a in p.entity.attributes)))
            for p in noun_phrases(words)
        ]

    monkeypatch.setattr(chunker, "noun_phrases", phrases)
    Counted.looked_up = 0
    described = " ".join(f"x{i}-like" for i in range(100, 300))
    (wolf,) = parse_prompt(f"the {described} wolf." + " the x100-like wolf." * 200).entities
    assert len(wolf.attributes) == 200
    assert 200 <= Counted.looked_up < 4 * 400
