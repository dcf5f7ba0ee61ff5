"""The evaluator on real clips: one record, the same bits every time, one channel's fault no other's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dqa.channels.visionreward.measured import MeasuredVisionReward
from dqa.config import Settings
from dqa.errors import (
    Cancelled,
    InsufficientMemory,
    InvalidPrompt,
    MediaNotFound,
    ModelUnavailable,
    VersionNotFound,
)
from dqa.evaluator import CHANNELS, Evaluator
from dqa.models.profiles import load_profile
from dqa.record import ChannelName, EvaluationRecord
from dqa.synthesis import WEIGHTS, synthesise
from dqa.taste.learn import learn
from tests.conftest import CLIPS

CLIP = CLIPS / "wan21_04_base.mp4"
PROMPT = "a hen next to an electric guitar, 3D render"


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Evaluator:
    return Evaluator(Settings(home=tmp_path_factory.mktemp("home")))


def bits(record: EvaluationRecord) -> dict[str, Any]:
    """What must not differ between two runs."""
    data = json.loads(record.to_json())
    return {key: value for key, value in data.items() if key not in ("id", "created", "timings_s")}


def test_the_record_is_whole(evaluator: Evaluator) -> None:
    record = evaluator.evaluate(CLIP, PROMPT, user="mira", seed=7)
    assert tuple(record.channels) == CHANNELS
    assert record.final is not None
    assert record.user == record.reproduce.user == "mira"
    assert record.reproduce.seed == 7
    assert record.reproduce.media == str(CLIP)
    assert sum(record.weights.values()) == pytest.approx(1)
    assert set(record.weights) == {n for n, c in record.channels.items() if c.score is not None}
    total = sum(weight * (record.channels[name].score or 0) for name, weight in record.weights.items())
    assert record.final == pytest.approx(total)
    assert record.channels["preference"].status == "unavailable"
    assert record.media.frames == 33
    assert {"decode", "total", *CHANNELS} == set(record.timings_s)


def test_the_same_bits_every_time(evaluator: Evaluator, tmp_path: Path) -> None:
    first = bits(evaluator.evaluate(CLIP, PROMPT))
    evaluator.evaluate(CLIPS / "wan21_07_base.mp4", "a hen")
    assert bits(evaluator.evaluate(CLIP, PROMPT)) == first
    assert bits(Evaluator(Settings(home=tmp_path)).evaluate(CLIP, PROMPT)) == first


@pytest.mark.slow
def test_the_same_bits_in_another_process_with_more_threads(evaluator: Evaluator, tmp_path: Path) -> None:
    code = f"import dqa; print(dqa.evaluate({str(CLIP)!r}, {PROMPT!r}).to_json())"
    environ = {"DQA_HOME": str(tmp_path), "OMP_NUM_THREADS": "2", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.count("\n") == 1, "a library writes nothing to stdout"
    assert bits(EvaluationRecord.from_json(done.stdout)) == bits(evaluator.evaluate(CLIP, PROMPT))


def test_channels_that_are_not_asked_for_are_named(evaluator: Evaluator) -> None:
    record = evaluator.evaluate(CLIP, PROMPT, channels=["benchmark"])
    assert set(record.weights) == {"benchmark"}
    assert record.channels["semantic"].status == "unavailable"
    assert record.prompt_adherence is None
    assert record.action in ("review", "refine", "reject")


def test_a_channel_that_fails_costs_no_other(evaluator: Evaluator, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(MeasuredVisionReward, "evaluate", broken)
    record = evaluator.evaluate(CLIP, PROMPT)
    assert record.channels["visionreward"].status == "failed"
    assert record.channels["benchmark"].status == "ok"
    assert "a secret" not in record.to_json()


def test_progress_rises_and_can_cancel(evaluator: Evaluator) -> None:
    told: list[tuple[str, float]] = []
    evaluator.evaluate(CLIP, PROMPT, progress=lambda stage, share: told.append((stage, share)))
    shares = [share for _, share in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert {stage for stage, _ in told} == {"decode", *CHANNELS, "done"}

    def stop(stage: str, share: float) -> None:
        if stage == "benchmark":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        evaluator.evaluate(CLIP, PROMPT, progress=stop)


@pytest.mark.parametrize(
    ("media", "prompt", "error"),
    [(CLIP, "  ", InvalidPrompt), (CLIP, "word " * 10_000, InvalidPrompt), ("no-such.mp4", "a hen", MediaNotFound)],
)
def test_bad_input_is_refused(evaluator: Evaluator, media: Path, prompt: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluator.evaluate(media, prompt)


def test_profiles_that_can_not_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        Evaluator(Settings(home=tmp_path), load_profile("rtx3090").model_copy(update={"ready": False}))
    with pytest.raises(InsufficientMemory):
        Evaluator(Settings(home=tmp_path, budget_gb=0.01))


OWN: dict[ChannelName, float] = {"semantic": 0.13, "spatial": 0.28, "benchmark": 0.22, "visionreward": 0.12}


def test_a_user_s_own_channel_weights_are_used_named_and_reproducible(tmp_path: Path) -> None:
    serving = learn([], 12).model_copy(update={"channel_weights": OWN})
    settings = Settings(home=tmp_path)
    own, usual = (
        Evaluator(each, taste=lambda _user, _profile, _version: serving).evaluate(CLIP, PROMPT, user="mira")
        for each in (settings, settings.model_copy(update={"adaptive_weights": False}))
    )
    assert own.weights == pytest.approx(synthesise(own.channels, {**WEIGHTS, **OWN}).weights)
    assert usual.weights == pytest.approx(synthesise(own.channels).weights)
    assert own.weights != pytest.approx(usual.weights)
    (told,) = [note for note in own.notes if "channel weights" in note]
    assert told.startswith("channel weights of mira's taste 12 were used instead of the mission's")
    assert "spatial 0.28 (not 0.15)" in told
    assert not any("channel weights" in note for note in usual.notes)
    assert (own.reproduce.adaptive_weights, usual.reproduce.adaptive_weights) == (True, False)


@pytest.mark.parametrize(
    "change",
    [
        {"channel_weights": {**OWN, "spatial": 0.9}},
        {"channel_weights": {"semantic": 0.75}},
        {"features_version": 1},
        {"profile": "rtx3090"},
    ],
)
def test_weights_that_break_the_bounds_or_belong_elsewhere_are_not_used(change: dict[str, Any], tmp_path: Path) -> None:
    serving = learn([], 12).model_copy(update={"channel_weights": OWN, **change})
    evaluator = Evaluator(Settings(home=tmp_path), taste=lambda _user, _profile, _version: serving)
    record = evaluator.evaluate(CLIP, PROMPT, channels=["benchmark", "visionreward"])
    assert record.reproduce.adaptive_weights is False
    assert record.weights == pytest.approx(synthesise(record.channels).weights)


def test_a_version_of_a_taste_that_is_gone_is_never_replaced_by_another(tmp_path: Path) -> None:
    serving = learn([], 9)
    tastes = {None: serving, 2: serving.model_copy(update={"version": 2, "features_version": 1}), 0: None}
    evaluator = Evaluator(Settings(home=tmp_path), taste=lambda _user, _profile, version: tastes.get(version))
    with pytest.raises(VersionNotFound, match=r"version 3 .* not kept"):
        evaluator.evaluate(CLIP, PROMPT, taste_version=3)
    with pytest.raises(VersionNotFound, match=r"version 2 .* earlier version of DQA"):
        evaluator.evaluate(CLIP, PROMPT, taste_version=2)
    assert evaluator.evaluate(CLIP, PROMPT, taste_version=0, channels=["preference"]).reproduce.taste_version is None
    assert evaluator.evaluate(CLIP, PROMPT, channels=["preference"]).reproduce.taste_version == 9


def test_models_that_are_not_here_do_not_keep_the_others_from_loading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service starts with what there is; the channels that lack a model say so."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    evaluator = Evaluator(Settings(home=tmp_path, profile="laptop"))
    evaluator.load()
    assert evaluator.pool.resident == ()
