"""The checklist's weights fitted to choices: ridge logistic regression that starts from the published ones.

A choice between clips a and b is explained by the difference in score, ``p = sigmoid(k w . (z_a - z_b))``, z being what
each question adds to the score per unit of its weight (:meth:`~dqa.channels.visionreward.answers.Answers.terms`). On
each axis the weights sum to what they did, since the axes' own weights are the mission's. The prior holds each weight
at the published one with a deviation of half of it; none falls below a tenth of it, so that no question falls silent
and all stay positive.

The fit is taken only if it predicts choices of unseen prompts better than the published weights: in log loss (90 %
interval over prompts above 0) and in choices that only one of the two predicts right (sign test).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqa.acceptance.content import Figure, KindWeights
from dqa.acceptance.figures import resampled
from dqa.channels.visionreward.answers import Answers, Array
from dqa.channels.visionreward.axes import AXES
from dqa.channels.visionreward.checklist import Checklist, Kind, checklist
from dqa.channels.visionreward.reweighed import questions_hash, reweighed
from dqa.taste.bradley_terry import LAPSE, fit
from dqa.taste.choice import Choice, Outcome
from dqa.taste.held_out import components, folds
from dqa.taste.sign_test import sign_test

ENOUGH = 40
"""Decided choices below which nothing is fitted: there are 27 weights."""

MIN_GROUPS = 10
"""Groups of prompts below which an interval over them means little."""

SURE = 0.1
"""The sign test's chance of what is seen, at most."""

LEAST = 0.1
_SPREAD = 0.5
_SHARPNESS, _VAGUE = 10.0, 0.01
_ROUNDS, _STEPS = 3, 60


@dataclass(frozen=True, slots=True)
class AnsweredChoice:
    """A choice between two clips whose answers are known, of one medium and judge."""

    a: Answers
    b: Answers
    chosen: Outcome
    prompts: tuple[str, str]
    clips: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Refit:
    """What came of it: weights that may be used, or why not, and the figures where something was held out."""

    weights: KindWeights | None
    refused: str
    pairs: int
    prompts: int
    wrong: Figure | None = None
    log_loss: Figure | None = None


@dataclass(frozen=True, slots=True)
class _Data:
    """n decided choices: differences of the questions' terms (n x q), outcomes, and the answers themselves."""

    gaps: Array
    outcomes: Array
    choices: tuple[AnsweredChoice, ...]

    def of(self, rows: NDArray[np.bool_]) -> _Data:
        kept = tuple(choice for choice, row in zip(self.choices, rows, strict=True) if row)
        return _Data(self.gaps[rows], self.outcomes[rows], kept)

    def differences(self, items: Checklist) -> Array:
        """The differences in score by a checklist's weights, by the very formula of the channel."""
        return np.array([c.a.score(items) - c.b.score(items) for c in self.choices])


def refit(kind: Kind, choices: Sequence[AnsweredChoice]) -> Refit:
    """Fits the weights of one medium's questions and decides whether they may be used.

    Args:
        kind: the medium that all choices are of.
        choices: oldest first; ties teach nothing.
    """
    items = checklist(kind)
    decided = [c for c in choices if c.chosen != "tie" and np.isfinite([c.a.score(items), c.b.score(items)]).all()]
    plain = [Choice(np.empty(0), np.empty(0), c.chosen, c.clips, c.prompts) for c in decided]
    groups = components(plain) if plain else np.empty(0, dtype=np.int64)
    prompts = len(np.unique(groups))
    if len(decided) < ENOUGH or prompts < MIN_GROUPS:
        few = f"{len(decided)} decided choices from {prompts} groups of prompts are known"
        return Refit(None, f"{few}; {ENOUGH} from {MIN_GROUPS} are needed", len(decided), prompts)
    data = _Data(
        np.array([c.a.terms(items) - c.b.terms(items) for c in decided]),
        np.array([1.0 if c.chosen == "a" else 0.0 for c in decided]),
        tuple(decided),
    )
    weights = fitted_weights(data.gaps, data.outcomes, items)
    fold = folds(plain)
    if weights is None or fold is None:
        why = "a higher score by the published weights is not chosen more often; nothing can start from them"
        return Refit(None, why, len(decided), prompts)
    before, after = _held_out(data, items, fold)
    wrong, loss, refused = _decided(before, after, groups)
    kept = KindWeights(
        questions=questions_hash(items),
        weights=tuple(weights.tolist()),
        pairs=len(decided),
        prompts=prompts,
        wrong=wrong,
        log_loss=loss,
    )
    return Refit(None if refused else kept, refused, len(decided), prompts, wrong, loss)


