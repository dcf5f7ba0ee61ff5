"""How quickly does the light tier learn a taste, how honest is it, and what does a flood do to it?

    python -m benchmarks.taste [--users 40] [--quick]

Simulated users (:mod:`benchmarks.taste_world`) of eight populations. Accuracy is against the choice without slips, on
400 pairs of each user that nothing has learned from; Brier score and calibration error (ECE) are against choices with
slips. ``ours`` starts from the prior that 30 other users of the same population teach (20 to 220 choices each),
``default`` from the product's, ``sklearn`` is LogisticRegression(C=0.1) on the differences and their mirror images, the
reference study's own baseline. Times are CPU times. ``--quick`` takes a quarter of the users.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from benchmarks.taste_world import changed, choices, population, user
from dqa.taste import prior
from dqa.taste.bradley_terry import Array
from dqa.taste.choice import Choice
from dqa.taste.enough import speaks
from dqa.taste.gate import gate
from dqa.taste.held_out import calibration_error, right
from dqa.taste.learn import learn
from dqa.taste.prior import DEFAULT, Population
from dqa.taste.recipe import numbers, recipe

COUNTS = (0, 5, 10, 20, 50, 100, 200, 400)
POPULATIONS, OTHERS, TESTED = 8, 30, 400
GROWTH = ((20, 30), (30, 31), (40, 60), (60, 61), (100, 101), (100, 125), (200, 205), (200, 250))


@dataclass(frozen=True, slots=True)
class User:
    """A simulated user.

    Attributes:
        rng: for what else is drawn for them.
        common, taste: their population's mean and their own.
        made: their choices so far.
        gaps, better, noisy: the tested pairs: differences, the choice without slips, and with.
        learned: the prior that other users teach.
    """

    rng: np.random.Generator
    common: Array
    taste: Array
    made: list[Choice]
    gaps: Array
    better: Array
    noisy: Array
    learned: Population

    def accuracy(self, p: Array) -> float:
        """Of chances on the tested pairs, against the choice without slips; even chances are half right."""
        return float(np.mean(right(p, self.better)))


def simulated(count: int) -> Iterator[User]:
    for group in range(POPULATIONS):
        common = population(np.random.default_rng([group, 1]))
        learned = prior.population([_taught(np.random.default_rng([group, 2, k]), common) for k in range(OTHERS)])
        for k in range(group, count, POPULATIONS):
            rng = np.random.default_rng([group, 3, k])
            taste = user(rng, common)
            made, _ = choices(rng, taste, max(COUNTS))
            tested, better = choices(rng, taste, TESTED, first=10_000)
            gaps, noisy = numbers(tested)
            yield User(rng, common, taste, made, gaps[:, :-1], better, noisy, learned)


def _taught(rng: np.random.Generator, common: Array):
    made, _ = choices(rng, user(rng, common), int(rng.integers(20, 221)))
    return learn(made, 1)


Method = Callable[[User, int], tuple[Array, NDArray[np.bool_]]]
"""Chances of a user's tested pairs after n choices, and of which of them it speaks."""


def ours(one: User, n: int, believed: Population | None = None) -> tuple[Array, NDArray[np.bool_]]:
    settled = recipe(one.made[:n], believed or one.learned)
    posterior = settled.fitted().without_last(1)
    return posterior.probabilities(one.gaps), speaks(posterior.known_shares(one.gaps), settled.different())


def default(one: User, n: int) -> tuple[Array, NDArray[np.bool_]]:
    return ours(one, n, DEFAULT)


def sklearn(one: User, n: int) -> tuple[Array, NDArray[np.bool_]]:
    always = np.ones(len(one.gaps), dtype=np.bool_)
    if n == 0:
        return np.full(len(one.gaps), 0.5), always
    x, y = numbers(one.made[:n])
    model = LogisticRegression(C=0.1, fit_intercept=False, max_iter=1000)
    model.fit(np.vstack([x, -x])[:, :-1], np.concatenate([y, 1 - y]))
    return model.predict_proba(one.gaps)[:, 1], always


def learning(users: list[User]) -> None:
    print(f"held-out accuracy after n choices, {len(users)} users (standard error of the mean)")
    print(" " * 18 + "".join(f"{n:>15}" for n in COUNTS))
    methods: tuple[Method, ...] = (ours, default, sklearn)
    seen = {method.__name__: {n: [method(one, n) for one in users] for n in COUNTS} for method in methods}
    for name, by_count in seen.items():
        each = [[one.accuracy(p) for one, (p, _) in zip(users, by_count[n], strict=True)] for n in COUNTS]
        cells = [f"{np.mean(of):.3f} ({np.std(of) / np.sqrt(len(of)):.3f})" for of in each]
        print(f"{name:18}" + "".join(f"{cell:>15}" for cell in cells))
    figures = {"Brier": _brier, "ECE": _ece, "abstains": _abstains, "right, speaking": _speaking}
    for name, by_count in seen.items():
        for what, figure in list(figures.items())[: 2 if name == "sklearn" else None]:
            cells = [_mean([figure(one, *got) for one, got in zip(users, by_count[n], strict=True)]) for n in COUNTS]
            print(f"{name + ': ' + what:26}" + "".join(f"{cell:>8}" for cell in cells))


