"""The label bank: what the classifier's 1000 ImageNet labels mean, precomputed (``scripts/build_label_bank.py``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from dqa.models.roles import Vectors

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class LabelBank:
    """Labels as names, as sentence vectors (MiniLM, d = 384), and as kinds of things.

    Attributes:
        names: 1000 short names, in the classifier's order.
        named: 1000 x d, vectors of the names with their synonyms.
        described: 1000 x d, vectors of the names with a sentence or two on how the thing looks.
        reference: n x d, vectors of varied prompts: how well any prompt fits is told by how well these do.
        concepts: noun -> the labels that are a kind of it by WordNet ("dog" -> 118 labels).
    """

    names: tuple[str, ...]
    named: Vectors
    described: Vectors
    reference: Vectors
    concepts: dict[str, tuple[int, ...]]


@cache
def label_bank() -> LabelBank:
    """The bank that ships with the package.

    >>> bank = label_bank()
    >>> [bank.names[i] for i in bank.concepts["guitar"]]
    ['acoustic guitar', 'electric guitar']
    """
    with np.load(DATA / "label_bank.npz", allow_pickle=False) as arrays:
        named, described, reference = (arrays[k].astype(np.float32) for k in ("named", "described", "reference"))
    rows = (line.split("\t") for line in (DATA / "concepts.tsv").read_text(encoding="utf-8").splitlines())
    return LabelBank(
        names=tuple((DATA / "labels.txt").read_text(encoding="utf-8").splitlines()),
        named=named,
        described=described,
        reference=reference,
        concepts={word: tuple(int(i) for i in labels.split()) for word, labels in rows},
    )
