"""A log of choices between evaluated clips as what a taste is learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dqa.taste.choice import OUTCOMES, Choice, Outcome, Side
from dqa.taste.features import INDEX, Judged, Vector, comparable, features, success_feature
from dqa.taste.history import History, replay
from dqa.taste.shown import EMBEDDING, embedding
from dqa.taste.style import NO_STYLE, Style

_SUCCESS = INDEX["history:success"]


@dataclass(frozen=True, slots=True)
class Meta:
    """What a log says of a choice besides its two clips; the fields are :class:`~dqa.taste.choice.Choice`'s."""

    chosen: Outcome
    clips: tuple[str, str] = ("", "")
    left: Side | None = None
    why: tuple[str, ...] = ()
    source: str = "file"
    received: float | None = None
    seq: int = 0


def resolve(pairs: Iterable[tuple[Judged, Judged, Meta]], style: Style = NO_STYLE) -> tuple[list[Choice], History]:
    """The choices with their features, and how the clips fared, for the taste that is learned from them.

    Historical success is prequential: a choice's clips are compared with those of the choices before it. The style is
    today's for all of them: it is what the user says now. A clip that comes several times is read once if it is the
    same :class:`~dqa.taste.features.Judged` object.

    Args:
        pairs: clips A and B and the choice between them, oldest first; of one user and one profile.
        style: what the user says they like.
    """
    log = list(pairs)
    model = _model(log)
    nothing = History(model=model)
    clips = {id(judged): judged for a, b, _ in log for judged in (a, b)}
    known = {key: features(judged, style, nothing) for key, judged in clips.items()}
    shown = {key: _values(judged, nothing) for key, judged in clips.items()}
    table = np.array([[shown[id(a)], shown[id(b)]] for a, b, _ in log]).reshape(-1, 2, EMBEDDING)
    success, history = replay(table, np.array([OUTCOMES[meta.chosen] for _, _, meta in log]), model)
    choices = [
        _choice(meta, (a, b), (known[id(a)], known[id(b)]), (float(success[i, 0]), float(success[i, 1])))
        for i, (a, b, meta) in enumerate(log)
    ]
    return choices, history


def _choice(
    meta: Meta, judged: tuple[Judged, Judged], known: tuple[Vector, Vector], success: tuple[float, float]
) -> Choice:
    a, b = (_with_success(vector, value) for vector, value in zip(known, success, strict=True))
    return Choice(
        a,
        b,
        meta.chosen,
        clips=meta.clips,
        prompts=(judged[0].prompt, judged[1].prompt),
        left=meta.left,
        why=meta.why,
        source=meta.source,
        received=meta.received,
        seq=meta.seq,
    )


def _with_success(vector: Vector, success: float) -> Vector:
    whole = vector.copy()
    whole[_SUCCESS] = success_feature(success)
    return whole


def _values(judged: Judged, history: History) -> Sequence[float] | Vector:
    shown = comparable(judged, history)
    return np.full(EMBEDDING, np.nan) if shown is None else shown.values


def _model(log: Sequence[tuple[Judged, Judged, Meta]]) -> str | None:
    """The model of the newest embedding: when it changed, older ones can't be compared with what comes next."""
    newest = (shown for pair in reversed(log) for judged in pair[:2] if (shown := embedding(judged.results)))
    return next((shown.model for shown in newest), None)