def fitted_weights(gaps: Array, outcomes: Array, items: Checklist) -> Array | None:
    """The most probable weights, shape (q,); None when more of the published score is not chosen more often.

    Sharpness k and weights are fitted in turn. In units of the published weights (u = w / w0) the ridge is the same for
    all, and the bounds are ``u >= 0.1`` and each axis' sum.

    Args:
        gaps: n x q, differences of the questions' terms.
        outcomes: n, 1 where a was chosen.
        items: the published checklist.
    """
    published = np.array([question.weight for question in items.questions])
    axes = [np.array([q.axis == name for q in items.questions]) for name in AXES]
    x = gaps * published
    u = np.ones(len(published))
    for _ in range(_ROUNDS):
        k = _sharpness(x @ u, outcomes)
        if k <= 0:
            return None
        u = _descended(u, k * x, outcomes, (published, axes))
    return published * u


def _descended(start: Array, x: Array, y: Array, bounds: tuple[Array, list[NDArray[np.bool_]]]) -> Array:
    """Projected gradient with Nesterov's momentum on the convex penalised loss."""
    ridge = 1 / _SPREAD**2
    rate = 1 / (float(np.linalg.norm(x, 2)) ** 2 / 4 + ridge)
    u, ahead = start, start
    for step in range(_STEPS):
        p = 0.5 * (1 + np.tanh(x @ ahead / 2))
        new = _projected(ahead - rate * (x.T @ (p - y) + ridge * (ahead - 1)), *bounds)
        ahead, u = new + step / (step + 3) * (new - u), new
    return u


def _projected(u: Array, published: Array, axes: Sequence[NDArray[np.bool_]]) -> Array:
    """The nearest u >= :data:`LEAST` whose weights sum to the published ones' on each axis."""
    found = np.ones_like(u)
    for rows in axes:
        v, a = u[rows], published[rows]
        free = np.ones(len(v), dtype=np.bool_)
        while True:  # each round pins at least one more, and the last one free always fits
            shift = (a[free] @ v[free] + LEAST * a[~free].sum() - a.sum()) / (a[free] @ a[free])
            low = free & (v - shift * a < LEAST)
            if not low.any():
                break
            free &= ~low
        found[rows] = np.where(free, v - shift * a, LEAST)
    return found


def _sharpness(differences: Array, outcomes: Array) -> float:
    """How sharply a difference in score decides."""
    along = differences[:, None]
    return float(fit(along, outcomes, np.array([_SHARPNESS]), np.array([_VAGUE])).mean[0])


def _held_out(data: _Data, items: Checklist, fold: NDArray[np.int64]) -> tuple[Array, Array]:
    """The chance of each choice as it was made, by the published and by fitted weights, from the other folds alone."""
    before, after = np.full(len(fold), 0.5), np.full(len(fold), 0.5)
    for each in np.unique(fold):
        rows = fold == each
        seen, unseen = data.of(~rows), data.of(rows)
        weights = fitted_weights(seen.gaps, seen.outcomes, items)
        own = items if weights is None else reweighed(items, weights.tolist())
        before[rows], after[rows] = _chances(seen, unseen, items), _chances(seen, unseen, own)
    return before, after


def _chances(seen: _Data, unseen: _Data, items: Checklist) -> Array:
    """Each set of weights with the sharpness that suits it best."""
    margins = _sharpness(seen.differences(items), seen.outcomes) * unseen.differences(items)
    signed = np.where(unseen.outcomes == 1, margins, -margins)
    return LAPSE + (1 - 2 * LAPSE) * 0.5 * (1 + np.tanh(signed / 2))


def _decided(before: Array, after: Array, groups: NDArray[np.int64]) -> tuple[Figure, Figure, str]:
    errors = [np.where(p == 0.5, 0.5, (p < 0.5) * 1.0) for p in (before, after)]
    wrong = _figure(errors[0], errors[1], groups)
    loss = _figure(-np.log(before), -np.log(after), groups)
    won, lost = int(np.sum((after > 0.5) & (before <= 0.5))), int(np.sum((before > 0.5) & (after <= 0.5)))
    if not loss.low > 0:
        why = f"log loss {loss.after:.3f} against {loss.before:.3f}, 90 % interval {loss.low:+.3f} to {loss.high:+.3f}"
        return wrong, loss, f"it is not shown to predict unseen choices better than the published weights: {why}"
    if won <= lost or sign_test(won, won + lost) > SURE:
        why = f"{won} unseen choices are right only with it, {lost} only without"
        return wrong, loss, f"it is not shown to get more unseen choices right than the published weights: {why}"
    return wrong, loss, ""


def _figure(before: Array, after: Array, groups: NDArray[np.int64]) -> Figure:
    gains = before - after
    low, high = resampled(groups, lambda w: (w @ gains) / w.sum(axis=1))
    return Figure(before=float(before.mean()), after=float(after.mean()), low=low, high=high)
