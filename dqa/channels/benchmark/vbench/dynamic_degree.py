"""Does anything move? By RAFT, as VBench asks it: its yes or no, and the continuous number under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dqa.channels.benchmark.dynamic_degree import VBENCH_THRESHOLD
from dqa.channels.benchmark.vbench.flow import top_magnitude
from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.vbench.values import given
from dqa.channels.benchmark.vbench.view import VBenchView
from dqa.channels.benchmark.view import Finding, View, abstain
from dqa.channels.scales import rising
from dqa.models.vision.raft import SMALLEST
from dqa.record import Evidence

FEWEST = 4
"""Of fewer frames VBench's rule says nothing: two always "move", one never does."""

STEPS = 20
"""How often VBench refines the flow."""

_STEP_S = 1 / 8
_TOO_SMALL = f"RAFT needs frames of {SMALLEST} px a side"


def measure(view: View) -> Finding:
    """Ours: raw, the mean of the largest 5 % of displacements in an eighth of a second, as a share of the short side.

    Score: as on measured flow (:mod:`dqa.channels.benchmark.dynamic_degree`): half at 2 % of the short side a second.
    """
    assert isinstance(view, VBenchView)  # noqa: S101 - the backend builds no other
    short = view.too_short()
    if short is not None:
        return short
    if len(view.track) < FEWEST:
        return abstain(f"{len(view.track)} sampled frames are too few; it takes {FEWEST}")
    if min(view.track[0].image.shape[:2]) < SMALLEST:
        return abstain(_TOO_SMALL)
    speeds = view.speeds
    fast = float(np.average(speeds.values, weights=speeds.ends - speeds.starts))
    where = "over" if fast * _STEP_S > VBENCH_THRESHOLD else "under"
    text = (
        f"what moves most covers {100 * fast:.1f} % of the short side a second by RAFT ({where} VBench's threshold of "
        f"{100 * VBENCH_THRESHOLD / _STEP_S:.0f} %)"
    )
    at = int(np.argmin(speeds.values))
    slow = Evidence(
        text=f"least motion: {100 * speeds.values[at]:.1f} % of the short side a second",
        frame=speeds.frames[at],
        time_s=(float(speeds.starts[at]), float(speeds.ends[at])),
    )
    return Finding(rising(fast, 0.02, 1.0), fast * _STEP_S, text, (slow,))


def parity(clip: Replay, models: Models) -> Finding:
    """VBench's yes (1) or no (0) (vbench/dynamic_degree.py), over every round(fps / 8)-th frame at its own size.

    As there, the flow's padded border counts, and what follows the pair that decides is not looked at.
    """
    if clip.short_side < SMALLEST:
        return abstain(_TOO_SMALL)
    rule = Rule.of(clip.short_side, clip.sampled(every := max(1, round(clip.fps / 8))))
    tops: list[float] = []
    with models.raft() as raft:
        for flow in raft.flows((frame.image for frame in clip.frames(every)), STEPS):
            tops.append(top_magnitude(flow.numpy()))
            if rule.moves(tops):
                break
    moved = sum(top > rule.threshold for top in tops)
    how = (
        f"yes or no: in {moved} of the {len(tops)} pairs looked at the fastest 5 % moved more than "
        f"{rule.threshold:.1f} px; it takes {rule.wanted}"
    )
    trap = "; so few frames decide nothing" if rule.wanted < 1 else ""
    return given("dynamic_degree", float(rule.moves(tops)), how + trap)


@dataclass(frozen=True, slots=True)
class Rule:
    """When VBench says that a clip moves.

    Attributes:
        threshold: pixels that a pair's fastest 5 % must exceed.
        wanted: how many pairs must do so.
    """

    threshold: float
    wanted: int

    @classmethod
    def of(cls, short_side: int, sampled: int) -> Rule:
        """For frames of a size, and how many were sampled (set_params)."""
        return cls(6.0 * (short_side / 256.0), round(4 * (sampled / 16.0)))

    def moves(self, tops: Sequence[float]) -> bool:
        """Of the pairs' numbers so far (check_move): never without a pair, always with one where none is wanted."""
        return bool(tops) and sum(top > self.threshold for top in tops) >= self.wanted
