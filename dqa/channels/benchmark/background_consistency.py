"""Does the background stay itself? VBench's background_consistency, over the frame without its lower middle.

VBench takes whole-frame CLIP features and calls them background; here the middle, where the subject stands, is painted
out first (:func:`dqa.channels.benchmark.view.without_middle`).
"""

from __future__ import annotations

from dqa.channels.benchmark.consistency import judge, too_few
from dqa.channels.benchmark.view import Finding, View


def measure(view: View) -> Finding:
    """See :func:`dqa.channels.benchmark.consistency.judge`; features of the frame's border."""
    frames = view.background_track
    return too_few(view, frames) or judge(view, frames, view.background, "background", view.likeness.background)
