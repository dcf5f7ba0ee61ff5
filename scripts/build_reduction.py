"""Makes ``dqa/models/embedded/data/reduction-efficientnet-lite0.npz`` and measures it against random projections.

    python scripts/build_reduction.py FOLDER_OF_CLIPS

The folder holds clips and their ``manifest.jsonl`` (``{"file", "prompt"}`` a line), as tests/data/clips does; the
shipped file was made from 22 generated clips of 14 prompts, those eight among them. Takes about a minute of CPU time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.config import load_settings
from dqa.measure.observe import observe
from dqa.models.embedded.labels import DATA
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile

ENCODER, VALUES, RANDOM = "efficientnet-lite0", 16, 100


def features(folder: Path, files: list[str], encoder) -> np.ndarray:
    """n x d, the mean features of each clip's track."""
    limits = Limits.from_settings(load_settings({}))
    rows = []
    for file in files:
        clip = Clip.open(folder / file, limits, None)
        seen = observe(clip.frames(), lambda clip=clip: clip.media)
        rows.append(encoder.encode([frame.image for frame in seen.track]).mean(axis=0, dtype=np.float64))
    return np.array(rows)


def label_directions(weights: np.ndarray) -> np.ndarray:
    """The first principal directions of the label weights, each with its largest entry positive."""
    centred = weights.astype(np.float64) - weights.mean(axis=0, dtype=np.float64)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:VALUES]
    signs = np.sign(directions[np.arange(VALUES), np.abs(directions).argmax(axis=1)])
    return directions * signs[:, None]


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a / np.linalg.norm(a, axis=1, keepdims=True)) @ (b / np.linalg.norm(b, axis=1, keepdims=True)).T


def quality(rows: np.ndarray, directions: np.ndarray, prompts: list[str]) -> tuple[float, float]:
    """How often the nearest clip is of the same prompt (mean and scale without the clip itself), and the correlation of
    likenesses with those of the whole features."""
    found = []
    for i, prompt in enumerate(prompts):
        others = [j for j in range(len(prompts)) if j != i]
        if prompt not in [prompts[j] for j in others]:
            continue
        low = rows @ directions.T
        low = (low - low[others].mean(axis=0)) / low[others].std(axis=0)
        found.append(prompts[others[int(cosines(low[i : i + 1], low[others])[0].argmax())]] == prompt)
    low, pairs = rows @ directions.T, np.triu_indices(len(rows), 1)
    low = (low - low.mean(axis=0)) / low.std(axis=0)
    whole = rows - rows.mean(axis=0)
    return float(np.mean(found)), float(np.corrcoef(cosines(low, low)[pairs], cosines(whole, whole)[pairs])[0, 1])


def main() -> None:
    folder = Path(sys.argv[1])
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    lines = [line for line in lines if (folder / line["file"]).is_file()]
    encoder = ModelPool(load_profile("embedded"), load_settings({}).home).get(ENCODER)
    rows = features(folder, [line["file"] for line in lines], encoder)
    prompts = [line["prompt"] for line in lines]
    directions = label_directions(encoder.class_weights)
    projected = rows @ directions.T
    nearest, r = quality(rows, directions, prompts)
    print(f"{len(lines)} clips; label directions: same prompt nearest {nearest:.2f}, r {r:.2f}")
    draws = [np.linalg.qr(np.random.default_rng(k).normal(size=(rows.shape[1], VALUES)))[0].T for k in range(RANDOM)]
    random = np.array([quality(rows, draw, prompts) for draw in draws])
    (nearest, r), best = random.mean(axis=0), random[:, 1].max()
    print(f"{RANDOM} random projections: same prompt nearest {nearest:.2f}, r {r:.2f} on average, {best:.2f} at best")
    arrays = {"directions": directions, "mean": projected.mean(axis=0), "deviation": projected.std(axis=0)}
    np.savez_compressed(DATA / f"reduction-{ENCODER}.npz", **{k: v.astype(np.float32) for k, v in arrays.items()})


if __name__ == "__main__":
    main()
