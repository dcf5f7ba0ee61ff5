"""What was looked for and found of one entity, and the words for it in reasons, evidence and raw values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from dqa.channels.spatial.activation import Place, View, run_lengths
from dqa.channels.spatial.checks import Check
from dqa.models.embedded.labels import label_bank
from dqa.prompt.parse import Entity, Relation
from dqa.record import Evidence

FOUND = 0.1
"""Label probability in the best window from which on a thing counts as found: see docs/design/topic-detector.md for
how often that is right and wrong."""

# A thing not found is weak evidence that it is not there (the classifier misses more than half of what is there), a
# thing found is strong evidence that it is: hence not 0 for the one, and near 1 for the other.
_MISSED, _SURE = 0.35, 0.95


class Sought(Protocol):
    """What was looked for: an entity of the prompt, whether it was found, and how surely (0 to 1)."""

    @property
    def entity(self) -> Entity: ...
    @property
    def found(self) -> bool: ...
    @property
    def support(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Located:
    """An entity of the prompt, the labels that stand for it, and how likely they are at best."""

    entity: Entity
    labels: tuple[int, ...]
    support: float
    best: View

    @property
    def found(self) -> bool:
        return self.support >= FOUND

    @property
    def strength(self) -> float:
        """:data:`_MISSED` to :data:`_SURE`, rising with the support; halfway at :data:`FOUND`."""
        return _MISSED + (_SURE - _MISSED) * self.support / (self.support + FOUND)


def entity_json(thing: Sought, where: Place | None, frame: int) -> dict[str, JsonValue]:
    """An entry of ``raw.entities``; ``mask`` is in row-major runs, first of what is not set, ``frame`` the one that
    ``where`` is of."""
    if where is None:
        return {"name": thing.entity.text, "found": False, "area": None, "box": None, "frame": None,
                "confidence": thing.support}  # fmt: skip
    return {
        "name": thing.entity.text,
        "found": True,
        "area": where.area,
        "box": list(where.box),
        "frame": frame,
        "confidence": thing.support,
        "mask": {"size": list(where.mask.shape), "rle": list(run_lengths(where.mask))},
    }


def unlabelled_json(entity: Entity) -> dict[str, JsonValue]:
    """An entry of ``raw.entities`` for what can't be looked for: neither found nor not found."""
    return {"name": entity.text, "found": None, "area": None, "box": None, "frame": None, "confidence": None}


def relation_json(located: Mapping[int, Sought], relation: Relation, told: Check) -> dict[str, JsonValue]:
    """An entry of ``raw.relations``; ``margin`` is in shares of the frame."""
    return {
        "subject": located[relation.subject].entity.text,
        "relation": relation.name,
        "object": located[relation.object].entity.text,
        "holds": told.holds,
        "margin": told.margin,
    }


def evidence_of(thing: Located, where: Place | None) -> Evidence:
    """Where the thing was found, or that it was not, and what it was looked for as."""
    names = [label_bank().names[i] for i in thing.labels[:3]]
    looked = f"looked for as {', '.join(names)}{' and the like' if len(thing.labels) > 3 else ''}"
    if where is None:
        return Evidence(text=f"“{thing.entity.text}” not found ({looked})")
    frame = thing.best.frame
    return Evidence(
        text=f"“{thing.entity.text}” found {region_of(where)} ({looked})",
        frame=frame.index,
        time_s=(frame.time_s, frame.time_s),
        box=where.box,
        area=where.area,
    )


def region_of(where: Place) -> str:
    """ "upper left", "centre", ... of the frame."""
    x, y = where.centre
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    down = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
    return " ".join(part for part in (down or ("centre" if across else ""), across) if part) or "in the centre"


def reason_for(located: Mapping[int, Sought], checks: Sequence[tuple[Relation, Check]], unknown: Sequence[str]) -> str:
    """What was found, missed, told and left out, in one sentence."""
    found = [t.entity.text for t in located.values() if t.found]
    missed = [t.entity.text for t in located.values() if not t.found]
    parts = [f"Found {', '.join(found)}" if found else "Found nothing that was looked for"]
    parts += [f"not found: {', '.join(missed)}"] if missed else []
    wrong = [_words(located, r) for r, c in checks if c.holds is False]
    right = [_words(located, r) for r, c in checks if c.holds]
    parts += [f"holds: {', '.join(right)}"] if right else []
    parts += [f"does not hold: {', '.join(wrong)}"] if wrong else []
    parts += [f"no label for: {', '.join(unknown[:5])}"] if unknown else []
    return "; ".join(parts) + "."


def _words(located: Mapping[int, Sought], relation: Relation) -> str:
    return f"{located[relation.subject].entity.head} {relation.name} {located[relation.object].entity.head}"
