"""The topic detector: ranks matched above mismatched, abstains by the prompt alone, claims no more than it sees."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.topic_auc import Item, clips, photographs, rank
from dqa.channels.contract import EvaluationContext
from dqa.channels.semantic.matching import expect
from dqa.channels.semantic.topic import TopicSemantic
from dqa.clip.frame import Frame
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models.embedded.labels import label_bank
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt import parse_prompt
from tests.conftest import CLIPS

CONTEXT = EvaluationContext()


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> TopicSemantic:
    profile = load_profile("embedded")
    pool = ModelPool(profile, tmp_path_factory.mktemp("home"))
    return TopicSemantic(pool=pool, components=profile.channels["semantic"].components)


@pytest.fixture(scope="module")
def photos() -> dict[str, Item]:
    return {item.name: item for item in photographs()}


@pytest.mark.slow
def test_photographs_rank_above_mismatches(channel: TopicSemantic, photos: dict[str, Item]) -> None:
    found = rank(channel, list(photos.values()))
    assert found.auc >= 0.85
    assert found.abstained <= 0.25


@pytest.mark.slow
def test_clips_rank_above_mismatches(channel: TopicSemantic, photos: dict[str, Item]) -> None:
    """The eight clips' own prompts are mostly outside what it knows: so the clips also meet the photographs."""
    items = [*clips(CLIPS), photos["coffee"], photos["cat"], photos["stereo_motorcycle"]]
    found = rank(channel, items)
    assert found.auc >= 0.72
    assert found.abstained < 1


@pytest.mark.parametrize(
    "prompt", ["justice and irony", "2 guys talking near a big tree", "qwertz uiop", "4k, cinematic"]
)
def test_abstention_depends_on_the_prompt_alone(channel: TopicSemantic, photos: dict[str, Item], prompt: str) -> None:
    for name in ("cat", "moon"):
        result = channel.evaluate(photos[name].observation, parse_prompt(prompt), CONTEXT)
        assert result.status == "abstained"
        assert result.score is None


def test_evidence_names_labels_and_the_words_they_support(channel: TopicSemantic, photos: dict[str, Item]) -> None:
    result = channel.evaluate(photos["coffee"].observation, parse_prompt("a cup of espresso on a table"), CONTEXT)
    assert result.score is not None
    assert result.score > 0.9
    assert "espresso" in result.evidence[0].text
    assert "“espresso”" in result.evidence[0].text
    assert result.evidence[0].frame == 0
    assert "no attribute, count or action" in result.reason
    assert result.confidence is not None
    assert 0.45 <= result.confidence <= 0.7


def test_colours_change_little(channel: TopicSemantic, photos: dict[str, Item]) -> None:
    """It must not pretend to see a colour: the score hardly moves with one."""
    red, blue = (
        channel.evaluate(
            photos["stereo_motorcycle"].observation, parse_prompt(f"a {c} motorcycle in a garage"), CONTEXT
        )
        for c in ("red", "blue")
    )
    assert red.score is not None
    assert blue.score is not None
    assert abs(red.score - blue.score) < 0.15


def test_blank_frames_are_left_out(channel: TopicSemantic, photos: dict[str, Item]) -> None:
    cat = photos["cat"].observation
    image = cat.stills[0].image
    black = np.zeros_like(image)
    frames = [Frame(i, i / 2, black if i % 2 else image) for i in range(6)]
    mixed = observe(iter(frames), lambda: cat.media)
    prompt = parse_prompt("a tabby cat")
    assert channel.evaluate(mixed, prompt, CONTEXT).score == pytest.approx(channel.evaluate(cat, prompt, CONTEXT).score)

    blank = observe(iter([Frame(0, 0.0, black)]), lambda: cat.media)
    assert channel.evaluate(blank, prompt, CONTEXT).status == "abstained"


def test_survives_mild_compression(channel: TopicSemantic, photos: dict[str, Item]) -> None:
    def compressed(observation: Observation) -> Observation:
        _, data = cv2.imencode(".jpg", observation.stills[0].image, [cv2.IMWRITE_JPEG_QUALITY, 40])
        image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        return observe(iter([Frame(0, 0.0, image)]), lambda: observation.media)

    cat, prompt = photos["cat"].observation, parse_prompt("a tabby cat")
    assert channel.evaluate(compressed(cat), prompt, CONTEXT).score == pytest.approx(1, abs=0.1)
    assert channel.evaluate(cat, prompt, CONTEXT).score == pytest.approx(1, abs=0.1)


def test_spread_tells_what_is_known_from_what_is_not() -> None:
    bank = label_bank()
    spread = expect(bank.named[[285]], bank).spread  # a label's own name calls up few labels
    assert 1 <= float(spread[0]) < 50
    assert float(expect(np.full((1, 384), 384**-0.5, np.float32), bank).spread[0]) <= 1000


def test_no_model_is_loaded_to_abstain_for_lack_of_things(photos: dict[str, Item], tmp_path: Path) -> None:
    profile = load_profile("embedded")
    pool = ModelPool(profile, tmp_path)
    channel = TopicSemantic(pool=pool, components=profile.channels["semantic"].components)
    channel.evaluate(photos["cat"].observation, parse_prompt("justice and irony"), CONTEXT)
    assert pool.resident == ("minilm",)
