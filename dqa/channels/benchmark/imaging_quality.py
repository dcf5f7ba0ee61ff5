"""Are the frames technically sound? Sharpness, noise, blocking and exposure, without a reference."""

from __future__ import annotations

import numpy as np

from dqa.channels.benchmark.view import Finding, View, abstain
from dqa.channels.scales import falling, rising
from dqa.measure.imaging import Imaging
from dqa.record import Evidence

_FAULTS = {
    "sharpness": "blurred: sharpness {sharpness:.2f} of 1",
    "noise": "noisy: grain of {noise:.1f} of 255 levels in flat areas",
    "blocking": "coding blocks: steps on the 8 px grid are {blocking_percent:.0f} % stronger than beside it",
    "exposure": "badly exposed: {clipped_percent:.0f} % of the pixels are black or white, contrast {contrast:.2f}",
}


def measure(view: View) -> Finding:
    """Raw: mean sharpness (1 - Crete's blur metric). Score: mean over frames of the product of the four parts.

    MUSIQ, which VBench uses, is trained on people's ratings and not part of this profile: raw is not its value.
    """
    signals = view.signals
    if not signals.looks:
        return abstain("no frame was measured")
    scores = np.array([float(np.prod(list(parts(look).values()))) for look in signals.looks])
    at = int(np.argmin(scores))
    mean = {name: float(np.mean([parts(look)[name] for look in signals.looks])) for name in _FAULTS}
    weakest = min(mean, key=lambda name: mean[name])
    text = describe(signals.looks, weakest)
    at_worst = parts(signals.looks[at])
    worst = Evidence(
        text=f"the worst frame: {describe((signals.looks[at],), min(at_worst, key=lambda name: at_worst[name]))}",
        frame=int(signals.look_frames[at]),
        time_s=(float(signals.look_times[at]), float(signals.look_times[at])),
    )
    return Finding(float(scores.mean()), float(signals.look("sharpness").mean()), text, (worst,))


def parts(look: Imaging) -> dict[str, float]:
    """Four scores in [0, 1] of one frame."""
    return {
        "sharpness": rising(look.sharpness, 0.36, 5.0),
        "noise": falling(look.noise, 3.0, 2.0),
        "blocking": falling(look.blocking, 0.25, 2.0),
        "exposure": falling(look.dark + look.bright, 0.85, 4.0) * rising(look.contrast, 0.025, 2.0),
    }


def describe(looks: tuple[Imaging, ...], fault: str) -> str:
    """The measurement behind one of the four parts, in words, as the mean over ``looks``."""
    score = float(np.mean([parts(look)[fault] for look in looks]))
    values = {
        "sharpness": float(np.mean([look.sharpness for look in looks])),
        "noise": float(np.mean([look.noise for look in looks])),
        "blocking_percent": 100 * float(np.mean([look.blocking for look in looks])),
        "clipped_percent": 100 * float(np.mean([look.dark + look.bright for look in looks])),
        "contrast": float(np.mean([look.contrast for look in looks])),
    }
    if score < 0.75:
        return _FAULTS[fault].format(**values)
    return "sharp and clean: sharpness {sharpness:.2f} of 1, grain of {noise:.1f} levels".format(**values)
