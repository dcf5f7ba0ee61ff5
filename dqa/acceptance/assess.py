"""Whether ratings calibrate a channel: fitted on some prompts, judged on the others, refused unless it is better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dqa.acceptance.beta import Array, Beta, drawn_in, fit
from dqa.acceptance.content import Figure
from dqa.acceptance.figures import Ints, compared, concordances, resampled

FOLDS = 10
MIN_EACH = 3
"""Clips that were accepted, and clips that were not, below which there is nothing to tell apart."""

MIN_PROMPTS = 5
"""Prompts below which an interval over prompts means nothing."""


@dataclass(frozen=True, slots=True)
class Rated:
    """n clips with a score and ratings.

    Attributes:
        scores: n, the channel's own, in [0, 1].
        accepted: n, share of each clip's ratings that accept. A clip counts once, however many rated it.
        groups: n, the prompt each was made from, 0 to g - 1.
        ratings: how many ratings there are in all.
    """

    scores: Array
    accepted: Array
    groups: Ints
    ratings: int


@dataclass(frozen=True, slots=True)
class Assessed:
    """What came of it.

    Attributes:
        refused: why the map may not be used, in words; empty when it may.
        beta: the map from all ratings; None without any.
        figures: on ratings of unseen prompts, scores as they are against the map; empty where nothing was held out.
        concordance: AUC of the channel's score, with its 90 % interval; None where not defined.
    """

    refused: str
    beta: Beta | None
    figures: dict[str, Figure]
    concordance: tuple[float, float, float] | None


def assess(rated: Rated) -> Assessed:
    """Fits a map and decides on it.

    It is refused unless (1) there are enough ratings of both kinds and from enough prompts, (2) accepted clips score
    higher than others (the interval of the AUC is above a half: no rising map makes sense of ratings that fall with the
    score or ignore it), and (3) it foretells ratings of unseen prompts better than the score as it is (the interval of
    the gain in log loss is above 0). Intervals are of 90 %, over resampled prompts.
    """
    if not len(rated.scores):
        return Assessed("no rated clip has a score of this channel", None, {}, None)
    beta = fit(rated.scores, rated.accepted)
    if few := _too_few(rated):
        return Assessed(few, beta, {}, None)
    auc = _concordance(rated)
    figures = compared(drawn_in(rated.scores), held_out(rated), rated.accepted, rated.groups)
    return Assessed(_unproven(auc, figures["log_loss"]), beta, figures, auc)


def held_out(rated: Rated) -> Array:
    """Each clip's chance from a map fitted without its fold: n in (0, 1). A prompt is never on both sides."""
    fold = _folds(rated.groups)
    chances = np.empty(len(fold))
    for each in np.unique(fold):
        rows = fold == each
        chances[rows] = fit(rated.scores[~rows], rated.accepted[~rows])(rated.scores[rows])
    return chances


def _folds(groups: Ints) -> Ints:
    """Prompts to the emptiest fold, the largest first: the same ratings always fall into the same folds."""
    sizes = np.bincount(groups)
    of, filled = np.zeros(len(sizes), dtype=np.int64), np.zeros(min(FOLDS, len(sizes)))
    for group in np.argsort(-sizes, kind="stable"):
        of[group] = np.argmin(filled)
        filled[of[group]] += sizes[group]
    return of[groups]


def _too_few(rated: Rated) -> str:
    clips, accepted = len(rated.scores), float(rated.accepted.sum())
    if min(accepted, clips - accepted) < MIN_EACH:
        return (
            f"{accepted:g} of {clips} rated clips were accepted; at least {MIN_EACH} that were and {MIN_EACH} that "
            "were not are needed"
        )
    prompts = len(np.unique(rated.groups))
    if prompts < MIN_PROMPTS:
        return f"the rated clips are of {prompts} prompts, and {MIN_PROMPTS} are needed"
    return ""


def _concordance(rated: Rated) -> tuple[float, float, float]:
    ones = np.ones((1, len(rated.scores)))
    low, high = resampled(rated.groups, lambda w: concordances(rated.scores, rated.accepted, w))
    return float(concordances(rated.scores, rated.accepted, ones)[0]), low, high


def _unproven(auc: tuple[float, float, float], loss: Figure) -> str:
    value, low, high = auc
    between = f"90 % interval {low:.2f} to {high:.2f}"
    if not low > 0.5:
        return (
            f"accepted clips are not shown to score higher than the others: they do in {100 * value:.0f} % of pairs "
            f"({between})"
        )
    if not loss.low > 0:
        gain = loss.before - loss.after
        return (
            f"it is not shown to foretell unseen ratings better than the score as it is: log loss {loss.after:.3f} "
            f"against {loss.before:.3f} (gain {gain:+.3f}, 90 % interval {loss.low:+.3f} to {loss.high:+.3f})"
        )
    return ""
