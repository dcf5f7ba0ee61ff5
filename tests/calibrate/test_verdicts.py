"""Verdicts, the figures made of them, and the reference they are anchored on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.calibrate.axes import default_axes
from dqa.calibrate.reference import Reference, as_json, load_reference, parse_reference
from dqa.calibrate.verdicts import ORDINALS, VERDICTS, Judged, judged, mismatch_count, normalised, overall_score
from dqa.errors import InputError

verdicts = st.lists(st.sampled_from([*VERDICTS, None]), min_size=1, max_size=30)


def made(found: list[str | None]) -> list[Judged]:
    return [Judged(f"a{n}", v, "x", "y", "" if v else "why") for n, v in enumerate(found)]  # type: ignore[arg-type]


def test_equal_texts_are_a_match_whatever_was_said() -> None:
    assert judged("hair", "mismatch", "Short, red hair.", "short red  HAIR").verdict == "match"
    assert judged("hair", "mismatch", "red hair", "the red hair").verdict == "match"
    assert judged("hair", "mismatch", "red hair", "brown hair").verdict == "mismatch"
    assert normalised("the") == "the"


@given(verdicts)
def test_both_figures_follow_from_the_verdicts_alone(found: list[str | None]) -> None:
    axes = made(found)
    counted = [v for v in found if v is not None]
    score = overall_score(axes)
    assert mismatch_count(axes) == found.count("mismatch")
    assert score is None if not counted else score == pytest.approx(sum(ORDINALS[v] for v in counted) / len(counted))


@given(verdicts, st.data())
def test_a_better_verdict_never_lowers_a_figure(found: list[str | None], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(found) - 1))
    better = {"mismatch": "partial", "partial": "match"}.get(found[place] or "")
    if better is None:
        return
    improved = [*found[:place], better, *found[place + 1 :]]
    assert (overall_score(made(improved)) or 0) > (overall_score(made(found)) or 0)
    assert mismatch_count(made(improved)) <= mismatch_count(made(found))


def test_an_axis_without_a_verdict_says_why_and_counts_as_nothing() -> None:
    axes = made(["match", None])
    assert overall_score(axes) == 1.0
    assert axes[1].as_json() == {"verdict": "unjudged", "ref": "x", "gen": "y", "reason": "why"}
    assert overall_score(made([None])) is None


def test_a_reference_survives_its_text_and_its_json() -> None:
    axes = default_axes()
    reference = Reference("A fox in snow: calm.", {"subject": "fox", "mood": "calm", "brightness": "bright (0.7)"})
    assert parse_reference(reference.canonical, axes) == reference
    assert parse_reference(as_json(reference), axes) == reference


def test_prose_and_lines_are_told_apart() -> None:
    found = parse_reference("A fox.\nMood: calm\nBackground colour: blue\nnote: cold\nmood:", default_axes())
    assert found.description == "A fox. note: cold mood:"
    assert dict(found.values) == {"mood": "calm", "background_colour": "blue"}


def test_json_of_describe_is_read_and_strangers_are_left_out() -> None:
    text = json.dumps({"description": "x\ny", "axes": {"mood": "calm", "hats": "2", "style": 3}, "more": [1]})
    found = parse_reference(text, default_axes())
    assert found == Reference("x y", {"mood": "calm"})


@pytest.mark.parametrize("text", ["", "   ", "{}", "{", '{"axes": {"mood": 3}}', '{"description": NaN}', "a\x00b"])
def test_what_is_no_reference_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        parse_reference(text, default_axes())
    path = tmp_path / "r.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"r\.txt"):
        load_reference(path, default_axes())


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_text("x " * 200_000)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("none", "big", "bytes"):
        with pytest.raises(InputError):
            load_reference(tmp_path / name, default_axes())


@given(st.text(max_size=200))
def test_any_text_is_a_reference_or_refused(text: str) -> None:
    try:
        found = parse_reference(text, default_axes())
    except InputError:  # the one error there may be
        return
    assert "\n" not in found.description
