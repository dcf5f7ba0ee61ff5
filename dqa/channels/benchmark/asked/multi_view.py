"""Multi-view geometry behind gates that a vision-language model answers: does the camera move, and nothing else?"""

from __future__ import annotations

from collections.abc import Sequence

from dqa.channels.benchmark import multi_view_geometry
from dqa.channels.benchmark.asked.asking import YES_OR_NO, Asking
from dqa.channels.benchmark.view import Finding, View, abstain
from dqa.errors import ModelUnavailable
from dqa.models.roles import ImageEncoder

CAMERA = f"Does the camera itself move through this video, so that things are seen from changing sides? {YES_OR_NO}"
STILL = (
    "Apart from the camera, is everything in this video rigid and at rest, with no person, animal, vehicle, water, "
    f"smoke or plant that moves on its own? {YES_OR_NO}"
)


def questions(asking: Asking) -> Sequence[str]:
    """Both gates."""
    return (CAMERA, STILL)


def measure(asking: Asking) -> Finding:
    """As :func:`dqa.channels.benchmark.multi_view_geometry.measure`, where the gates are passed."""
    view = View(asking.observation, _no_encoder)
    short = view.too_short()
    if short is not None:
        return short
    for gate in (asking.gate("the camera moves", CAMERA), asking.gate("nothing moves on its own", STILL)):
        if not gate.passed:
            return abstain(f"{gate.told()}; asked over {len(asking.frames)} frames")
    return multi_view_geometry.measure(view, rigid=True)


def _no_encoder() -> ImageEncoder:
    raise ModelUnavailable("geometry needs no image encoder")
