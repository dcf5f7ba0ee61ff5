"""What fits make of an evaluation: calibrated scores, named versions, and nothing at all where nothing was fitted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dqa.acceptance.apply import NO_FITS, Fits, calibrated, fingerprint, in_force
from dqa.acceptance.shelf import calibrations
from dqa.acceptance.unfitted import uncalibrated, unfitted_axes, unfitted_score
from dqa.config import Settings
from dqa.errors import VersionNotFound
from dqa.evaluator import Evaluator
from dqa.measure.observation import Observation
from dqa.record import UNCALIBRATED, Axis, ChannelName, ChannelResult, EvaluationRecord, ModelIdentity, Reproduce
from dqa.taste.features import INDEX, Judged, features
from tests.acceptance.world import a_map, calibration
from tests.observing import gliding, observed

JUDGE = ModelIdentity(id="m", revision="1", licence="MIT", weakness="none known")
PROMPT = "a dark square on a light wall"


def result(score: float | None = 0.6, model: ModelIdentity = JUDGE) -> ChannelResult:
    return ChannelResult(status="ok" if score is not None else "abstained", score=score, reason="r", model=model)


@pytest.fixture
def fits(tmp_path: Path) -> Fits:
    calibrations(tmp_path, "embedded").add(calibration(semantic=a_map(fingerprint(JUDGE))))
    return in_force(tmp_path, "embedded")


def test_without_fits_nothing_changes() -> None:
    results: dict[ChannelName, ChannelResult] = {"semantic": result()}
    assert calibrated(results, NO_FITS) == (results, ())
    assert NO_FITS.used == {"calibration": None, "checklist": None}


def test_a_score_is_calibrated_and_its_own_is_kept(fits: Fits) -> None:
    found, notes = calibrated({"semantic": result(), "spatial": result(0.3)}, fits)
    assert found["semantic"].score == a_map().curve(0.6) != 0.6
    assert found["semantic"].raw[UNCALIBRATED] == 0.6
    assert found["spatial"] == result(0.3)
    assert "by version 1: semantic (from 50 ratings)" in notes[0]
    assert (uncalibrated(found["semantic"]), unfitted_score(found["semantic"])) == (0.6, 0.6)


def test_no_score_stays_none(fits: Fits) -> None:
    found, notes = calibrated({"semantic": result(None)}, fits)
    assert found["semantic"] == result(None)
    assert notes == ()


def test_another_models_score_is_left_alone_and_named(fits: Fits) -> None:
    other = JUDGE.model_copy(update={"revision": "2"})
    found, notes = calibrated({"semantic": result(model=other)}, fits)
    assert found["semantic"].score == 0.6
    assert "another model" in notes[0]


def test_a_model_is_the_same_whatever_is_said_of_it() -> None:
    assert fingerprint(JUDGE) == fingerprint(JUDGE.model_copy(update={"weakness": "slow", "licence": "Apache-2.0"}))
    assert fingerprint(JUDGE) != fingerprint(JUDGE.model_copy(update={"parts": (JUDGE,)}))
    assert fingerprint(None) != fingerprint(JUDGE)


def test_a_map_made_under_other_checklist_weights_is_left_out(tmp_path: Path) -> None:
    made = a_map(fingerprint(JUDGE), checklist="5e" * 32)
    calibrations(tmp_path, "embedded").add(calibration(visionreward=made))
    found, notes = calibrated({"visionreward": result()}, in_force(tmp_path, "embedded"))
    assert found["visionreward"].score == 0.6
    assert "other checklist weights" in notes[0]


def test_damage_is_named_and_costs_the_calibration_only(tmp_path: Path, fits: Fits) -> None:
    (tmp_path / "fits" / "embedded" / "calibration" / "0001.json").write_text("{}")
    fits = in_force(tmp_path, "embedded")
    found, notes = calibrated({"semantic": result()}, fits)
    assert found["semantic"] == result()
    assert notes[0].startswith("scored without it: version 1 of the calibration for profile embedded is damaged")


def test_taste_sees_the_scores_before_any_fit(fits: Fits) -> None:
    before: dict[ChannelName, ChannelResult] = {"semantic": result()}
    after, _ = calibrated(before, fits)
    one, two = (features(Judged(each, PROMPT))[INDEX["channel:semantic"]] for each in (before, after))
    assert one == two == pytest.approx(0.4)


def test_taste_sees_axes_by_the_published_weights() -> None:
    raw = {"by_published_weights": {"score": 0.5, "axes": {"motion": 0.25}}, UNCALIBRATED: 0.7}
    seen = ChannelResult.model_validate(
        {
            "status": "ok",
            "score": 0.9,
            "reason": "r",
            "raw": raw,
            "axes": {"motion": Axis(score=0.8, reason="", advice="")},
        }
    )
    assert (unfitted_score(seen), uncalibrated(seen)) == (0.5, 0.7)
    assert unfitted_axes(seen) == {"motion": 0.25}
    vector = features(Judged({"visionreward": seen}, PROMPT))
    assert vector[INDEX["axis:motion"]] == pytest.approx(-1.0)


@pytest.mark.parametrize("value", [True, "0.5", float("nan"), 7, None, [0.5]])
def test_nonsense_in_raw_is_no_score(value: object) -> None:
    seen = result().model_copy(update={"raw": {UNCALIBRATED: value, "by_published_weights": value}})
    assert unfitted_score(seen) == 0.6
    assert unfitted_axes(seen) == {}


@pytest.fixture(scope="module")
def clip() -> Observation:
    return observed(gliding(16))


def evaluate(home: Path, clip: Observation, fits: Reproduce | None = None) -> EvaluationRecord:
    evaluator = Evaluator(Settings(home=home))
    return evaluator.judge(clip, PROMPT, channels=("benchmark", "visionreward"), media_name="c", fits=fits)


def test_an_unfitted_record_has_no_new_key(tmp_path: Path, clip: Observation) -> None:
    data = json.loads(evaluate(tmp_path, clip).to_json())
    assert not {"calibration", "checklist"} & set(data["reproduce"])
    assert UNCALIBRATED not in data["channels"]["benchmark"]["raw"]
    assert not any("calibrat" in note for note in data["notes"])
    assert not (tmp_path / "fits").exists()


def test_a_record_names_its_calibration_and_is_made_again_under_it(tmp_path: Path, clip: Observation) -> None:
    plain = evaluate(tmp_path, clip)
    shelf = calibrations(tmp_path, "embedded")
    one = shelf.add(calibration(benchmark=a_map(fingerprint(plain.channels["benchmark"].model))))
    first = evaluate(tmp_path, clip)
    assert first.reproduce.calibration == one.used
    assert first.channels["benchmark"].raw[UNCALIBRATED] == plain.channels["benchmark"].score
    assert first.channels["visionreward"] == plain.channels["visionreward"]
    assert first.final != plain.final
    assert EvaluationRecord.from_json(first.to_json()) == first
    shelf.add(calibration())
    assert evaluate(tmp_path, clip).final == plain.final
    again = evaluate(tmp_path, clip, fits=first.reproduce)
    assert (again.final, again.channels, again.reproduce) == (first.final, first.channels, first.reproduce)
    bare = evaluate(tmp_path, clip, fits=plain.reproduce)
    assert (bare.final, bare.channels, bare.notes) == (plain.final, plain.channels, plain.notes)


def test_a_calibration_that_is_gone_or_another_is_an_error(tmp_path: Path, clip: Observation) -> None:
    shelf = calibrations(tmp_path, "embedded")
    shelf.add(calibration(benchmark=a_map()))
    record = evaluate(tmp_path, clip)
    (shelf.folder / "0001.json").unlink()
    with pytest.raises(VersionNotFound, match="no version 1"):
        evaluate(tmp_path, clip, fits=record.reproduce)
    shelf.add(calibration(spatial=a_map()))
    with pytest.raises(VersionNotFound, match="not the one of the record"):
        evaluate(tmp_path, clip, fits=record.reproduce)


def test_clips_keep_their_order_under_any_map(tmp_path: Path) -> None:
    calibrations(tmp_path, "embedded").add(calibration(semantic=a_map(fingerprint(JUDGE))))
    fits = in_force(tmp_path, "embedded")
    scores = np.sort(np.random.default_rng(0).uniform(0, 1, 200))
    after = [calibrated({"semantic": result(float(s))}, fits)[0]["semantic"].score or 0.0 for s in scores]
    assert after == sorted(after)
