"""The light tier as a teacher: clips, real and made up, and what each of their scores is worth to it.

To a language model a digit is a category of its own: that 7 lies between 6 and 8, and that it may speak for one score
and against another, it would have to find in a few hundred choices, where the light tier, which reads digits as
numbers, needs a few dozen. So an adapter first learns what the light tier knows (:mod:`dqa.taste.heavy.distillation`),
and the choices teach it the rest. The teacher is fitted to the training pairs alone, as their texts tell them: nothing
of the held-out pairs reaches the adapter by way of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dqa.taste.bradley_terry import Array
from dqa.taste.choice import Choice
from dqa.taste.features import INDEX
from dqa.taste.heavy.config import Example
from dqa.taste.heavy.rendering import DIGITS, SCORES, TAGS, digit_value, read_features, render_features
from dqa.taste.heavy.score import fitted_temperature
from dqa.taste.prior import DEFAULT
from dqa.taste.recipe import recipe

_SCORES, _TAGS = [INDEX[name] for name in SCORES], [INDEX[name] for name in TAGS]

_REAL = 0.5
"""Share of real clips among the lessons: they alone have scores that go together as those do that will be judged."""

_FOLDS = 5
"""How often the teacher is fitted to some of the pairs and tried on the others."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One score of a clip, with each digit that it could have.

    Attributes:
        texts: the clip's rendering with the digits 0 to 9 there.
        rewards: what the teacher gives each of them, in nats, 0 for what is typical.
    """

    texts: tuple[str, ...]
    rewards: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A clip, and what the teacher says of it.

    Attributes:
        prompt: what it was asked for.
        response: its rendering.
        asked: its scores that are known.
    """

    prompt: str
    response: str
    asked: tuple[Asked, ...]

    @property
    def reward(self) -> float:
        """What the teacher gives the clip, in nats: the sum over its scores."""
        return sum(asked.rewards[asked.texts.index(self.response)] for asked in self.asked)


def lessons(train: Sequence[Example], count: int, seed: int) -> Iterator[Lesson]:
    """``count`` clips; the same for the same arguments.

    One in two is a real one. The others take their prompt, their tags and each of their scores from a real clip drawn
    anew, so that no two scores go together. One of which no score is known has nothing to teach, and is drawn again.

    Args:
        train: the real pairs, oldest first.
        count: how many; none where no score is known of any clip.
        seed: of the drawing.
    """
    if not train:
        return
    pairs = [(read_features(e.chosen), read_features(e.rejected)) for e in train]
    pool = np.stack([clip for pair in pairs for clip in pair])
    worth = _worth(_taste(train, pairs), pool)
    rng = np.random.default_rng(seed)
    for _ in range(count if worth else 0):
        prompt, clip = _drawn(rng, train, pool)
        while not np.isfinite(clip[_SCORES]).any():
            prompt, clip = _drawn(rng, train, pool)
        yield Lesson(prompt, render_features(clip), tuple(_asked(clip, worth)))


def _drawn(rng: np.random.Generator, train: Sequence[Example], pool: Array) -> tuple[str, Array]:
    """A prompt and a clip, d; ``pool`` has two clips for each of ``train``."""
    which = int(rng.integers(len(pool)))
    if rng.random() < _REAL:
        return train[which // 2].prompt, pool[which]
    clip = np.full(pool.shape[1], np.nan)
    clip[_TAGS] = pool[which, _TAGS]
    clip[_SCORES] = pool[rng.integers(len(pool), size=len(_SCORES)), _SCORES]
    return train[int(rng.integers(len(train)))].prompt, clip


def _taste(train: Sequence[Example], pairs: Sequence[tuple[Array, Array]]) -> Array:
    """The most probable taste, d weights, as sure of itself as it is right about pairs that it was not fitted to.

    The light tier takes one choice in ten for a slip and DPO's loss takes none: its margins would be too wide there.
    Never surer than it is: a few pairs that are all right say little.
    """
    rows = [i for i, example in enumerate(train) for _ in range(example.weight)]
    settled = recipe([Choice(*pairs[i], "a") for i in rows], DEFAULT)
    fold, margins = np.array(rows) % _FOLDS, list[float]()
    for k in range(min(_FOLDS, len(train))):
        unseen = settled.differences[fold == k, :-1]
        margins += (unseen @ settled.fitted(fold != k).without_last(1).mean).tolist()
    return settled.fitted().without_last(1).mean / max(1.0, fitted_temperature(margins))


def _worth(taste: Array, pool: Array) -> dict[int, tuple[float, ...]]:
    """What a digit adds to a clip's reward, against the score's mean: by feature that is known of any clip."""
    found: dict[int, tuple[float, ...]] = {}
    for feature in _SCORES:
        known = pool[np.isfinite(pool[:, feature]), feature]
        if len(known):
            typical = float(known.mean())
            found[feature] = tuple(float(taste[feature]) * (digit_value(d) - typical) for d in range(DIGITS))
    return found


def _asked(clip: Array, worth: dict[int, tuple[float, ...]]) -> Iterator[Asked]:
    for feature, rewards in worth.items():
        if np.isfinite(clip[feature]):
            other, texts = clip.copy(), list[str]()
            for digit in range(DIGITS):
                other[feature] = digit_value(digit)
                texts.append(render_features(other))
            yield Asked(tuple(texts), rewards)
