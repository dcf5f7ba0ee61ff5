"""How well likeness to earlier clips alone predicts the next choice, by how fast likeness fades (``history.REACH``).

    python -m benchmarks.history FOLDER_OF_CLIPS [--users 40]

The folder holds clips and their ``manifest.jsonl`` (``{"file", "prompt"}`` a line). Simulated users choose between real
clips, a tenth of the choices flipped; a clip's embedding differs a little each time, as after another compression.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.config import load_settings
from dqa.measure.observe import observe
from dqa.models.embedded.reduction import reduction
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.taste import history

ENCODER = "efficientnet-lite0"
AGAIN = 0.33  # deviation in each value of a clip that was encoded again (tests/models/test_reduction.py)
CHOICES, SHOWN = 240, (50, 100, 200)
REACHES = (0.08, 0.12, 0.15, 0.2, 0.25, 0.35, 0.5)


def features(folder: Path) -> tuple[np.ndarray, list[str]]:
    """n x d mean features of the clips, and their prompts."""
    settings = load_settings({})
    encoder, limits = ModelPool(load_profile("embedded"), settings.home).get(ENCODER), Limits.from_settings(settings)
    rows, prompts = [], []
    for line in map(json.loads, (folder / "manifest.jsonl").read_text().splitlines()):
        clip = Clip.open(folder / line["file"], limits, None)
        seen = observe(clip.frames(), lambda clip=clip: clip.media)
        rows.append(encoder.encode([frame.image for frame in seen.track]).mean(axis=0))
        prompts.append(line["prompt"])
    return np.array(rows), prompts


def accuracy(rows: np.ndarray, shown: np.ndarray, prompts: list[str], users: int, kind: str) -> list[float]:
    """Share of unflipped choices predicted right around each number of choices in SHOWN."""
    names = sorted(set(prompts))
    of = np.array([names.index(prompt) for prompt in prompts])
    found: list[list[float]] = [[] for _ in SHOWN]
    for seed in range(users):
        rng = np.random.default_rng(seed)
        by_prompt = rng.normal(size=len(names))[of] + 0.3 * rng.normal(size=len(of))
        liked = by_prompt if kind == "prompts" else (rows - rows.mean(axis=0)) @ rng.normal(size=rows.shape[1])
        pairs = np.array([rng.choice(len(of), 2, replace=False) for _ in range(CHOICES)])
        true = (liked[pairs[:, 0]] > liked[pairs[:, 1]]).astype(float)
        said = np.where(rng.random(CHOICES) < 0.1, 1 - true, true)
        success, _ = history.replay(shown[pairs] + AGAIN * rng.normal(size=(CHOICES, 2, shown.shape[1])), said)
        right = (success[:, 0] > success[:, 1]) == (true > 0.5)
        for i, n in enumerate(SHOWN):
            found[i].append(float(right[n - 20 : n + 40].mean()))
    return [float(np.mean(each)) for each in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--users", type=int, default=40)
    asked = parser.parse_args()
    rows, prompts = features(asked.folder)
    reduce = reduction(ENCODER)
    assert reduce is not None
    shown = np.array([reduce.reduce(row[None]) for row in rows])
    print(f"{len(rows)} clips, {asked.users} users; accuracy around {SHOWN} choices")
    for kind in ("prompts", "features"):
        for reach in REACHES:
            history.REACH = reach
            told = "  ".join(f"{each:.3f}" for each in accuracy(rows, shown, prompts, asked.users, kind))
            print(f"likes {kind:8}  reach {reach:.2f}  {told}")


if __name__ == "__main__":
    main()
