"""The checklist's answers as a record keeps them, read back for fitting."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from dqa.acceptance.apply import fingerprint
from dqa.channels.visionreward.axes import AXES
from dqa.channels.visionreward.checklist import Checklist, Kind, checklist
from dqa.channels.visionreward.folding import axis_scores, folded
from dqa.record import AxisName, ChannelResult

Array = NDArray[np.float64]
KINDS: tuple[Kind, ...] = ("video", "image")


@dataclass(frozen=True, slots=True)
class Answers:
    """P(yes) to each question of a medium's checklist (None where there was no answer) and to its gates."""

    kind: Kind
    judge: str
    p_yes: tuple[float | None, ...]
    present: Mapping[str, float] = field(default_factory=dict[str, float])

    def score(self, items: Checklist) -> float:
        """The channel's score by a checklist's weights; NaN when no axis was judged."""
        axes = axis_scores(items, self.p_yes, self.present)
        return folded(axes) if axes else math.nan

    def terms(self, items: Checklist) -> Array:
        """What each question adds to the score per unit of its weight, shape (q,); 0 for what has no answer or axis.

        ``score = weights . terms`` by ``items``' own weights, and by all others with the same sum on each axis as long
        as nothing is gated or unanswered (else nearly).
        """
        answered = [q.axis for q, p in zip(items.questions, self.p_yes, strict=True) if p is not None]
        axes: list[AxisName] = [name for name in AXES if name in answered]
        whole = sum(AXES[name][0] for name in axes)
        found = np.zeros(len(items.questions))
        for name in axes:
            at = [i for i, q in enumerate(items.questions) if q.axis == name and self.p_yes[i] is not None]
            gates = [self._gate(items.questions[i].gate) for i in at]
            total = sum(items.questions[i].weight * gate for i, gate in zip(at, gates, strict=True))
            for i, gate in zip(at, gates, strict=True):
                found[i] = AXES[name][0] / whole * gate * (self.p_yes[i] or 0.0) / total if total else 0.0
        return found

    def _gate(self, gate: str | None) -> float:
        return 1.0 if gate is None else self.present[gate]


def answers_of(result: ChannelResult | None) -> Answers | None:
    """The answers in a VisionReward result; None when it has none, or to other questions than today's."""
    listed = None if result is None else result.raw.get("answers")
    if result is None or not isinstance(listed, list):
        return None
    items = [item for item in listed if isinstance(item, dict)]
    texts = [item.get("question") for item in items]
    for kind in KINDS:
        known = checklist(kind)
        if texts == [question.text for question in known.questions]:
            present = _present(known, result.raw.get("gates"))
            p_yes = tuple(_unit(item.get("p_yes")) for item in items)
            return None if present is None else Answers(kind, fingerprint(result.model), p_yes, present)
    return None


def _present(items: Checklist, gates: JsonValue) -> dict[str, float] | None:
    found = {gate: _unit(gates.get(gate)) if isinstance(gates, dict) else None for gate in items.gates}
    known = {gate: p for gate, p in found.items() if p is not None}
    return known if len(known) == len(items.gates) else None


def _unit(value: JsonValue) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
        return float(value)
    return None
