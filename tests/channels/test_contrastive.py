"""The semantic channel by SigLIP or CLIP: a probability for each frame and phrase, by clauses, with its limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dqa.channels.contract import EvaluationContext
from dqa.channels.registry import build_channel
from dqa.channels.seeing import even_choice
from dqa.channels.semantic.contrastive import MAX_FRAMES, ContrastiveSemantic, clauses, probability
from dqa.clip.frame import Image
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.profiles import ChannelSpec, Profile
from dqa.prompt import parse_prompt
from dqa.record import ChannelResult
from tests.models.tiny_contrastive import Kind, save_contrastive
from tests.models.tiny_vision import component
from tests.observing import gliding, observed

PROMPT = "two dark wolves prowling through a moonlit forest, cinematic"
SHORT = "a dark wolf prowling through a moonlit forest"


def pool(folder: Path) -> ModelPool:
    profile = Profile(
        name="tiny", title="tiny", device="cpu", budget_gb=1, ready=True, can=("x",), cannot=("y",), channels={},
        components=(component("siglip", folder, "hf-contrastive"),), sha256="0" * 64,
    )  # fmt: skip
    return ModelPool(profile, folder)


@cache
def seen(frames: int) -> Observation:
    return observed(gliding(frames), kind="video" if frames > 1 else "image")


def judged(models: ModelPool, prompt: str = PROMPT, frames: int = 24, **more: Any) -> ChannelResult:
    channel = build_channel("semantic", ChannelSpec(backend="contrastive", components=("siglip",)), models)
    return channel.evaluate(seen(frames), parse_prompt(prompt), EvaluationContext(**more))


class Knows:
    """A model that knows which phrases are in the pictures; frames from the third on show a little more."""

    identity = None
    pairwise = True

    def __init__(self, *known: str) -> None:
        self.known = known
        self.asked: list[str] = []

    def reads(self, text: str) -> bool:
        return len(text) <= 80

    def log_odds(self, images: Sequence[Image], phrases: Sequence[str]) -> Any:
        self.asked += phrases
        found = [[4.0 if any(k in p for k in self.known) else -4.0 for p in phrases] for _ in images]
        found[0] = [-5.0] * len(phrases)
        return np.array(found)


@pytest.fixture(scope="module", params=["siglip", "clip"])
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelPool:
    kind: Kind = request.param
    return pool(save_contrastive(tmp_path_factory.mktemp(kind), kind))


def knowing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *known: str) -> tuple[ModelPool, Knows]:
    models, model = pool(tmp_path), Knows(*known)
    monkeypatch.setattr(models, "get", lambda _: model)
    return models, model


@pytest.mark.parametrize("frames", [24, 1])
def test_a_real_model_judges_clips_and_stills(real: ModelPool, frames: int) -> None:
    found = judged(real, SHORT, frames)
    assert found.status == "ok"
    assert found.score is not None
    model = real.get("siglip")
    pictures = [f.image for f in even_choice(seen(frames).stills, MAX_FRAMES)]
    assert found.raw["log_odds"] == pytest.approx(float(model.log_odds(pictures, [SHORT]).mean()), abs=1e-6)
    assert found.score == pytest.approx(probability(float(found.raw["log_odds"])))  # type: ignore[arg-type]
    assert found.raw["pairwise"] is model.pairwise
    assert found.model is not None
    assert found.model.sha256
    assert "bag" in str(found.model.weakness)
    assert judged(real, SHORT, frames) == found


def test_atoms_say_what_is_there_and_in_which_frames(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models, model = knowing(monkeypatch, tmp_path, "forest", "prowling")
    found = judged(models)
    said = {e.text.partition(":")[0]: e for e in found.evidence}
    assert "yes (0.98)" in said["object “forest”"].text
    assert "in 2 of 3 frames" in said["object “forest”"].text
    assert "no" in said["object “wolf”"].text
    first, last = said["object “forest”"].time_s or (0, 0)
    assert 0 < first < last, "the first frame does not show it"
    assert "wolf" in found.reason
    assert any("count" in str(one) for one in found.raw["not_judged"])  # type: ignore[union-attr]
    assert not any("2 wolf" in phrase for phrase in model.asked), "counts can't be seen and are not asked"


def test_a_long_prompt_is_asked_clause_by_clause(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models, model = knowing(monkeypatch, tmp_path, "fox")
    text = "a red fox runs over deep snow in the early morning light. " * 3 + "far behind it a village sleeps."
    found = judged(models, prompt=text)
    parts = [str(part["text"]) for part in found.raw["clauses"]]  # type: ignore[index,union-attr,call-overload]
    assert len(parts) > 1
    assert " ".join(parts).split() == text.split(), "nothing of the prompt is left out"
    assert all(model.reads(part) for part in parts)
    odds = [float(part["log_odds"]) for part in found.raw["clauses"]]  # type: ignore[index,union-attr,call-overload,arg-type]
    assert found.raw["log_odds"] == pytest.approx(sum(odds) / len(odds))


def test_a_prompt_without_spaces_is_asked_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models, model = knowing(monkeypatch, tmp_path, "红色的狐狸")
    for text in ("一只红色的狐狸在雪地里奔跑，远处的村庄正在沉睡。" * 250, "红色的狐狸" * 200):
        found = judged(models, prompt=text)
        assert (found.status, found.score is None) == ("ok", False)
        parts = [str(part["text"]) for part in found.raw["clauses"]]  # type: ignore[index,union-attr,call-overload]
        assert "".join(parts) == text, "nothing of the prompt is left out"
        assert all(model.reads(part) for part in parts)
    # The whole run is one "thing" to the parser, and longer than the model reads: the record names it.
    assert any(str(one).startswith("object 红色的狐狸") for one in found.raw["not_judged"])  # type: ignore[union-attr]


def test_what_can_not_be_read_is_not_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models, model = knowing(monkeypatch, tmp_path, "fox")
    monkeypatch.setattr(model, "reads", lambda _: False)
    found = judged(models, prompt="x" * 200)
    assert (found.status, found.score) == ("abstained", None)
    assert "can read no part" in found.reason
    blank = ContrastiveSemantic(pool=models, components=("siglip",)).evaluate(
        observed([np.zeros((64, 64, 3), np.uint8)] * 24), parse_prompt(PROMPT), EvaluationContext()
    )
    assert (blank.status, blank.score) == ("abstained", None)


def test_probability_is_monotone_and_never_overflows() -> None:
    values = [probability(x) for x in (-1e6, -3.0, 0.0, 0.1, 3.0, 1e6)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (0.0, 1.0)
    assert probability(1.5) == pytest.approx(1 / (1 + math.exp(-1.5)))


def test_clauses_keep_every_word_whatever_fits() -> None:
    text = "one two, three four five. six seven eight nine"
    for most in range(5, 60, 3):
        parts = clauses(text, lambda piece, most=most: len(piece) <= most)
        assert parts is not None
        assert " ".join(parts) == text
        assert all(len(part) <= most for part in parts)
