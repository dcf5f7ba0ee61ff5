"""The benchmark channel by the official vbench package, on its stand-in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dqa.channels.benchmark.official import OfficialBenchmark, total
from dqa.channels.contract import EvaluationContext
from dqa.channels.registry import build_channel, chosen_spec
from dqa.clip.frame import Image
from dqa.config import Settings
from dqa.errors import ConfigError, ModelUnavailable
from dqa.evaluator import Evaluator
from dqa.measure.observation import Observation
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.models.vbench_env.dimensions import NOT_FOR_ONE_CLIP, OFFICIAL
from dqa.prompt import parse_prompt
from dqa.record import ChannelResult, EvaluationRecord
from tests.conftest import CLIPS
from tests.models.vbench_stand_in import stand_in, told
from tests.observing import gliding, observed

PROMPT = parse_prompt("a red fox in the snow")


@pytest.fixture
def channel(tmp_path: Path) -> OfficialBenchmark:
    stand_in(tmp_path / "home")
    return OfficialBenchmark(pool=ModelPool(load_profile("embedded"), tmp_path / "home"))


def of(media: Path, images: list[Image]) -> Observation:
    seen = observed(images)
    sha256 = hashlib.sha256(media.read_bytes()).hexdigest()
    facts = seen.media.model_copy(update={"sha256": sha256})
    return Observation(facts, seen.stills, seen.track, seen.representative, seen.signals)


def judged(channel: OfficialBenchmark, media: Path, images: list[Image] | None = None) -> ChannelResult:
    return channel.evaluate(of(media, images or gliding(24)), PROMPT, EvaluationContext(media=media))


def test_a_number_of_vbench_becomes_the_leaderboards_score(channel: OfficialBenchmark, tmp_path: Path) -> None:
    result = judged(channel, told(tmp_path, "0.9"))
    assert result.status == "ok"
    assert result.dimensions is not None
    flicker = result.dimensions["temporal_flickering"]
    assert flicker.raw == 0.9
    assert flicker.score == pytest.approx((0.9 - 0.6293) / (1 - 0.6293))
    assert result.model is not None
    assert result.model.revision == "vbench==0.1.5"


def test_every_dimension_that_could_not_run_says_what_it_lacks(channel: OfficialBenchmark, tmp_path: Path) -> None:
    result = judged(channel, told(tmp_path, "0.9"))
    assert result.dimensions is not None
    assert set(result.dimensions) == set(OFFICIAL)
    silent = {name: one for name, one in result.dimensions.items() if one.score is None}
    assert len(silent) == 7
    assert all(one.status == "unavailable" and len(one.reason) > 20 for one in silent.values())
    assert "dynamic degree" in result.reason
    assert result.raw["not_for_one_clip"] == NOT_FOR_ONE_CLIP


def test_a_still_clip_does_not_win(channel: OfficialBenchmark, tmp_path: Path) -> None:
    still = judged(channel, told(tmp_path, "1.0"), [gliding(1)[0]] * 24)
    moving = judged(channel, told(tmp_path, "0.95"))
    assert still.score is not None
    assert moving.score is not None
    assert still.score < 0.1 < moving.score
    assert "0 % of the clip" in still.reason


def test_a_failure_costs_its_dimension_only(channel: OfficialBenchmark, tmp_path: Path) -> None:
    result = judged(channel, told(tmp_path, "raise"))
    assert result.status == "unavailable"
    assert result.score is None
    assert result.dimensions is not None
    assert result.dimensions["temporal_flickering"].status == "failed"
    assert "no frames" in result.dimensions["temporal_flickering"].reason


def test_an_image_is_not_judged(channel: OfficialBenchmark) -> None:
    result = channel.evaluate(observed(gliding(1), kind="image"), PROMPT, EvaluationContext())
    assert result.status == "abstained"


def test_a_file_that_is_another_by_now_is_refused(channel: OfficialBenchmark, tmp_path: Path) -> None:
    media = told(tmp_path, "0.9")
    seen = of(media, gliding(24))
    media.write_text("1.0")
    with pytest.raises(ModelUnavailable, match="changed while"):
        channel.evaluate(seen, PROMPT, EvaluationContext(media=media))
    with pytest.raises(ModelUnavailable, match="none here"):
        channel.evaluate(seen, PROMPT, EvaluationContext())


def test_the_shares_are_the_leaderboards() -> None:
    whole = {name: 1.0 for name in OFFICIAL}
    assert total(whole, 1.0) == pytest.approx(1.0)
    assert total({**whole, "dynamic_degree": 0.0}, 1.0) == pytest.approx(1 - 0.0615 / (0.8 + 0.0222), abs=1e-3)


def test_the_choice_of_backend() -> None:
    embedded = load_profile("embedded")
    assert chosen_spec(embedded, "benchmark") is embedded.channels["benchmark"]
    assert chosen_spec(embedded, "benchmark", "measured") is embedded.channels["benchmark"]
    assert chosen_spec(embedded, "semantic", "vbench") is embedded.channels["semantic"]
    spec = chosen_spec(embedded, "benchmark", "vbench")
    assert spec is not None
    assert spec.backend == "vbench-official"
    bare = embedded.model_copy(update={"components": (), "channels": {}})
    with pytest.raises(ConfigError, match="no encoder"):
        chosen_spec(bare, "benchmark", "measured")


def test_without_the_environment_the_evaluator_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="dqa models vbench-env"):
        Evaluator(Settings(home=tmp_path, benchmark_backend="vbench"))
    spec = chosen_spec(load_profile("embedded"), "benchmark", "vbench")
    assert spec is not None
    pool = ModelPool(load_profile("embedded"), tmp_path)
    with pytest.raises(ModelUnavailable):
        build_channel("benchmark", spec, pool)


def test_the_record_holds_the_choice_and_only_then(tmp_path: Path) -> None:
    stand_in(tmp_path)
    seen, clip = gliding(12), CLIPS / "wan21_01_base.mp4"
    asked = Evaluator(Settings(home=tmp_path, benchmark_backend="vbench"))
    record = asked.run(clip, "a fox", channels=["benchmark"]).record
    assert record.reproduce.benchmark_backend == "vbench"
    assert record.channels["benchmark"].dimensions is not None
    assert record.channels["benchmark"].dimensions["temporal_flickering"].status == "failed"  # the stand-in reads text
    assert EvaluationRecord.from_json(record.to_json()).reproduce.benchmark_backend == "vbench"
    plain = Evaluator(Settings(home=tmp_path)).judge(observed(seen), "a fox", channels=[])
    assert "benchmark_backend" not in json.loads(plain.to_json())["reproduce"]
