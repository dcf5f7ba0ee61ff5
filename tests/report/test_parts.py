"""The pieces of a report: overlays, curves, the comparison."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import PackageLoader

from dqa.clip.frame import Frame
from dqa.record import EvaluationRecord
from dqa.report.compare import differences, in_words, rank, unshared
from dqa.report.curves import HEIGHT, WIDTH, curves
from dqa.report.overlay import regions
from dqa.report.pictures import picture
from dqa.report.table import MOST_COLUMNS, comparison
from dqa.report.templating import templates
from tests.report.example import record_data

FRAMES = tuple(Frame(i, i / 16, np.zeros((24, 32, 3), np.uint8)) for i in range(9))


def record(**changes: Any) -> EvaluationRecord:
    data = record_data("clip", FRAMES, 32, 24, good=changes.pop("good", True))
    data.update(changes)
    return EvaluationRecord.model_validate(data)


def with_entities(*entities: Any) -> EvaluationRecord:
    data = record_data("clip", FRAMES, 32, 24, good=True)
    data["channels"]["spatial"]["raw"]["entities"] = list(entities)
    return EvaluationRecord.model_validate(data)


def cells(path: str) -> set[tuple[int, int]]:
    """The grid cells that a mask's path covers."""
    found = set()
    for stroke in path.split("M")[1:]:
        start, _, rest = stroke.partition("h")
        x, y = map(int, start.split())
        found |= {(x + i, y) for i in range(int(rest.partition("v")[0]))}
    return found


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_a_mask_is_drawn_cell_for_cell(height: int, width: int, data: st.DataObject) -> None:
    flat = data.draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    runs, current = [0], False
    for value in flat:
        if value != current:
            runs.append(0)
            current = value
        runs[-1] += 1
    entity = {"name": "x", "found": True, "frame": 0, "mask": {"size": [height, width], "rle": runs}}
    (region,) = regions(with_entities(entity))
    assert region.grid == (width, height)
    assert cells(region.mask) == {(i % width, i // width) for i, value in enumerate(flat) if value}


@pytest.mark.parametrize(
    "mask",
    [None, {}, 5, {"size": [2, 2]}, {"size": [2, 2], "rle": [5]}, {"size": [2, 2], "rle": [-1, 2]},
     {"size": [0, 2], "rle": [0]},
     {"size": ["a", 2], "rle": []}, {"size": [2, 2], "rle": "ab"}],
)  # fmt: skip
def test_a_malformed_mask_is_left_out(mask: Any) -> None:
    (region,) = regions(with_entities({"name": "x", "found": True, "frame": 0, "box": [0, 0, 9, 9], "mask": mask}))
    assert region.mask == ""
    assert region.box == (0, 0, 9, 9)


@pytest.mark.parametrize("box", [None, [], [1, 2, 3], [5, 5, 5, 9], ["a", 1, 2, 3], "abcd"])
def test_a_malformed_box_is_left_out(box: Any) -> None:
    (region,) = regions(with_entities({"name": "x", "found": True, "frame": 0, "box": box}))
    assert region.box is None


def test_what_was_not_found_is_not_drawn_and_one_name_has_one_colour() -> None:
    shown = regions(
        with_entities(
            {"name": "cat", "found": True, "frame": 0}, {"name": "dog", "found": False, "frame": 1},
            {"name": "hat", "found": True, "frame": 2}, {"name": "cat", "found": True, "frame": 3}, "junk",
        )
    )  # fmt: skip
    assert [(r.name, r.frame) for r in shown] == [("cat", 0), ("hat", 2), ("cat", 3)]
    assert shown[0].colour == shown[2].colour != shown[1].colour


@pytest.mark.parametrize("name", ["黑色的狼", "ｗｏｌｆ", "wolf", "الذئب"])
def test_a_label_s_ground_is_as_wide_as_its_letters(name: str) -> None:
    """Wide letters take one em each, others a little over half of one on average."""
    record = with_entities({"name": name, "found": True, "frame": 0, "box": [0, 9, 9, 20]})
    parts: Any = templates(PackageLoader("dqa.report")).get_template("parts.html").module
    drawn = str(parts.overlay(regions(record), record))
    found = re.search(r'<g class="c0 tag"><rect .*?width="(?P<ground>[^"]+)".*?font-size="(?P<em>[^"]+)"', drawn)
    assert found is not None
    wide = sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in name)
    assert float(found["ground"]) > wide * float(found["em"])


def with_curves(raw: Any) -> EvaluationRecord:
    data = record_data("clip", FRAMES, 32, 24, good=True)
    data["channels"]["benchmark"]["raw"] = {"curves": raw}
    return EvaluationRecord.model_validate(data)


def test_a_curve_spans_the_plot_from_its_lowest_to_its_highest() -> None:
    (curve,) = curves(with_curves({"time_s": [0, 1, 2], "motion": [5, 9, 7]}))
    assert (curve.low, curve.high, curve.start_s, curve.end_s) == (5, 9, 0, 2)
    points = [tuple(map(float, p.split())) for p in curve.path[1:].split("L")]
    assert [x for x, _ in points] == [0, WIDTH / 2, WIDTH]
    assert points[0][1] == max(y for _, y in points) <= HEIGHT
    assert points[1][1] == min(y for _, y in points) >= 0


def test_a_gap_breaks_the_line() -> None:
    (curve,) = curves(with_curves({"time_s": [0, 1, 2, 3, 4], "motion": [1, 2, None, 3, 4]}))
    assert curve.path.count("M") == 2


@pytest.mark.parametrize(
    "raw", [None, [], {}, {"time_s": [0, 1]}, {"time_s": [0], "a": [1]}, {"a": [1, 2]}, {"time_s": 3, "a": "x"}]
)
def test_what_is_no_curve_is_left_out(raw: Any) -> None:
    assert curves(with_curves(raw)) == []


def test_moments_of_weak_dimensions_are_marked() -> None:
    data = record_data("clip", FRAMES, 32, 24, good=True)
    benchmark = data["channels"]["benchmark"]
    benchmark["raw"] = {"curves": {"time_s": [0, 5], "motion": [1, 2]}}
    benchmark["dimensions"] = {
        "fine_one": {"score": 0.9, "raw": 1, "status": "ok"}, "weak_one": {"score": 0.2, "raw": 1, "status": "ok"},
    }  # fmt: skip
    benchmark["evidence"] = [
        {"text": "fine one: at its worst", "time_s": [1, 2]}, {"text": "weak one: here", "time_s": [2, 3]},
        {"text": "weak one: after the end", "time_s": [7, 8]},
    ]  # fmt: skip
    (curve,) = curves(EvaluationRecord.model_validate(data))
    assert [mark.text for mark in curve.marks] == ["weak one: here"]
    assert (curve.marks[0].x, curve.marks[0].width) == (WIDTH * 2 / 5, WIDTH / 5)


def test_ranking_puts_the_unscored_last_and_keeps_order_among_equals() -> None:
    records = [
        record(final=None, grade=None), record(final=0.5), record(final=0.7), record(final=0.5, prompt_adherence=0.9),
        record(final=0.5),
    ]  # fmt: skip
    assert rank(records) == [2, 3, 1, 4, 0]


def test_what_sets_two_apart_is_what_moves_the_total() -> None:
    good, bad = record(), record(good=False)
    found = differences(good, bad)
    assert [d.channel for d in found][:2] == ["benchmark", "visionreward"]
    assert found[0].gap == pytest.approx(0.35)
    assert found[0].parts[0].name == "temporal flickering"
    assert unshared(good, bad) == [("semantic", False)]
    words = " ".join(in_words(good, bad, ("A", "B")))
    assert words.startswith("A is 0.24 ahead of B (0.74 to 0.49).")
    assert "In its favour: benchmark 0.81 against 0.46" in words
    assert "semantic for B" in words


def test_level_clips_are_called_level() -> None:
    same = record()
    assert in_words(same, same, ("A", "B")) == [
        "A and B are level (0.743 and 0.743).", "No channel that judged both differs by 0.02 or more.",
    ]  # fmt: skip


def test_side_by_side_marks_the_best_and_keeps_to_few_columns() -> None:
    rows = {row.name: row for row in comparison([record(), record(good=False)])}
    assert rows["final"].best == {0}
    assert rows["spatial"].best == frozenset()
    assert rows["semantic"].scores == (None, 0.41)
    assert "preference" not in rows, "nobody judged it"
    assert len(comparison([record()] * 9)[0].scores) == MOST_COLUMNS


def test_a_noisy_picture_stays_within_its_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)
    small = picture(Frame(3, 0.2, noise), 320, 30_000)
    assert (small.width, small.height, small.frame) == (320, 180, 3)
    assert len(small.uri) < 30_000 * 4 / 3 + 100
