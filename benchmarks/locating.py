"""How often does the spatial channel find what is there, and what is not?

    python -m benchmarks.locating [--clips FOLDER]

Every item of topic_auc.py meets every prompt. Prints the share of the looked-for things that were found, for matched
and for mismatched pairs, the mean scores, and the area under the ROC curve over answered pairs. A thing of a mismatched
prompt may really be there (a guitar in a concert), so the false-found rate is an upper bound.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.topic_auc import Item, clips, photographs
from dqa.channels.contract import EvaluationContext
from dqa.channels.spatial.cam import CamSpatial
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile
from dqa.prompt import parse_prompt


def measure(channel: CamSpatial, items: list[Item]) -> str:
    scores: dict[bool, list[float]] = {True: [], False: []}
    found: dict[bool, list[bool]] = {True: [], False: []}
    abstained = 0
    for item in items:
        for prompt in dict.fromkeys(p for i in items for p in i.prompts):
            matched = prompt in item.prompts
            result = channel.evaluate(item.observation, parse_prompt(prompt), EvaluationContext())
            if result.score is None:
                abstained += matched
                continue
            scores[matched].append(result.score)
            looked_for = [entity for entity in result.raw["entities"] if entity["found"] is not None]
            found[matched] += [entity["found"] for entity in looked_for]
    own, foreign = np.array(scores[True]), np.array(scores[False])
    auc = (own[:, None] > foreign).mean() + (own[:, None] == foreign).mean() / 2
    return (
        f"found {np.mean(found[True]):.1%} of {len(found[True])} things matched, {np.mean(found[False]):.1%} of "
        f"{len(found[False])} mismatched; mean score {own.mean():.2f} / {foreign.mean():.2f}, AUC {auc:.3f}; "
        f"{abstained} of {abstained + len(own)} matched pairs abstained"
    )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, help="a folder of clips with a manifest.jsonl")
    given = parser.parse_args(arguments)
    profile = load_profile("embedded")
    pool = ModelPool(profile, Path(tempfile.mkdtemp(prefix="dqa-")))
    channel = CamSpatial(pool=pool, components=profile.channels["spatial"].components)
    print("photographs:", measure(channel, photographs()))
    if given.clips:
        print("clips:", measure(channel, clips(given.clips)))


if __name__ == "__main__":
    main(sys.argv[1:])
