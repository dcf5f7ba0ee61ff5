"""The judge's port: it observes and compares. It proposes no fixes, and computes no score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from dqa.calibrate.reference import Reference
from dqa.calibrate.verdicts import Judged, mismatch_count, overall_score
from dqa.measure.observation import Observation
from dqa.record import ModelIdentity

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Description:
    """What a judge says of a reference picture.

    Attributes:
        reference: the paragraph and the values.
        unjudged: axis -> why it has no value.
        notes: what a reader should know.
        tampered: the picture seems to hold text meant for a judge.
    """

    reference: Reference
    unjudged: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    notes: tuple[str, ...] = ()
    tampered: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A generated picture against a reference; ``axes`` in the order of the set, every one of them."""

    axes: tuple[Judged, ...]
    notes: tuple[str, ...] = ()
    tampered: bool = False

    @property
    def overall(self) -> float | None:
        return overall_score(self.axes)

    @property
    def mismatches(self) -> int:
        return mismatch_count(self.axes)

    @property
    def unjudged(self) -> int:
        return sum(one.verdict is None for one in self.axes)


class Judge(Protocol):
    """Whoever looks. The same pictures and reference give the same answer, as far as the model behind it allows."""

    @property
    def identity(self) -> ModelIdentity: ...

    def describe(self, picture: Observation) -> Description:
        """The reference from a picture.

        Raises:
            UnavailableError: the judge gave no usable answer.
        """
        ...

    def complete(self, reference: Reference) -> Reference:
        """A reference given in words, with the values that its words imply; to be done once, and kept.

        Raises:
            InputError: it says nothing that this judge could compare with.
        """
        ...

    def compare(self, reference: Reference, picture: Observation) -> Comparison:
        """A generated picture against a completed reference.

        Raises:
            UnavailableError: the judge gave no usable answer.
        """
        ...
