"""What a clip's rendering leaves a learner to find out: accuracy on unseen pairs, by how its scores are coded.

    python -m benchmarks.taste_renderings [--users 10]

To a language model the digits of a rendering are tokens: that 7 lies between 6 and 8 is at best half known to it. Here
scikit-learn's LogisticRegression learns simulated users (:mod:`benchmarks.taste_world`, slips included) from the same
digits coded in several ways, with as many pairs as are left for training of 50, 100, 200 and 400 choices. Of five
regularisations the best is told, which flatters all rows alike; 400 unseen pairs a user, against what is really
preferred.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression

from benchmarks import taste_world as world
from dqa.taste.choice import Choice
from dqa.taste.features import GROUPS, INDEX, Vector
from dqa.taste.heavy.rendering import render_features

SIZES, TEST = (40, 80, 160, 320), 400
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3)
TAGS = [INDEX[name] for name in GROUPS["prompt"] if name.startswith("tag:")]

Coding = Callable[[int | None], list[float]]
"""What stands for a digit; None is a score that was not judged."""


def _steps(*bounds: int) -> Coding:
    return lambda digit: [float(digit is not None and digit >= bound) for bound in bounds]


CODINGS: dict[str, Coding] = {
    "a number": lambda digit: [0.0 if digit is None else digit - 4.5],
    "a count of 0 to 4": lambda digit: [0.0 if digit is None else digit // 2 - 2.0],
    "steps at 2, 4, 6, 8": _steps(2, 4, 6, 8),
    "strong, weak or neither": lambda digit: [float(digit is not None and end) for end in _ends(digit)],
    "ten categories": lambda digit: [float(digit == value) for value in range(10)],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10)
    users = [_user(seed) for seed in range(parser.parse_args().users)]
    print(f"{'':26}" + "".join(f"{size:>8}" for size in SIZES))
    for name, coding in CODINGS.items():
        found = np.array([[_accuracy(*one, coding, size) for size in SIZES] for one in users])  # users, sizes, C
        print(f"{name:26}" + "".join(f"{value:8.3f}" for value in found.mean(axis=0).max(axis=1)))


def _user(seed: int) -> tuple[list[Choice], list[Choice], world.Array]:
    rng = np.random.default_rng(seed)
    taste = world.user(rng, world.population(rng))
    made, _ = world.choices(rng, taste, max(SIZES))
    unseen, better = world.choices(rng, taste, TEST, first=10_000)
    return made, unseen, better


def _accuracy(
    made: Sequence[Choice], unseen: Sequence[Choice], better: world.Array, coding: Coding, size: int
) -> list[float]:
    """Accuracy on the unseen pairs, a regularisation each."""
    gaps, chosen = _gaps(made[:size], coding), np.array([choice.chosen == "a" for choice in made[:size]])
    asked = _gaps(unseen, coding)
    found: list[float] = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, fit_intercept=False, max_iter=2000)
        model.fit(np.concatenate([gaps, -gaps]), np.concatenate([chosen, ~chosen]))
        found.append(float(np.mean((model.decision_function(asked) > 0) == (better > 0.5))))
    return found


def _gaps(choices: Sequence[Choice], coding: Coding) -> world.Array:
    return np.array([_coded(c.a, coding) for c in choices]) - np.array([_coded(c.b, coding) for c in choices])


def _coded(values: Vector, coding: Coding) -> list[float]:
    digits = [value for digit in _digits(values) for value in coding(digit)]
    return digits + [float(values[tag] > 0) for tag in TAGS]


def _digits(values: Vector) -> list[int | None]:
    """The digits of the rendering itself, in its order."""
    words = render_features(values).partition(" tags ")[0].split()
    found = [word for word in words if word == "?" or word.isdecimal()]
    return [None if word == "?" else int(word) for word in found]


def _ends(digit: int | None) -> tuple[bool, bool]:
    return (False, False) if digit is None else (digit >= 6, digit < 4)


if __name__ == "__main__":
    main()
