"""Two of VBench's dimensions that can't be had here: their models may not be used for just anything."""

from __future__ import annotations

from dqa.channels.benchmark.vbench.models import Models
from dqa.channels.benchmark.vbench.replay import Replay
from dqa.channels.benchmark.view import Finding

_INSTEAD = "use the official package (backend vbench-official), or the profile's own mode, which measures it otherwise"


def motion_smoothness(clip: Replay, models: Models) -> Finding:
    """Interpolates with AMT, whose licence is CC BY-NC 4.0."""
    del clip, models
    return _unavailable("VBench's number needs AMT, which is licensed for non-commercial use only")


def imaging_quality(clip: Replay, models: Models) -> Finding:
    """Rates with MUSIQ, as released with IQA-PyTorch, parts of which are for non-commercial use only."""
    del clip, models
    return _unavailable("VBench's number needs MUSIQ, whose release is licensed for non-commercial use only")


def _unavailable(why: str) -> Finding:
    return Finding(None, None, f"{why}; {_INSTEAD}", status="unavailable")
