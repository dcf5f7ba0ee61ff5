"""Does a relation hold between two places in one frame? With its sign: left of is not right of."""

from __future__ import annotations

from dataclasses import dataclass

from dqa.channels.spatial.activation import Place
from dqa.prompt.parse import RelationName

_CLEAR = 0.08
"""Share of the frame by which two centres must be apart before a side is told: about one cell of the 14 x 14 grid."""

_SAME_PLACE = 0.7


@dataclass(frozen=True, slots=True)
class Check:
    """``holds`` is None when the picture can't tell; ``margin`` is by how much it holds (negative: fails), in shares of
    the frame, None when nothing was measured."""

    holds: bool | None
    margin: float | None


def check(subject: Place, name: RelationName, object_: Place) -> Check:
    """Checks ``subject`` ``name`` ``object_``. What is in front of what can't be told from class activation."""
    if name in ("behind", "in front of"):
        return Check(None, None)
    if _overlap(subject, object_) > _SAME_PLACE:
        return Check(None, 0.0)
    margin = _margin(subject, name, object_)
    return Check(None if abs(margin) < _CLEAR else margin > 0, margin)


def _margin(subject: Place, name: RelationName, object_: Place) -> float:
    (sx, sy), (ox, oy) = subject.centre, object_.centre
    if name == "in":
        return _inside(subject, object_) - 0.5
    if name == "next to":
        # Nearer than half the frame between the centres, and not one inside the other.
        return 0.5 - max(abs(sx - ox), abs(sy - oy))
    return {"left of": ox - sx, "right of": sx - ox, "above": oy - sy, "on": oy - sy, "below": sy - oy}[name]


def _overlap(a: Place, b: Place) -> float:
    """Intersection over union of the masks."""
    return float((a.mask & b.mask).sum() / max((a.mask | b.mask).sum(), 1))


def _inside(a: Place, b: Place) -> float:
    """Share of a's mask within b's box."""
    x0, y0, x1, y1 = a.box
    bx0, by0, bx1, by1 = b.box
    width = max(0.0, min(x1, bx1) - max(x0, bx0))
    height = max(0.0, min(y1, by1) - max(y0, by0))
    return width * height / max((x1 - x0) * (y1 - y0), 1e-9)
