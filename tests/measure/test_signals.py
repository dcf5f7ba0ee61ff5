"""Signals: against plain re-implementations of VBench's formulas, known motion, and the edges of length."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dqa.channels.benchmark.motion_smoothness import vbench_smoothness
from dqa.channels.benchmark.temporal_flickering import vbench_flickering
from dqa.clip.frame import Frame
from dqa.errors import Undecodable
from dqa.measure.motion import FlowEstimator, grey, interpolate, small_copy
from dqa.measure.observe import observe
from dqa.measure.signals import SignalCollector
from tests.conftest import CLIPS
from tests.observing import gliding, measured, observed, read_frames, texture


def test_flickering_is_vbench_s_formula() -> None:
    frames = read_frames(CLIPS / "wan21_04_base.mp4")
    errors = [np.abs(a.astype(int) - b.astype(int)).mean() for a, b in pairwise(frames)]
    assert vbench_flickering(measured(frames)) == pytest.approx((255 - np.mean(errors)) / 255, abs=1e-9)


def test_smoothness_is_vbench_s_formula_with_our_interpolation() -> None:
    frames = [small_copy(f) for f in read_frames(CLIPS / "wan21_04_base.mp4")[:12]]
    flow, errors = FlowEstimator(), []
    for left, middle, right in zip(frames[0::2], frames[1::2], frames[2::2], strict=False):
        made = interpolate(flow.flow(grey(left), grey(right)), left, right)
        errors.append(np.abs(made.astype(int) - middle.astype(int)).mean())
    assert vbench_smoothness(measured(frames)) == pytest.approx((255 - np.mean(errors)) / 255, abs=1e-9)


def test_motion_of_a_known_shift() -> None:
    signals = measured(gliding(step=3.0))
    assert signals.shift[:, 0] == pytest.approx(np.full(15, -3.0 / 120), abs=0.2 / 120)
    assert np.abs(signals.shift[:, 1]).max() < 0.3 / 120
    assert signals.motion.mean() == pytest.approx(3.0 / 120, rel=0.15)
    assert np.nanmax(signals.acceleration) < 0.5 * signals.motion.mean()


def test_even_motion_is_interpolated_better_than_jumping() -> None:
    even, uneven = gliding(step=2.0), gliding(step=2.0)
    uneven[1::2] = uneven[0::2]
    assert measured(even).interpolation_error.mean() < 0.5 * measured(uneven).interpolation_error.mean()


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8])
def test_lengths(count: int) -> None:
    signals = measured(gliding(count))
    assert signals.frames == signals.luminance.size == count
    assert signals.difference.size == signals.intervals.size == signals.motion.size == count - 1
    assert signals.shift.shape == (count - 1, 2)
    assert signals.interpolation_error.size == max(0, (count - 1) // 2)
    assert list(signals.interpolated_times * 16) == list(range(1, count - 1, 2))
    assert np.isnan(signals.acceleration[:1]).all()
    assert not np.isnan(signals.acceleration[1:]).any()


def test_what_was_measured_does_not_change_when_more_frames_come() -> None:
    collector, frames = SignalCollector(), gliding(12)
    for i, image in enumerate(frames[:7]):
        collector.offer(Frame(i, i / 16, image))
    early = collector.signals()
    for i, image in enumerate(frames[7:], start=7):
        collector.offer(Frame(i, i / 16, image))
    late = collector.signals()
    assert early.difference == pytest.approx(late.difference[:6], abs=0)
    assert early.looks == late.looks[: len(early.looks)]
    assert measured(frames).motion == pytest.approx(late.motion, abs=0)


def test_looks_come_eight_times_a_second_at_most() -> None:
    still = texture()
    signals = measured([still] * 60, fps=30)
    assert signals.look_times == pytest.approx(np.arange(16) / 8, abs=1 / 30)
    assert len(measured([still] * 6, fps=4).looks) == 6


def test_a_measure_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="beauty"):
        measured([texture()]).look("beauty")


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (15, 15), (16, 16), (17, 31)])
def test_tiny_frames_are_measured_without_a_crash(size: tuple[int, int]) -> None:
    frames = [np.full((*size, 3), 10 * i, np.uint8) for i in range(6)]
    signals = measured(frames)
    assert signals.difference == pytest.approx(np.full(5, 10.0))
    assert np.isfinite(signals.residual).all()


def test_observe_measures_every_frame_and_tells_the_progress() -> None:
    seen: list[int] = []
    frames = [Frame(i, i / 16, image) for i, image in enumerate(gliding(33))]
    media = observed(gliding(33)).media
    observation = observe(iter(frames), lambda: media, seen.append)
    assert seen == list(range(1, 34))
    assert observation.signals.frames == 33
    assert [frame.index for frame in observation.stills] == [0, 8, 16, 24, 32]
    assert [frame.index for frame in observation.track] == list(range(0, 33, 2))
    assert 0 <= observation.representative < 5


def test_observe_without_a_frame_is_an_error() -> None:
    media = observed([texture()]).media
    with pytest.raises(Undecodable):
        observe(iter(()), lambda: media)
