from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.clip.frame import Frame
from dqa.clip.sampling import EvenSampler, resized, still_sampler, track_sampler


def frame(index: int, time_s: float, width: int = 16, height: int = 16, scale: float = 1.0) -> Frame:
    return Frame(index, time_s, np.full((height, width, 3), index % 256, np.uint8), scale)


def kept(times: list[float], rate_hz: float, limit: int) -> list[float]:
    sampler = EvenSampler(rate_hz, limit)
    for n, time in enumerate(times):
        sampler.offer(frame(n, time))
    return [f.time_s for f in sampler.frames()]


def test_a_short_clip_is_sampled_at_the_rate() -> None:
    times = [n / 16 for n in range(33)]
    assert kept(times, 2, 32) == [0.0, 0.5, 1.0, 1.5, 2.0]


def test_a_slow_clip_keeps_every_frame() -> None:
    assert kept([0.0, 1.0, 2.5], 8, 256) == [0.0, 1.0, 2.5]


def test_a_long_clip_is_thinned_evenly() -> None:
    times = [n / 30 for n in range(30 * 600)]
    chosen = kept(times, 2, 32)
    assert 16 <= len(chosen) <= 32
    assert np.ptp(np.diff(chosen)) < 1e-6
    assert chosen[0] == 0.0
    assert times[-1] - chosen[-1] <= chosen[1] - chosen[0]


@given(st.lists(st.floats(0.001, 5.0), min_size=1, max_size=300), st.sampled_from([0.5, 2.0, 8.0]), st.integers(2, 40))
def test_thinning_equals_the_longer_interval_from_the_start(steps: list[float], rate: float, limit: int) -> None:
    times = [0.0, *np.cumsum(steps).tolist()]
    chosen = kept(times, rate, limit)
    assert len(chosen) <= limit
    for doublings in range(40):
        wide = kept(times, rate / 2**doublings, 10**9)
        if len(wide) <= limit:
            assert chosen == wide
            return
    pytest.fail("no interval fits")


def test_kept_frames_are_resized_and_know_their_scale() -> None:
    sampler = EvenSampler(8, 4, short_side=64)
    sampler.offer(frame(0, 0.0, width=320, height=128, scale=2.0))
    (small,) = sampler.frames()
    assert small.image.shape == (64, 160, 3)
    assert small.scale == 4.0
    assert resized(small, max_side=80).image.shape == (32, 80, 3)


def test_a_frame_that_fits_is_not_touched() -> None:
    fits = frame(0, 0.0)
    assert resized(fits, max_side=16) is fits
    assert resized(fits) is fits


def test_area_interpolation_keeps_the_mean() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    image = np.repeat(board[..., None], 3, axis=-1).astype(np.uint8)
    small = resized(Frame(0, 0.0, image), max_side=16).image
    assert abs(float(small.mean()) - 127.5) < 1.0
    assert small.std() < 1.0


def test_a_sampler_that_could_keep_nothing_is_refused() -> None:
    for rate, limit in [(0, 4), (-1, 4), (1, 1), (float("nan"), 4)]:
        with pytest.raises(ValueError, match="rate_hz"):
            EvenSampler(rate, limit)


def test_the_named_samplers_bound_what_they_keep() -> None:
    for sampler, side, limit in [(still_sampler(), 1280, 32), (track_sampler(), 512, 256)]:
        for n in range(2000):
            sampler.offer(frame(n, n / 4, width=1440, height=720))
        frames = sampler.frames()
        assert limit / 2 <= len(frames) <= limit
        assert max(frames[0].image.shape) == side
