"""How many ratings calibrate a channel, and how many choices fit VisionReward's checklist: people who are known.

python -m benchmarks.acceptance
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from dqa.acceptance.assess import assess
from dqa.acceptance.beta import drawn_in
from dqa.channels.visionreward.checklist import checklist
from dqa.channels.visionreward.refit import refit
from dqa.channels.visionreward.reweighed import reweighed
from tests.acceptance.world import Truth, rated, strict
from tests.channels.test_visionreward_refit import choices, own_weights

GRID = np.linspace(0.25, 0.9, 40)
RATERS: dict[str, Truth] = {
    "strict below 0.6": strict,
    "as the score says": lambda s: s,
    "whatever the score": lambda s: np.full_like(s, 0.4),
    "the other way round": lambda s: 1 - strict(s),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=40)
    seeds = parser.parse_args().seeds
    print("raters | ratings | taken | mean error before | of the map, taken or not | CPU ms a fit")
    for name, truth in RATERS.items():
        for n in (6, 20, 60, 200, 1000):
            began, taken, errors = time.process_time(), 0, []
            for seed in range(seeds):
                found = assess(rated(n, truth, seed=seed))
                taken += not found.refused
                assert found.beta is not None
                errors.append(float(np.abs(found.beta(GRID) - truth(GRID)).mean()))
            cpu = 1000 * (time.process_time() - began) / seeds
            before = float(np.abs(drawn_in(GRID) - truth(GRID)).mean())
            print(f"{name} | {n} | {taken}/{seeds} | {before:.3f} | {np.mean(errors):.3f} | {cpu:.0f}")
    print("choosers | choices | taken | wrong before -> after, held out")
    video = checklist("video")
    own = reweighed(video, own_weights().tolist())
    for name, minds in (("with weights of their own", own), ("who mind what is published", video)):
        for n in (60, 150, 400):
            outcomes = [refit("video", choices(n, minds, seed=seed)) for seed in range(seeds // 4)]
            figures = [o.wrong for o in outcomes if o.wrong is not None]
            before, after = (float(np.mean([getattr(f, side) for f in figures])) for side in ("before", "after"))
            taken = sum(o.weights is not None for o in outcomes)
            print(f"{name} | {n} | {taken}/{len(outcomes)} | {before:.3f} -> {after:.3f}")


if __name__ == "__main__":
    main()
