"""The judge without a model: what pixels tell, told right, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from dqa.calibrate.axes import default_axes
from dqa.calibrate.colours import NAMES, colour_shares, lab
from dqa.calibrate.measured import MeasuredJudge, plain
from dqa.calibrate.pixels import measure
from dqa.calibrate.reference import Reference, parse_reference
from dqa.calibrate.subject import find_subject
from dqa.errors import InputError
from tests.calibrate.pictures import BLUE, RED, WHITE, YELLOW, scene, seen
from tests.observing import observed, texture

JUDGE = MeasuredJudge(default_axes())


def verdicts(reference: Reference, picture: np.ndarray) -> dict[str, str | None]:
    return {one.axis: one.verdict for one in JUDGE.compare(reference, seen(picture)).axes}


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"), ((128, 128, 128), "grey"), ((255, 255, 255), "white"), ((255, 0, 0), "red"),
        ((255, 140, 0), "orange"), ((120, 70, 20), "brown"), ((255, 235, 0), "yellow"), ((0, 128, 0), "green"),
        ((0, 200, 200), "cyan"), ((0, 0, 255), "blue"), ((128, 0, 160), "purple"), ((255, 160, 190), "pink"),
    ],
)  # fmt: skip
def test_plain_colours_have_the_names_people_give_them(rgb: tuple[int, int, int], name: str) -> None:
    shares = colour_shares(lab(np.full((4, 4, 3), rgb, np.uint8)))
    assert shares[name] == 1.0
    assert set(shares) == set(NAMES)


def test_no_pixels_have_no_colour() -> None:
    assert set(colour_shares(np.zeros((0, 3), np.float32)).values()) == {0.0}


def test_a_picture_is_described_by_what_can_be_measured_and_says_what_was_not() -> None:
    described = JUDGE.describe(seen(scene(BLUE, YELLOW, 110, 10)))
    values = {name: plain(value) for name, value in described.reference.values.items()}
    assert values["background_colour"] == "blue"
    assert values["subject_colour"] == "yellow"
    assert values["framing"] == "large"
    assert values["subject_position"] == "left"
    assert "blue background" in described.reference.description
    assert "motion" in described.unjudged["camera_motion"]
    assert described.unjudged["clothing"]
    assert not set(described.unjudged) & set(values)
    assert "clothing" in described.notes[0]


def test_the_same_scene_with_other_grain_matches_everywhere() -> None:
    reference = JUDGE.describe(seen(scene(seed=1))).reference
    compared = JUDGE.compare(reference, seen(scene(seed=2)))
    assert compared.overall == 1.0
    assert compared.mismatches == 0


def test_only_what_differs_is_a_mismatch() -> None:
    reference = JUDGE.describe(seen(scene())).reference
    moved = verdicts(reference, scene(x=10))
    assert moved["subject_position"] == "mismatch"
    assert moved["background_colour"] == moved["brightness"] == moved["framing"] == "match"
    assert verdicts(reference, scene(patch=YELLOW))["subject_colour"] == "mismatch"
    assert verdicts(reference, scene(background=BLUE))["background_colour"] == "mismatch"
    assert verdicts(reference, scene(side=110))["framing"] == "mismatch"


def test_light_is_told_in_steps() -> None:
    light = np.full((120, 160, 3), 210, np.uint8)
    reference = JUDGE.describe(seen(light)).reference
    half, dark = (light * 0.9).astype(np.uint8), (light * 0.2).astype(np.uint8)
    assert verdicts(reference, half)["brightness"] in ("match", "partial")
    assert verdicts(reference, dark)["brightness"] == "mismatch"


def test_words_without_figures_are_compared_by_their_place_on_the_scale() -> None:
    picture = scene()  # brightness 0.4: medium
    for word, verdict in (("medium", "match"), ("Dark", "partial"), ("very bright", "mismatch")):
        reference = parse_reference(f"brightness: {word}", default_axes())
        assert verdicts(reference, picture)["brightness"] == verdict, word
    near = parse_reference("background colour: pink\nsubject position: center", default_axes())
    found = verdicts(near, picture)
    assert found["background_colour"] == "partial"
    assert found["subject_position"] == "partial"


def test_a_value_that_an_axis_does_not_have_is_not_judged() -> None:
    reference = parse_reference("brightness: like a summer day\ncontrast: high", default_axes())
    (one,) = [a for a in JUDGE.compare(reference, seen(scene())).axes if a.axis == "brightness"]
    assert one.verdict is None
    assert "very dark" in one.reason


def test_prose_alone_is_refused_since_nobody_reads_it() -> None:
    with pytest.raises(InputError, match="pixels"):
        JUDGE.complete(parse_reference("a fox, brightness nice", default_axes()))
    kept = parse_reference("contrast: high", default_axes())
    assert JUDGE.complete(kept) == kept


def test_where_nothing_stands_out_there_is_no_subject() -> None:
    assert find_subject(lab(np.full((40, 60, 3), 90, np.uint8))) is None
    rng = np.random.default_rng(0)
    assert find_subject(lab(rng.integers(0, 255, (40, 60, 3), np.uint8))) is None
    described = JUDGE.describe(seen(np.full((120, 160, 3), 90, np.uint8)))
    assert "stands out" in described.unjudged["framing"]


def test_the_camera_is_followed_over_time() -> None:
    wide = texture(160, 480)
    frames = {
        "pan right": [wide[:, 4 * i : 4 * i + 200] for i in range(20)],
        "pan left": [wide[:, 100 - 4 * i : 300 - 4 * i] for i in range(20)],
        "static": [wide[:, :200]] * 20,
    }
    for name, images in frames.items():
        found = measure(observed([np.ascontiguousarray(image) for image in images]))
        assert found["camera_motion"].name == name
    pan = JUDGE.describe(observed([np.ascontiguousarray(i) for i in frames["pan right"]])).reference
    still = JUDGE.compare(pan, observed(frames["static"]))
    told = {one.axis: one.verdict for one in still.axes}
    assert told["camera_motion"] == "mismatch"
    assert told["pacing"] != "match"


def test_cuts_are_counted() -> None:
    one, two = scene(RED), scene(BLUE, WHITE)
    assert measure(observed([one] * 8 + [two] * 8))["cuts"].number == 1
    assert measure(observed([one] * 16))["cuts"].number == 0
    assert measure(seen(one))["cuts"].number is None


def test_the_same_pixels_give_the_same_bits() -> None:
    assert measure(seen(scene())) == measure(seen(scene()))
