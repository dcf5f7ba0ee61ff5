"""When a language model's reward may speak beside the light tier: how often the gate lets one in, and what that does.

    python -m benchmarks.taste_stacking [--users 30] [--choices 200]

No language model runs. The rewards are a simulated user's true liking plus noise, from none of it to little, on the
fifth of the choices that an adapter would not have been trained on; what the light tier makes of 400 further pairs is
compared with and without them. A gate that must not cost the light tier lets no useless reward in.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np

from benchmarks import taste_world as world
from dqa.taste.choice import Choice
from dqa.taste.features import INDEX, difference
from dqa.taste.learn import learn
from dqa.taste.taste import Taste

REWARD = INDEX["adapter:reward"]
TEST, SCALE, HELD_OUT = 400, 0.3, 0.2
NOISE = {"nothing of it": None, "noise 6": 6.0, "noise 2.5": 2.5, "noise 1": 1.0}
LOWERED = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=30)
    parser.add_argument("--choices", type=int, default=200)
    asked = parser.parse_args()
    print(f"{'the reward knows':<16} | alone right | let in | accuracy, mean change  worst | lowered by > {LOWERED}")
    for name, noise in NOISE.items():
        rows = [one(seed, noise, asked.choices) for seed in range(asked.users)]
        alone, entered, gains = (np.array(column) for column in zip(*rows, strict=True))
        print(
            f"{name:<16} | {alone.mean():11.3f} | {entered.mean():6.2f} | {gains.mean():+21.4f} {gains.min():+7.3f} | "
            f"{(gains < -LOWERED).sum()} of {asked.users}",
            flush=True,
        )


def one(seed: int, noise: float | None, n: int) -> tuple[float, bool, float]:
    """One user: how often the reward alone is right, whether it was let in, what the accuracy changed by."""
    rng = np.random.default_rng(seed)
    taste = world.user(rng, world.population(rng))
    choices, _ = world.choices(rng, taste, n)
    test, better = world.choices(rng, taste, TEST, first=10_000)
    held_out = set(rng.permutation(n)[: round(HELD_OUT * n)].tolist())

    def told(choice: Choice) -> Choice:
        sides = [side.copy() for side in (choice.a, choice.b)]
        for side in sides:
            liking = 0.0 if noise is None else float(np.nan_to_num(side) @ taste)
            side[REWARD] = SCALE * (liking + (1.0 if noise is None else noise) * rng.normal())
        return dataclasses.replace(choice, a=sides[0], b=sides[1])

    light = learn(choices, 1)
    stacked = learn([told(c) if i in held_out else c for i, c in enumerate(choices)], 1, adapter="simulated")
    seen = [told(c) for c in test]
    alone = float(np.mean([(c.a[REWARD] > c.b[REWARD]) == (b > 0.5) for c, b in zip(seen, better, strict=True)]))
    if stacked.adapter is None:
        return alone, False, 0.0
    return alone, True, _right(stacked, seen, better) - _right(light, test, better)


def _right(taste: Taste, pairs: list[Choice], better: world.Array) -> float:
    told = np.array([taste.posterior().probability(difference(c.a, c.b)) for c in pairs])
    return float(np.mean((told > 0.5) == (better > 0.5)))


if __name__ == "__main__":
    main()
