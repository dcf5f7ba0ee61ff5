"""Which labels stand for a thing: its kinds, the right sense, and nothing that only shares a word."""

from __future__ import annotations

import pytest

from dqa.channels.spatial.vocabulary import labels_for
from dqa.models.embedded.labels import label_bank
from dqa.models.embedded.sentences import MiniLM, load
from dqa.models.pool import weights_path
from dqa.models.profiles import load_profile
from dqa.prompt import parse_prompt


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> MiniLM:
    component = load_profile("embedded").component("minilm")
    return load(component, weights_path(component), tmp_path_factory.mktemp("home"))


def names(text: str, encoder: MiniLM) -> set[str]:
    (entity,) = parse_prompt(text).entities
    return {label_bank().names[i] for i in labels_for(entity, label_bank(), encoder)}


@pytest.mark.parametrize(
    ("thing", "label"),
    [
        ("a dog", "Golden Retriever"),
        ("a ginger tabby cat", "Siamese cat"),
        ("a red motorcycle", "motor scooter"),
        ("a blue sofa", "couch"),
        ("an imposing mountain range", "mountain"),
        ("an electronic guitar", "electric guitar"),
        ("a space shuttle", "space shuttle"),
    ],
)
def test_kinds_and_other_words(thing: str, label: str, encoder: MiniLM) -> None:
    assert label in names(thing, encoder)


@pytest.mark.parametrize(
    "thing", ["a white wall", "a big tree", "the midday sun", "a robot", "a woman", "a qwertzuiop"]
)
def test_what_only_shares_a_word_is_not_it(thing: str, encoder: MiniLM) -> None:
    assert not names(thing, encoder) & {"wall clock", "tree frog", "sundial", "sunscreen", "ant", "ladybug"}


def test_a_fire_engine_is_no_engine(encoder: MiniLM) -> None:
    assert names("a fire engine", encoder) == {"fire truck"}
