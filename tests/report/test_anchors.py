"""What a score looks like: said from the calibration that judged, or that there is none."""

from __future__ import annotations

import base64

from dqa.acceptance.content import Anchor, Calibration, Figure
from dqa.report.anchors import scales
from dqa.report.render import render, render_views
from dqa.report.view import clip_view
from tests.acceptance.world import a_map, calibration
from tests.report.example import ExampleEvaluation, example

JPEG = f"data:image/jpeg;base64,{base64.b64encode(bytes(range(200))).decode()}"


def anchored(version: int = 3) -> Calibration:
    anchors = (
        Anchor(at=0.3, clips=0, ratings=0, accepted=None),
        Anchor(at=0.6, clips=11, ratings=14, accepted=0.55, score=0.61, picture=JPEG),
        Anchor(at=0.9, clips=1, ratings=1, accepted=1.0),
    )
    figures = {"log_loss": Figure(before=0.7, after=0.6, low=0.02, high=0.19)}
    made = a_map().model_copy(update={"anchors": anchors, "figures": figures})
    return calibration(benchmark=made).model_copy(update={"version": version})


def judged(version: int) -> ExampleEvaluation:
    made = example()
    used = {"version": version, "sha256": "5e" * 32}
    recipe = made.record.reproduce.model_dump() | {"calibration": used}
    return example(reproduce=recipe)


def test_a_page_without_a_calibration_says_so_and_what_to_run() -> None:
    page = render([example()])  # type: ignore[list-item]
    assert "not calibrated yet" in page
    assert "<code>dqa models fit-calibration RATINGS.jsonl</code>" in page


def test_anchors_stand_with_words_and_pictures() -> None:
    page = render_views([clip_view(judged(3))], calibrations={"embedded": anchored()})  # type: ignore[arg-type]
    assert "of clips at 0.6, about 55 % were accepted, from 14 ratings" in page
    assert "of clips at 0.9, about 100 % were accepted, from 1 rating<" in page
    assert "no rated clip scored near it" in page
    assert f'<img src="{JPEG}" alt="A rated clip that scored 0.61">' in page
    assert "From 50 ratings of 40 clips of 20 prompts. Log loss on prompts it was not fitted to: 0.700 before" in page
    assert "not calibrated yet" not in page


def test_another_versions_anchors_are_not_shown() -> None:
    page = render_views([clip_view(judged(2))], calibrations={"embedded": anchored()})  # type: ignore[arg-type]
    assert "Calibrated scores (version 2)" in page
    assert "were accepted" not in page


def test_the_channels_own_score_is_where_the_map_leads_there() -> None:
    look = scales({"embedded": 3}, {"embedded": anchored()})["embedded"].channels[0].looks[1]
    own = float(look.words.split("own ")[1][:4])
    assert abs(a_map().curve(own) - 0.6) < 0.02


def test_a_version_is_bounded_in_size() -> None:
    """Three pictures a channel, each within what a version takes: a report stays small."""
    largest = "data:image/jpeg;base64," + "A" * (24_000 - 23)
    assert Anchor(at=0.3, clips=1, ratings=1, accepted=1, score=0.3, picture=largest).picture == largest
