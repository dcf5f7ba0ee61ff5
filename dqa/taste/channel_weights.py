"""A user's own weights of the channels, where their choices show that the mission's serve them worse.

A choice is explained by the difference in final score, ``p = e + (1 - 2 e) sigmoid(k w . (s_a - s_b))``, the
Bradley-Terry model of :mod:`dqa.taste.bradley_terry` on four channel scores. The prior on ``k w`` lies at the mission's
weights; what comes out is brought back to their sum and between half and twice each of them. ``preference`` keeps its
own weight: it is the taste itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqa.record import ChannelName
from dqa.taste.bradley_terry import LAPSE, fit
from dqa.taste.choice import Choice
from dqa.taste.features import CHANNELS, INDEX
from dqa.taste.taste import Taste

MISSION: dict[ChannelName, float] = {"semantic": 0.25, "spatial": 0.15, "benchmark": 0.20, "visionreward": 0.15}
"""The mission's weights of the channels that may change; a test holds them to :data:`dqa.synthesis.WEIGHTS`."""

LEAST, MOST = 0.5, 2.0
"""A weight stays between these multiples of the mission's."""

ENOUGH = 40
"""Decided choices, between clips with scores, below which nothing is learned."""

NEWEST = 400
"""Choices that are looked at; what a user wanted long ago should not hold the weights."""

FOLDS = 5
SURE = 2.0
"""Standard errors that the held-out gain in log loss must exceed, and the gain in accuracy as well."""

_SLACK = 1e-6
_SPREAD = 0.5  # the prior's deviation of a weight, as a share of it
_SHARPNESS, _VAGUE = 10.0, 0.01  # k before any choice, and its precision: a tenth in final score is a fair difference

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Data:
    """n decided choices: differences of the four scores (0 where not judged), outcomes, what each counts, groups."""

    gaps: Array
    outcomes: Array
    counts: Array
    groups: NDArray[np.int64]

    def of(self, rows: NDArray[np.bool_]) -> _Data:
        return _Data(self.gaps[rows], self.outcomes[rows], self.counts[rows], self.groups[rows])


def learned(choices: Sequence[Choice], counts: Sequence[float] | None = None) -> dict[ChannelName, float] | None:
    """The user's weights of semantic, spatial, benchmark and visionreward; None while the mission's are as good.

    They must predict choices that they were not fitted to (five folds, choices that share a prompt together) better
    than the mission's weights: in log loss and in accuracy, each by more than :data:`SURE` standard errors of the
    paired differences, summed by prompt group.

    Args:
        choices: of one user and profile, oldest first.
        counts: how much each counts; default 1.
    """
    data = _data(choices, counts)
    if len(data.gaps) < ENOUGH or len(np.unique(data.groups)) < FOLDS or not _better(data):
        return None
    found = _fitted(data)
    return None if found is None else {name: float(weight) for name, weight in zip(CHANNELS, found, strict=True)}


def usable(taste: Taste | None, profile: str) -> dict[ChannelName, float] | None:
    """The weights of a taste for a profile's scores, checked anew; None when it has none or they break the bounds."""
    own = taste.channel_weights if taste is not None and taste.usable and taste.profile == profile else None
    if own is None or set(own) != set(MISSION):
        return None
    fits = all(LEAST - _SLACK <= own[name] / weight <= MOST + _SLACK for name, weight in MISSION.items())
    return own if fits and abs(sum(own.values()) - sum(MISSION.values())) < _SLACK else None


def note(taste: Taste, user: str, weights: Mapping[ChannelName, float]) -> str:
    """What a record says of weights that are not the mission's."""
    each = ", ".join(f"{name} {weight:.2f} (not {MISSION[name]:.2f})" for name, weight in weights.items())
    return (
        f"channel weights of {user}'s taste {taste.version} were used instead of the mission's, since they predicted "
        f"held-out choices better: {each}; DQA_ADAPTIVE_WEIGHTS=false forbids it"
    )


def bounded(weights: Array) -> Array:
    """The nearest weights within the bounds that sum as the mission's do (Euclidean projection).

    Args:
        weights: 4, in the order of :data:`~dqa.taste.features.CHANNELS`.
    """
    low, high = _mission() * LEAST, _mission() * MOST
    least, most = float(np.min(weights - high)), float(np.max(weights - low))
    for _ in range(60):  # the sum falls as the shift grows
        shift = (least + most) / 2
        if np.clip(weights - shift, low, high).sum() > _mission().sum():
            least = shift
        else:
            most = shift
    return np.clip(weights - most, low, high)


