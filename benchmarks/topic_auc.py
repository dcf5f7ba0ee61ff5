"""Does the semantic channel rank matched prompts above mismatched ones?

    python -m benchmarks.topic_auc [--clips FOLDER]

Prints, for the photographs in scikit-image's wheel with two prompts each and for the clips of a folder with a
manifest.jsonl ("file", "prompt"), the area under the ROC curve over all answered pairs of item and prompt, a 95%
interval from resampling the items, and the share of the items whose own prompt it abstained from. Every item meets
every prompt, near-synonyms (two desert prompts) count as mismatches, and nothing is left out but what it abstains from.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dqa.channels.semantic.topic import TopicSemantic
from dqa.clip.clip import Clip
from dqa.clip.frame import Frame
from dqa.clip.limits import Limits
from dqa.measure.observation import Observation
from dqa.measure.observe import observe
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt import parse_prompt
from dqa.record import Media

PHOTOS: dict[str, tuple[str, str]] = {
    "astronaut": (
        "a smiling astronaut in an orange space suit beside a model of the space shuttle",
        "portrait of a woman wearing a spacesuit, american flag behind her",
    ),
    "brick": ("an old brick wall seen from the front", "close-up of masonry, rows of bricks and mortar"),
    "camera": (
        "a cameraman in a dark coat filming with a camera on a tripod",
        "man looking through a camera on a tripod in a field",
    ),
    "cat": (
        "close-up of a ginger tabby cat looking to the side",
        "a cute kitten with green eyes, shallow depth of field",
    ),
    "clock": ("a round wall clock moving fast, motion blur", "blurred clock on a white wall"),
    "coffee": ("a cup of espresso with a spoon on a wooden table", "coffee in a red mug on a saucer, top view"),
    "coins": ("ancient coins laid out in rows on a dark cloth", "a museum collection of greek silver coins"),
    "grass": ("a lawn of short grass seen from above", "blades of grass in a meadow, black and white"),
    "gravel": ("a path covered with gravel and small stones", "pebbles on the ground, close-up texture"),
    "hubble_deep_field": (
        "hundreds of distant galaxies in deep space",
        "a starry night sky seen through a space telescope",
    ),
    "moon": ("craters on the surface of the moon", "a grey lunar landscape photographed from orbit"),
    "page": ("a page of printed text in a book", "close-up of a document with typed paragraphs"),
    "retina": ("a medical scan of the blood vessels of a human eye", "fundus photograph of a retina"),
    "rocket": ("a rocket on its launch pad at dusk", "a spaceship ready for lift-off between tall towers"),
    "stereo_motorcycle": (
        "a red motorcycle parked in a garage",
        "vintage motorbike next to shelves in a workshop",
    ),
    "text": ("handwritten mathematics on paper", "a sheet of notes with formulas written by hand"),
}
"""Photograph of skimage.data -> two prompts for it. Written before the detector saw any of them."""

RESAMPLES = 1000


@dataclass(frozen=True)
class Item:
    """Something seen, and the prompts that are its own."""

    name: str
    observation: Observation
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Ranking:
    """What was measured. ``interval`` is the 2.5th to 97.5th percentile over resampled items."""

    auc: float
    interval: tuple[float, float]
    abstained: float
    pairs: int


def photographs() -> list[Item]:
    import skimage.data

    return [Item(name, _still(getattr(skimage.data, name)()), prompts) for name, prompts in PHOTOS.items()]


def _still(image: object) -> Observation:
    pixels = np.asarray(image[0] if isinstance(image, tuple) else image)
    rgb = np.ascontiguousarray(np.stack([pixels] * 3, axis=-1) if pixels.ndim == 2 else pixels[..., :3])
    height, width = rgb.shape[:2]
    media = Media(
        sha256="0" * 64, kind="image", width=width, height=height, fps=0, frames=1, duration_s=0, corrupt_packets=0
    )
    return observe(iter([Frame(0, 0.0, rgb)]), lambda: media)


def clips(folder: Path) -> list[Item]:
    manifest = next(p for p in (folder / "manifest.jsonl", folder.parent / "manifest.jsonl") if p.is_file())
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    return [Item(row["id"], _clip(folder / row["file"]), (row["prompt"],)) for row in rows]


def _clip(path: Path) -> Observation:
    clip = Clip.open(path, Limits())
    return observe(clip.frames(), lambda: clip.media)


def channel() -> TopicSemantic:
    profile = load_profile("embedded")
    home = Path(tempfile.mkdtemp(prefix="dqa-"))
    return TopicSemantic(pool=ModelPool(profile, home), components=profile.channels["semantic"].components)


def rank(judge: TopicSemantic, items: list[Item]) -> Ranking:
    """Every item against every prompt."""
    prompts = {p: parse_prompt(p) for item in items for p in item.prompts}
    scores = np.full((len(items), len(prompts)), np.nan)
    own = np.array([[p in item.prompts for p in prompts] for item in items])
    for i, item in enumerate(items):
        sight = judge.look(item.observation)
        for j, prompt in enumerate(prompts.values()):
            result = judge.judge(prompt, lambda sight=sight: sight)
            scores[i, j] = np.nan if result.score is None else result.score
    resampled = [_auc(scores[rows], own[rows]) for rows in _resamples(len(items))]
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    answered = ~np.isnan(scores)
    return Ranking(_auc(scores, own), (float(low), float(high)), 1 - float(answered[own].mean()), int(answered.sum()))


def _resamples(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, n, (RESAMPLES, n))


def _auc(scores: np.ndarray, own: np.ndarray) -> float:
    """The chance that a matched pair scores above a mismatched one; ties count half."""
    matched, foreign = scores[own & ~np.isnan(scores)], scores[~own & ~np.isnan(scores)]
    if not matched.size or not foreign.size:
        return float("nan")
    above = (matched[:, None] > foreign).mean() + (matched[:, None] == foreign).mean() / 2
    return float(above)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="a folder of clips with a manifest.jsonl")
    given = parser.parse_args(arguments)
    judge = channel()
    sets = {"photographs": photographs()}
    if given.clips:
        sets["clips"] = clips(given.clips)
    for name, items in sets.items():
        start = time.process_time()
        r = rank(judge, items)
        print(
            f"{name}: AUC {r.auc:.3f} [{r.interval[0]:.3f}, {r.interval[1]:.3f}] over {r.pairs} answered pairs of "
            f"{len(items)} items; {r.abstained:.0%} abstained; {time.process_time() - start:.1f} CPU s"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
