"""The checklist under fitted weights: whether they are for these questions, and the checklist that has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from dqa.acceptance.content import ChecklistWeights
from dqa.channels.visionreward.checklist import Checklist, Kind


def questions_hash(items: Checklist) -> str:
    """SHA-256 of the questions' texts, in order."""
    canonical = json.dumps([question.text for question in items.questions], separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def reweighed(items: Checklist, weights: Sequence[float]) -> Checklist:
    """The same questions with other weights, one each."""
    pairs = zip(items.questions, weights, strict=True)
    return replace(items, questions=tuple(replace(question, weight=weight) for question, weight in pairs))


def fitted(items: Checklist, kind: Kind, judge: str, weights: ChecklistWeights | None) -> Checklist | None:
    """The checklist under the fitted weights; None when there are none for this medium, these questions and judge.

    Args:
        items: the published checklist of the medium.
        kind: the medium.
        judge: fingerprint of the model that answers.
        weights: what is in force.
    """
    found = None if weights is None or weights.judge != judge else weights.kinds.get(kind)
    if found is None or found.questions != questions_hash(items):
        return None
    return reweighed(items, found.weights)