def _mission() -> Array:
    return np.array([MISSION[name] for name in CHANNELS])


def _data(choices: Sequence[Choice], counts: Sequence[float] | None) -> _Data:
    places = [INDEX[f"channel:{name}"] for name in CHANNELS]
    weighed = list(zip(choices, [1.0] * len(choices) if counts is None else counts, strict=True))
    decided = [(choice, count) for choice, count in weighed if choice.chosen != "tie" and count > 0]
    gaps = np.array([(c.a[places] - c.b[places]) * 0.25 for c, _ in decided]).reshape(-1, len(places))
    telling = np.flatnonzero(np.sum(np.nan_to_num(gaps) != 0, axis=1) >= 2)[-NEWEST:]
    kept = [decided[i] for i in telling]
    return _Data(
        np.nan_to_num(gaps[telling]),
        np.array([c.outcome for c, _ in kept]),
        np.array([count for _, count in kept]),
        _groups([c.prompts for c, _ in kept]),
    )


def _groups(prompts: Sequence[tuple[str, str]]) -> NDArray[np.int64]:
    """A number for each choice; two that share a prompt, directly or through others, have the same."""
    root: dict[str, str] = {}

    def find(name: str) -> str:
        while root.setdefault(name, name) != name:
            name = root[name]
        return name

    # A choice without prompts is a group of its own.
    named = [(p[0] or f"\0{i}", p[1] or p[0] or f"\0{i}") for i, p in enumerate(prompts)]
    for one, other in named:
        root[find(one)] = find(other)
    numbers = {name: i for i, name in enumerate(dict.fromkeys(find(one) for one, _ in named))}
    return np.array([numbers[find(one)] for one, _ in named], dtype=np.int64)


def _fitted(data: _Data) -> Array | None:
    """The most probable weights within the bounds; None when more of the mission's score is not liked more."""
    k = _sharpness(data, _mission())
    if k <= 0:
        return None
    mean = k * _mission()
    theta = fit(data.gaps, data.outcomes, mean, 1 / (_SPREAD * mean) ** 2, data.counts).mean
    total = float(np.sum(theta))
    return bounded(theta * _mission().sum() / total) if total > 0 else None


def _sharpness(data: _Data, weights: Array) -> float:
    """How sharply a difference in the weighted score decides."""
    along = (data.gaps @ weights)[:, None]
    return float(fit(along, data.outcomes, np.array([_SHARPNESS]), np.array([_VAGUE]), data.counts).mean[0])


def _better(data: _Data) -> bool:
    """Whether fitted weights predict held-out choices better than the mission's, beyond noise."""
    gain, right = np.zeros(len(data.gaps)), np.zeros(len(data.gaps))
    for fold in range(FOLDS):
        held = data.groups % FOLDS == fold
        seen, unseen = data.of(~held), data.of(held)
        own = _fitted(seen)
        if own is None or not len(unseen.gaps):
            continue
        mission, mine = (_chances(seen, unseen, weights) for weights in (_mission(), own))
        gain[held] = np.log(mine) - np.log(mission)
        right[held] = (mine > 0.5) * 1.0 - (mission > 0.5) * 1.0
    return all(_beyond_noise(values * data.counts, data.groups) for values in (gain, right))


def _chances(seen: _Data, unseen: _Data, weights: Array) -> Array:
    """The chance of each unseen choice as it was made; each set of weights with the sharpness that suits it best."""
    margins = _sharpness(seen, weights) * (unseen.gaps @ weights)
    signed = np.where(unseen.outcomes == 1, margins, -margins)
    return LAPSE + (1 - 2 * LAPSE) * 0.5 * (1 + np.tanh(signed / 2))


def _beyond_noise(values: Array, groups: NDArray[np.int64]) -> bool:
    sums = np.bincount(groups, weights=values)
    total, error = float(sums.sum()), float(np.std(sums, ddof=1)) * len(sums) ** 0.5
    return total > 0 and total > SURE * error
