"""The four axes from measured signals: a score, what was measured, and what to change in the prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dqa.channels.benchmark import (
    dynamic_degree,
    frame_continuity,
    imaging_quality,
    motion_smoothness,
    shot_integrity,
    temporal_flickering,
)
from dqa.channels.benchmark.view import Finding, View
from dqa.channels.scales import falling, rising, soft_min
from dqa.measure.imaging import Imaging
from dqa.record import Axis, AxisName, Evidence

GOOD = 0.7
"""From here on an axis gets no advice."""

FAULTLESS = 0.85
"""The most that looks can earn here: pixels show what spoils a picture, not what makes it beautiful."""


STILL_BELOW = 0.5
"""With a smaller share of the clip in motion, what is wrong over time is that nothing moves."""

MOTION_LOW = "motion low -> reduce prompt complexity to one subject and name one clear movement"


@dataclass(frozen=True, slots=True)
class Part:
    """One measured side of an axis: how good, what was measured, and what in the prompt would mend it."""

    score: float
    text: str
    advice: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One axis and the evidence behind it."""

    axis: Axis
    evidence: tuple[Evidence, ...] = ()


def aesthetic(view: View) -> Verdict:
    """Colour, contrast, exposure, clean sharpness and balance of the frames: their soft minimum times FAULTLESS."""
    looks = view.signals.looks
    if not looks:
        return _silent("no frame was measured")

    def mean(score: Callable[[Imaging], float]) -> float:
        return float(np.mean([score(look) for look in looks]))

    colour, contrast = mean(lambda look: look.colourfulness), mean(lambda look: look.contrast)
    light, x, y = (
        mean(lambda look: look.luminance),
        mean(lambda look: look.saliency_x),
        mean(lambda look: look.saliency_y),
    )
    sharp = mean(lambda look: look.sharpness)
    return _verdict(
        Part(
            # Black and white is a style, not a fault: no colour at all still earns 0.6.
            0.6 + 0.4 * rising(colour, 15, 1.5),
            f"colourfulness {colour:.0f} (about 15 slightly, 45 quite, 80 highly colourful)",
            "colour weak -> name two or three strong colours and the light, such as golden hour or neon",
        ),
        Part(
            0.4 + 0.6 * rising(contrast, 0.08, 2.0),
            f"contrast {contrast:.2f} of brightness",
            "contrast low -> ask for directional light and a background that sets the subject off",
        ),
        Part(
            falling(abs(light - 0.47), 0.4, 3.0),
            f"mean brightness {light:.2f} of 1",
            "exposure off -> ask for balanced light; leave out words such as pitch black or overexposed",
        ),
        Part(
            mean(_clean),
            f"sharpness {sharp:.2f} of 1",
            "picture unclear -> ask for sharp focus, fewer small details, and drop words such as dreamy or hazy",
        ),
        Part(
            falling(float(np.hypot(x - 0.5, y - 0.5)), 0.35, 3.0),
            f"detail centred at {100 * x:.0f} % of the width and {100 * y:.0f} % of the height",
            "composition lopsided -> say where the subject stands, such as centred or on the left third",
        ),
        most=FAULTLESS,
    )


def motion(view: View) -> Verdict:
    """Amount and evenness of motion, and no frozen frames."""
    return _from_findings(
        (
            dynamic_degree.measure(view),
            MOTION_LOW,
        ),
        (
            motion_smoothness.measure(view),
            _if_it_moves(view, "motion uneven -> reduce prompt complexity; ask for one slow, continuous movement"),
        ),
        (
            frame_continuity.measure(view),
            "frames freeze -> ask for continuous motion from start to end, and fewer static objects",
        ),
    )


def coherence(view: View) -> Verdict:
    """Steady light and one scene throughout, by colours."""
    return _from_findings(
        (
            temporal_flickering.measure(view),
            _if_it_moves(view, "flicker -> ask for constant, even light; leave out flashing, strobing or glittering"),
        ),
        (
            _one_scene(view),
            _if_it_moves(
                view,
                "scene changes -> describe a single scene and one subject; move later events to prompts of their own",
            ),
        ),
    )


def fidelity(view: View) -> Verdict:
    """Noise, coding blocks, blur and exposure of the frames, and repeats between them."""
    looks = view.signals.looks
    if not looks:
        return _silent("no frame was measured")
    advice = {
        "sharpness": "detail lost -> fewer objects in the prompt and a closer shot; generate at a higher resolution",
        "noise": "noise -> add noise and grain to the negative prompt; leave out film grain or night vision",
        "blocking": "coding blocks -> export at a higher bitrate; add compression artefacts to the negative prompt",
        "exposure": "clipped light -> ask for soft light without pure black or white areas",
    }
    mean = {name: float(np.mean([imaging_quality.parts(look)[name] for look in looks])) for name in advice}
    parts = [Part(mean[name], imaging_quality.describe(looks, name), text) for name, text in advice.items()]
    repeats = frame_continuity.measure(view)
    if repeats.score is not None:
        parts.append(
            Part(repeats.score, repeats.reason, "frames repeat -> ask for continuous motion", repeats.evidence)
        )
    return _verdict(*parts)


AXES: dict[AxisName, tuple[float, Callable[[View], Verdict]]] = {
    "aesthetic": (0.30, aesthetic),
    "motion": (0.25, motion),
    "coherence": (0.25, coherence),
    "fidelity": (0.20, fidelity),
}
"""Axis -> weight and judge (document A, VisionReward axes)."""


def _clean(look: Imaging) -> float:
    parts = imaging_quality.parts(look)
    return parts["sharpness"] * parts["noise"] * parts["blocking"]


def _one_scene(view: View) -> Finding:
    """Shot integrity by colours: times the share that moves, for a still picture shows no coherence over time."""
    found = shot_integrity.measure(view)
    if found.score is None:
        return found
    return Finding(found.score * view.moving, found.raw, found.reason, found.evidence)


def _if_it_moves(view: View, advice: str) -> str:
    return MOTION_LOW if view.moving < STILL_BELOW else advice


def _from_findings(*pairs: tuple[Finding, str]) -> Verdict:
    judged = [(finding, advice) for finding, advice in pairs if finding.score is not None]
    if not judged:
        return _silent(pairs[0][0].reason)
    return _verdict(*(Part(f.score or 0.0, f.reason, advice, f.evidence) for f, advice in judged))


def _verdict(*parts: Part, most: float = 1.0) -> Verdict:
    score = most * (soft_min(part.score for part in parts) or 0.0)
    worst = min(parts, key=lambda part: part.score)
    good = score >= GOOD
    reason = f"nothing weak measured; least good: {worst.text}" if good else worst.text
    return Verdict(Axis(score=score, reason=reason, advice="" if good else worst.advice), worst.evidence)


def _silent(reason: str) -> Verdict:
    return Verdict(Axis(score=None, reason=reason, advice=""))
