"""Simulated users who choose between clips: what ``benchmarks/taste.py`` measures on.

**Clips** have the features of :mod:`dqa.taste.features`. A prompt gives its clips their tags, length and complexity, a
difficulty that all their scores share, and half (in variance) of what they show and of how they look. A clip adds a
quality that its scores share and something of its own in each; the scores of the channels benchmark and visionreward
are the means of what they are made of. Nine pairs in ten are two clips of one prompt, so that the prompt's own features
mostly cancel. One score in twenty is missing, and the axes altogether in one clip of ten; the user sees what the
features do not tell.

**Users** have a linear taste: the population's plus a deviation of their own. The population's is drawn for each group
of features with the spreads of :data:`WORLD` (scores are liked a little, the rest lies around 0); deviations follow a
Laplace distribution, since people care about a few things much and about most little: our model's normal prior is
wrong about them. A user chooses the clip they like better and slips (takes the other) one time in ten. Where a taste
changes, the weights of 70 % of the features become another user's.

The spreads were set so that scikit-learn's LogisticRegression(C=0.1) finds the simulation no easier than the one of the
study that this model follows (accuracy 0.685, 0.793 and 0.849 at 20, 100 and 400 choices), and the population's true
mean alone gets about what was got there (0.65 to 0.68); not by what our model makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dqa.taste.choice import Choice
from dqa.taste.features import GROUPS, INDEX, NAMES

Array = NDArray[np.float64]

SLIPS = 0.10
SAME_PROMPT = 0.9
MISSING, AXES_MISSING = 0.06, 0.12
DRIFT = 0.7
QUALITY = 0.55


@dataclass(frozen=True, slots=True)
class Spread:
    """Of the weights of a group: the population's mean and deviation over features, and the users' around it."""

    common: float
    features: float
    users: float


WORLD = {
    "scores": Spread(0.08, 0.15, 0.35),
    "look": Spread(0.0, 0.1, 0.35),
    "prompt": Spread(0.0, 0.1, 0.2),
    "style": Spread(0.2, 0.1, 0.35),
    "embedding": Spread(0.0, 0.03, 0.04),
}


def population(rng: np.random.Generator) -> Array:
    """A common taste: d weights."""
    weights = np.zeros(len(NAMES))
    for group, spread in WORLD.items():
        at = [INDEX[name] for name in GROUPS[group]]
        weights[at] = spread.common + spread.features * rng.normal(size=len(at))
    weights[INDEX["style:dislikes"]] *= -1
    return weights


def user(rng: np.random.Generator, common: Array) -> Array:
    """The taste of one user of a population: d weights."""
    weights = common.copy()
    for group, spread in WORLD.items():
        at = [INDEX[name] for name in GROUPS[group]]
        weights[at] += rng.laplace(scale=spread.users / np.sqrt(2), size=len(at))
    return weights


def clips(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """``n`` pairs of clips, each n x d, with nothing missing."""
    prompts = [_prompts(rng, n), _prompts(rng, n)]
    same = rng.random(n) < SAME_PROMPT
    second = {key: np.where(same[:, None], prompts[0][key], prompts[1][key]) for key in prompts[0]}
    return _clips(rng, prompts[0]), _clips(rng, second)


def _prompts(rng: np.random.Generator, n: int) -> dict[str, Array]:
    size = {group: len(names) for group, names in GROUPS.items()}
    tags = (rng.random((n, size["prompt"] - 2)) < 0.2).astype(np.float64)
    return {
        "difficulty": rng.normal(size=(n, 1)),
        "prompt": np.hstack([tags, rng.normal(size=(n, 2))]),
        "look": rng.normal(size=(n, size["look"])),
        "embedding": rng.normal(size=(n, size["embedding"])),
    }


def _clips(rng: np.random.Generator, prompt: dict[str, Array]) -> Array:
    n, values = len(prompt["difficulty"]), np.full((len(prompt["difficulty"]), len(NAMES)), np.nan)

    def fill(group: str, what: Array) -> None:
        values[:, [INDEX[name] for name in GROUPS[group]]] = what

    size = {group: len(names) for group, names in GROUPS.items()}
    fill("scores", _scores(rng, prompt["difficulty"], size["scores"]))
    fill("prompt", prompt["prompt"])
    for group in ("look", "embedding"):
        fill(group, 0.9 * np.sqrt(0.5) * (prompt[group] + rng.normal(size=(n, size[group]))))
    fill("style", rng.binomial(2, 0.2, size=(n, 2)).astype(np.float64))
    return values


def _scores(rng: np.random.Generator, difficulty: Array, size: int) -> Array:
    """Scores that share a difficulty and a quality; two of the channels are the means of what they are made of."""
    n = len(difficulty)
    quality = rng.normal(size=(n, 1))
    values = 0.5 + 0.9 * (
        0.4 * difficulty + QUALITY * quality + np.sqrt(0.84 - QUALITY**2) * rng.normal(size=(n, size))
    )
    names = GROUPS["scores"]
    for channel, part in (("channel:benchmark", "dimension:"), ("channel:visionreward", "axis:")):
        parts = [i for i, name in enumerate(names) if name.startswith(part)]
        values[:, names.index(channel)] = values[:, parts].mean(axis=1)
    return values


def choices(rng: np.random.Generator, taste: Array, n: int, first: int = 0) -> tuple[list[Choice], Array]:
    """``n`` choices of a user in the order they are made, and what would have been chosen without slips (1 for A)."""
    a, b = clips(rng, n)
    better = (np.nan_to_num(a - b) @ taste > 0).astype(np.float64)
    chosen = np.where(rng.random(n) < SLIPS, 1 - better, better)
    for side in (a, b):
        _hide(rng, side)
    made = [
        Choice(
            a[i],
            b[i],
            "a" if chosen[i] else "b",
            clips=(f"a{first + i}", f"b{first + i}"),
            prompts=(f"p{first + i}", f"p{first + i}"),
            seq=first + i + 1,
        )
        for i in range(n)
    ]
    return made, better


def _hide(rng: np.random.Generator, side: Array) -> None:
    scores = [INDEX[name] for name in GROUPS["scores"]]
    side[:, scores] = np.where(rng.random((len(side), len(scores))) < MISSING, np.nan, side[:, scores])
    axes = [i for name, i in INDEX.items() if name.startswith("axis:")]
    side[np.ix_(rng.random(len(side)) < AXES_MISSING, axes)] = np.nan


def changed(rng: np.random.Generator, common: Array, taste: Array) -> Array:
    """The taste of a user after the weights of 70 % of the features became another user's."""
    return np.where(rng.random(len(taste)) < DRIFT, user(rng, common), taste)
