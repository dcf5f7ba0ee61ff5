"""Is it one shot, in order? Cuts, morphs into another scene, shuffled frames. VBench has no dimension for them."""

from __future__ import annotations

import numpy as np

from dqa.channels.benchmark.consistency import too_few
from dqa.channels.benchmark.view import Finding, View
from dqa.channels.scales import falling
from dqa.measure.continuity import adjacent, best_split, disorder
from dqa.record import Evidence


def measure(view: View) -> Finding:
    """Score: from the largest jump between neighbours, the gap between the two parts of the clip that differ most, and
    whether neighbours are more alike than frames half a second apart. Raw: likeness across the largest jump, 0..1.
    """
    short = too_few(view, view.track)
    if short is not None:
        return short
    kept = view.distinct(view.track)
    if len(kept) < 2:
        return Finding(1.0, 1.0, "one picture throughout: no cut")
    rows = view.subject[kept]
    alike = adjacent(rows)
    at = int(np.argmin(alike))
    gap, split = best_split(rows)
    mixed = disorder(rows)
    parts = {
        "jump": falling(1 - float(alike[at]), view.likeness.jump, 3.0),
        "split": falling(gap, view.likeness.split, 3.0),
        "order": falling(mixed, 1.0, 10.0),
    }
    before, after = view.track[kept[at]], view.track[kept[at + 1]]
    texts = {
        "jump": f"the largest jump, at {after.time_s:.1f} s, leaves the picture {100 * alike[at]:.0f} % alike",
        "split": f"what comes after {view.track[kept[split]].time_s:.1f} s is another scene than what comes before"
        f" (gap {gap:.2f})",
        "order": f"neighbouring frames are no more alike than frames half a second apart: the order is lost"
        f" (ratio {mixed:.2f})",
    }
    worst = min(parts, key=lambda name: parts[name])
    text = texts["jump"] if parts[worst] > 0.8 else texts[worst]
    score = parts["jump"] * parts["split"] * parts["order"]
    return Finding(
        score, float(alike[at]), text, (Evidence(text=text, frame=after.index, time_s=(before.time_s, after.time_s)),)
    )