def _mean(values: list[float]) -> str:
    there = [value for value in values if np.isfinite(value)]
    return f"{np.mean(there):.3f}" if there else "-"


def _brier(one: User, p: Array, _told: NDArray[np.bool_]) -> float:
    return float(np.mean((p - one.noisy) ** 2))


def _ece(one: User, p: Array, _told: NDArray[np.bool_]) -> float:
    return calibration_error(p, one.noisy, np.ones(len(p)))


def _abstains(_one: User, _p: Array, told: NDArray[np.bool_]) -> float:
    return float(np.mean(~told))


def _speaking(one: User, p: Array, told: NDArray[np.bool_]) -> float:
    """Accuracy where it does not abstain; none when it always does."""
    return float(np.mean((p > 0.5)[told] == (one.better > 0.5)[told])) if told.any() else np.nan


def drift(users: list[User]) -> None:
    print("\ndrift: 70 % of the weights replaced after 150 choices; accuracy on the new taste (gated: a step per 5)")
    rows: dict[str, list[float]] = defaultdict(list)
    halves: list[str] = []
    for one in users:
        rng = np.random.default_rng(int(one.rng.integers(2**32)))
        taste = changed(rng, one.common, one.taste)
        after, _ = choices(rng, taste, 100, first=150)
        tested, better = choices(rng, taste, TESTED, first=20_000)
        now = replace(one, made=[*one.made[:150], *after], gaps=numbers(tested)[0][:, :-1], better=better)
        rows["before"].append(one.accuracy(ours(one, 150)[0]))
        halves.append(str(recipe(now.made[:200], one.learned).half_life))
        serving = 150
        for n in range(155, 251, 5):
            serving = n if gate(now.made[:n], now.made[:serving], population=one.learned).promoted else serving
            if n in (160, 175, 200, 250):
                rows[f"+{n - 150}"].append(now.accuracy(ours(now, n)[0]))
                rows[f"+{n - 150} gated"].append(now.accuracy(ours(now, serving)[0]))
    print("  ".join(f"{name} {np.mean(values):.3f}" for name, values in rows.items()))
    still = [str(recipe(one.made, one.learned).half_life) for one in users]
    for when, found in (("50 after the change", halves), ("at 400 without a change", still)):
        print(f"half-lives {when}: " + ", ".join(f"{each} {found.count(each)}" for each in sorted(set(found))))


def speed() -> None:
    rng = np.random.default_rng(0)
    common = population(rng)
    made, _ = choices(rng, user(rng, common), 2000)
    print("\nCPU ms: " + "  ".join(f"refit at {n} {_refit(made[:n]):.1f}" for n in (50, 200, 1000, 2000)))
    for name, job in (("learn", lambda: learn(made[:1000], 1)), ("gate", lambda: gate(made[:1000], made[:999]))):
        began = time.process_time()
        job()
        print(f"CPU ms of {name} at 1000 choices: {(time.process_time() - began) * 1000:.0f}")


def _refit(made: list[Choice]) -> float:
    settled, took = recipe(made, DEFAULT), []
    for _ in range(9):
        began = time.process_time()
        settled.fitted()
        took.append((time.process_time() - began) * 1000)
    return float(np.median(took))


def gates(users: list[User]) -> None:
    rejected = {
        (a, b): [not gate(one.made[:b], one.made[:a], population=one.learned).promoted for one in users]
        for a, b in GROWTH
    }
    print(
        f"\ngate: normal growth rejected in {np.mean(list(rejected.values())):.1%} of {len(users) * len(GROWTH)} steps:"
    )
    print("  ".join(f"{a}->{b} {np.mean(each):.1%}" for (a, b), each in rejected.items()))


def flood(users: list[User]) -> None:
    for name, turned in (("random", False), ("opposite", True)):
        promoted, harm = [], []
        for one in users:
            votes = _votes(np.random.default_rng(int(one.rng.integers(2**32))), one, turned)
            flooded = replace(one, made=[*one.made[:60], *votes])
            promoted.append(gate(flooded.made, one.made[:60], population=one.learned).promoted)
            harm.append(one.accuracy(ours(one, 60)[0]) - one.accuracy(ours(flooded, 210)[0]))
        served = np.array(harm) * promoted
        print(
            f"150 {name} votes by script on 60 choices: promoted {np.mean(promoted):.1%}; accuracy lost by what serves "
            f"{served.mean():.3f} (worst {served.max():.3f}), without a gate {np.mean(harm):.3f} ({max(harm):.3f})"
        )


def _votes(rng: np.random.Generator, one: User, turned: bool) -> list[Choice]:
    made, _ = choices(rng, -one.taste, 150, first=30_000)
    came = [replace(c, source="http", received=1000.0 + 0.05 * i) for i, c in enumerate(made)]
    return came if turned else [replace(c, chosen="a" if rng.random() < 0.5 else "b") for c in came]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="a quarter of the users")
    given = parser.parse_args(arguments)
    users = list(simulated(given.users // 4 if given.quick else given.users))
    learning(users)
    drift(users)
    gates(users)
    flood(users)
    speed()


if __name__ == "__main__":
    main(sys.argv[1:])
