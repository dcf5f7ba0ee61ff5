"""Which of the classifier's labels stand for a thing the prompt names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dqa.models.embedded.labels import LabelBank
from dqa.models.roles import TextEncoder
from dqa.prompt.parse import Entity

_SAME = 0.72
"""Cosine to a label's name from which on it counts as another word for the thing."""

_ALIKE = 0.6
"""The same for a thing that WordNet has no label for: what is nearest, and near enough."""

_SENSE = 0.45
"""A WordNet concept none of whose labels comes this near, by name or description, is another sense of the word (a
"surface" is no stage)."""

_MOST_LABELS = 130


def labels_for(entity: Entity, bank: LabelBank, encoder: TextEncoder) -> tuple[int, ...]:
    """The labels that are kinds of, or other words for, the thing; empty when the classifier has none for it."""
    vectors = encoder.encode([entity.text, entity.head])
    nearness = (vectors @ bank.named.T).max(axis=0)
    sense = np.maximum(nearness, (vectors @ bank.described.T).max(axis=0))
    meant = (k for k in _kinds(entity, bank) if len(k) <= _MOST_LABELS and sense[list(k)].max() >= _SENSE)
    known = next(meant, ())
    near = _nearest(nearness, _SAME if known else _ALIKE)
    return tuple(sorted({*known, *(i for i in near if not _only_mentions(bank.names[i], entity.head))}))


def _only_mentions(name: str, head: str) -> bool:
    """Whether a label has the word in its name and is another thing: a "wall clock" is no wall, a "sundial" no sun."""
    low = name.lower()
    return head in low.split()[:-1] or (low.startswith(head) and low != head)


def _nearest(nearness: NDArray[np.float32], least: float) -> list[int]:
    return [int(i) for i in np.argsort(-nearness, kind="stable")[:5] if nearness[i] >= least]


def _kinds(entity: Entity, bank: LabelBank) -> list[tuple[int, ...]]:
    """WordNet's labels for what the thing may be, likeliest first.

    The classifier confuses kinds of one thing, so a "tabby cat" is any cat; but a "fire engine" is no engine and a "hot
    dog" no dog. Of a "mountain range" the mountain can be looked for.
    """
    general = bank.concepts.get(entity.head, ())
    words = entity.text.lower().split()
    compounds = (" ".join([*words[i:-1], entity.head]) for i in range(len(words) - 1))
    special = next((bank.concepts[c] for c in compounds if c in bank.concepts), ())
    if special:
        return [general if set(special) <= set(general) else special]
    modifier = bank.concepts.get(entity.attributes[-1], ()) if entity.attributes else ()
    return [labels for labels in (general, modifier) if labels]
