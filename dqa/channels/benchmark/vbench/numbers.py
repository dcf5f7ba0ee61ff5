"""VBench's numbers folded: their place on the leaderboard's scale, what is missing, and what a freeze may earn."""

from __future__ import annotations

from pydantic import JsonValue

from dqa.channels.benchmark.channel import confidence, dimension, evidence, ranked
from dqa.channels.benchmark.vbench.leaderboard import Standing, normalised, standing
from dqa.channels.benchmark.view import Finding, View
from dqa.record import ChannelResult, ModelIdentity


def numbers(view: View, found: dict[str, Finding], model: ModelIdentity) -> ChannelResult:
    """The channel's result in parity mode.

    ``raw.leaderboard`` holds VBench's numbers, the same on the leaderboard's scale, and their weighted mean with what
    is missing from it. The channel's score is that mean clipped to [0, 1], times the share of the clip that moves:
    four of VBench's seven numbers are best for a clip that stands still.
    """
    values = {name: finding.raw for name, finding in found.items() if finding.raw is not None}
    board = standing(values)
    dimensions = {name: dimension(finding) for name, finding in found.items()}
    raw: dict[str, JsonValue] = {"leaderboard": _board(values, board)}
    if board.mean is None:
        reason = "none of VBench's numbers could be had."
        return ChannelResult(status="unavailable", reason=reason, model=model, raw=raw, dimensions=dimensions)
    return ChannelResult(
        status="ok",
        score=min(1.0, max(0.0, board.mean)) * view.moving,
        confidence=confidence(view.observation.media, view.signals.frames, board.weight / board.of),
        reason=_reason(view, values, board),
        evidence=evidence(found, ranked(found)),
        model=model,
        raw=raw,
        dimensions=dimensions,
    )


def _board(values: dict[str, float], board: Standing) -> dict[str, JsonValue]:
    vbench: dict[str, JsonValue] = dict(values)
    stretched: dict[str, JsonValue] = {name: normalised(name, value) for name, value in values.items()}
    return {
        "vbench": vbench,
        "normalised": stretched,
        "mean": board.mean,
        "weight": board.weight,
        "of_weight": board.of,
        "complete": board.complete,
        "missing": list(board.missing),
    }


def _reason(view: View, values: dict[str, float], board: Standing) -> str:
    name = "quality score" if board.complete else "mean, which is no leaderboard score,"
    text = (
        f"VBench's {name} over {len(values)} of {len(values) + len(board.missing)} quality dimensions is "
        f"{board.mean or 0.0:.3f}, normalised as on its leaderboard."
    )
    return f"{text} Only the {100 * view.moving:.0f} % of the clip that move count." if view.moving < 0.98 else text
