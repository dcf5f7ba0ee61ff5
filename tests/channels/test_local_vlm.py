"""Semantic and VisionReward by a vision-language model on this machine: random weights, real loading, end to end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from dqa.channels.contract import EvaluationContext
from dqa.channels.registry import build_channel
from dqa.channels.seeing import even_choice
from dqa.channels.semantic.vqa import MAX_FRAMES
from dqa.clip.frame import Image
from dqa.config import Settings
from dqa.evaluator import Evaluator
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.profiles import Component, Profile, load_profile
from dqa.models.roles import YesNo
from dqa.models.vlm import local_prefix
from dqa.models.vlm.local import LocalModel
from dqa.prompt import parse_prompt
from dqa.record import ChannelName, ChannelResult
from tests.models import tiny_vlm
from tests.observing import gliding, observed

VLM = Component(
    id="vlm-endpoint", role="vision-language model", loader="transformers-vlm", phase="verification", memory_gb=0.0,
    memory_source="measured", licence="Apache-2.0", hub="Qwen/Qwen3-VL-8B-Instruct", revision="0" * 40,
)  # fmt: skip
PROMPT = "a dark wolf prowling through a moonlit forest"


def profile() -> Profile:
    """The profile remote-vlm with its judge on this machine."""
    remote = load_profile("remote-vlm")
    return remote.model_copy(update={"components": (VLM, *remote.components[1:])})


@pytest.fixture(autouse=True)
def reads_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights at random see text for a judge at random, which no channel would trust: here they see none."""
    ask = LocalModel.ask

    def asked(self: LocalModel, images: Sequence[Image], questions: Sequence[str]) -> list[YesNo | None]:
        answers = ask(self, images, questions)
        return [YesNo(-3.0, True) if "written text" in q else a for q, a in zip(questions, answers, strict=True)]

    monkeypatch.setattr(LocalModel, "ask", asked)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_vlm.qwen3_vl(tmp_path_factory.mktemp("vlm"))


def judged(name: ChannelName, pool: ModelPool, seen: Observation) -> ChannelResult:
    channel = build_channel(name, pool.profile.channels[name], pool)
    return channel.evaluate(seen, parse_prompt(PROMPT), EvaluationContext())


@pytest.mark.parametrize("kind", ["video", "image"])
def test_both_channels_judge_and_name_the_model_that_did(folder: Path, tmp_path: Path, kind: str) -> None:
    pool = ModelPool(profile(), tmp_path, Settings(home=tmp_path, vlm_folder=folder))
    seen = observed(gliding(48 if kind == "video" else 1), kind=kind)
    semantic, reward = judged("semantic", pool, seen), judged("visionreward", pool, seen)
    assert (semantic.status, reward.status) == ("ok", "ok")
    vlm = pool.get("vlm-endpoint")
    assert isinstance(vlm, LocalModel)
    frames = [frame.image for frame in even_choice(seen.stills, MAX_FRAMES)]
    (answer,) = vlm.ask(frames, [f'Does this {kind} show "{PROMPT}"? Please answer Yes or No.'])
    assert answer is not None
    (clause,) = semantic.raw["clauses"]  # type: ignore[misc]
    assert clause["log_odds"] == pytest.approx(answer.log_odds, abs=1e-4)  # type: ignore[index,call-overload]
    assert semantic.raw["soft"] is True
    assert len(semantic.raw["atoms"]) >= 4  # type: ignore[arg-type]
    assert set(reward.axes or {}) == ({"aesthetic", "motion", "coherence", "fidelity"})
    assert semantic.model == vlm.identity
    assert reward.model is not None
    assert reward.model.parts == (vlm.identity,)


def test_the_same_again_by_another_process_of_loading(folder: Path, tmp_path: Path) -> None:
    seen = observed(gliding(32))
    pools = [ModelPool(profile(), tmp_path, Settings(home=tmp_path, vlm_folder=folder)) for _ in range(2)]
    first, again = (judged("visionreward", pool, seen) for pool in pools)
    assert first == again


def test_a_whole_evaluation_and_one_without_the_model(folder: Path, tmp_path: Path) -> None:
    seen = observed(gliding(24))
    wanted: list[ChannelName] = ["semantic", "benchmark", "visionreward"]
    there = Evaluator(Settings(home=tmp_path, vlm_folder=folder), profile=profile()).judge(
        seen, PROMPT, channels=wanted
    )
    assert {there.channels[name].status for name in wanted} == {"ok"}
    gone = Evaluator(Settings(home=tmp_path, vlm_folder=tmp_path / "nowhere"), profile=profile())
    record = gone.judge(seen, PROMPT, channels=wanted)
    assert [record.channels[name].status for name in wanted] == ["unavailable", "ok", "unavailable"]
    assert "no such model folder" in record.channels["semantic"].reason
    assert record.action != "accept"


@pytest.mark.parametrize(("kind", "frames"), [("video", 48), ("video", 96), ("image", 1)])
def test_an_evaluation_computes_each_set_of_frames_once_over_all_channels(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, frames: int
) -> None:
    seen: list[str] = []
    real = local_prefix.prefill

    def counted(model: Any, inputs: dict[str, Any]) -> Any:
        seen.append(hashlib.sha256(inputs["pixel_values"].numpy().tobytes()).hexdigest()[:4])
        return real(model, inputs)

    monkeypatch.setattr(local_prefix, "prefill", counted)
    evaluator = Evaluator(Settings(home=tmp_path, vlm_folder=folder), profile=profile())
    record = evaluator.judge(observed(gliding(frames), kind=kind), PROMPT)
    assert {record.channels[name].status for name in ("semantic", "benchmark", "visionreward")} == {"ok"}  # type: ignore[index]
    assert len(seen) == len(set(seen)), seen
    assert len(seen) > 1 or kind == "image"
    vlm = evaluator.pool.peek("vlm-endpoint")
    assert vlm.kept_gb == 0, "nothing is kept once the clip is judged"
    evaluator.judge(observed(gliding(frames), kind=kind), PROMPT)
    assert len(seen) == 2 * len(set(seen))
