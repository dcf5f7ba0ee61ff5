"""Evaluations to render: real frames of the test clips, and records written by hand, with everything a report shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from dqa.clip.frame import Frame
from dqa.record import EvaluationRecord

CLIPS = Path(__file__).parents[1] / "data" / "clips"
PROMPT = "human girl talk to cute dragon, pixar, disney"


@dataclass(frozen=True)
class ExampleObservation:
    stills: tuple[Frame, ...]
    representative: int


@dataclass(frozen=True)
class ExampleEvaluation:
    """What a report reads of a :class:`dqa.evaluator.Evaluation`."""

    record: EvaluationRecord
    observation: Any


def stills(clip: str, count: int = 10) -> tuple[Frame, ...]:
    with av.open(str(CLIPS / f"{clip}.mp4")) as container:
        decoded = [(f.pts * f.time_base, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    chosen = [round(i * (len(decoded) - 1) / (count - 1)) for i in range(count)]
    return tuple(Frame(i, float(decoded[i][0]), np.ascontiguousarray(decoded[i][1])) for i in chosen)


def example(clip: str = "wan21_07_flex", *, good: bool = True, **changes: Any) -> ExampleEvaluation:
    """An evaluation of one test clip; ``changes`` replace top-level fields of the record."""
    frames = stills(clip)
    height, width = frames[0].image.shape[:2]
    data = record_data(clip, frames, width, height, good=good)
    data.update(changes)
    return ExampleEvaluation(EvaluationRecord.model_validate(data), ExampleObservation(frames, 4))


def record_data(clip: str, frames: tuple[Frame, ...], width: int, height: int, *, good: bool) -> dict[str, Any]:
    low = 0.0 if good else 0.35
    channels = {
        "semantic": _semantic(good),
        "spatial": _spatial(frames, width, height),
        "benchmark": _benchmark(frames, low),
        "visionreward": _visionreward(low),
        "preference": {
            "status": "unavailable",
            "reason": "No choices of user default are known yet, so there is no taste to judge by.",
            "model": {
                "id": "dqa-taste",
                "licence": "Apache-2.0",
                "weakness": "knows nothing before it has seen choices",
            },
            "raw": {"version": None, "choices_seen": 0},
        },
    }
    final = 0.7431 - low * 0.7
    return {
        "schema": "dqa.evaluation/1",
        "id": f"ev_01kaexample{clip.replace('_', '')}",
        "created": "2026-11-21T10:00:00.000Z",
        "prompt": PROMPT,
        "user": "default",
        "profile": "embedded",
        "media": {
            "sha256": "5e" * 32, "kind": "video", "width": width, "height": height, "fps": 16.0, "frames": 81,
            "duration_s": 5.0, "corrupt_packets": 0,
        },
        "channels": channels,
        "weights": {"spatial": 0.21, "benchmark": 0.45, "visionreward": 0.34},
        "prompt_adherence": 0.71 - low / 2,
        "final": final,
        "grade": "B+" if good else "C",
        "action": "accept" if good else "refine",
        "reasoning": (
            f"Grade {'B+' if good else 'C'} ({final:.2f}): {'accept it' if good else 'refine the prompt'}. "
            "Strongest evidence: subject consistency 0.93 (the subject's features stay close to the first frame's). "
            "Weakest evidence: dynamic degree 0.48 (motion covers 2.1 % of the short side a second). "
            "Not judged: semantic (abstained), preference (unavailable)."
        ),
        "advice": ["Motion is low -> reduce prompt complexity.",
                   "Background changes at 2.1 s -> ask for one steady place."],
        "notes": [
            "semantic is left out: abstained, the prompt's concepts are outside what the classifier knows",
            "scores of profile embedded are not comparable with another profile's",
        ],
        "reproduce": {
            "dqa_version": "0.1.0", "media": f"/clips/{clip}.mp4", "sha256": "5e" * 32, "prompt": PROMPT,
            "user": "default",
            "profile": "embedded", "profile_sha256": "ab" * 32,
            "channels": ["semantic", "spatial", "benchmark", "visionreward", "preference"], "seed": 0,
        },
        "timings_s": {"decode": 1.2, "total": 4.0},
        "memory": {"device": "cpu", "mode": "resident", "budget_gb": 1.2, "planned_gb": {"evaluation": 0.24}},
    }  # fmt: skip


def _semantic(good: bool) -> dict[str, Any]:
    model = {
        "id": "efficientnet-lite0",
        "licence": "Apache-2.0",
        "sha256": "57" * 32,
        "weakness": "1000 labels, no people",
    }
    if good:
        reason = "The prompt's concepts (girl, dragon) are outside what the classifier knows."
        return {"status": "abstained", "reason": reason, "model": model, "raw": {}}
    reason = "The clip looks like toyshop and teddy, near in meaning to the prompt."
    return {"status": "ok", "score": 0.41, "confidence": 0.3, "reason": reason, "model": model, "raw": {}}


def _spatial(frames: tuple[Frame, ...], width: int, height: int) -> dict[str, Any]:
    def entity(name: str, frame: int, share: tuple[float, float, float, float]) -> dict[str, Any]:
        x0, y0, x1, y1 = share
        return {
            "name": name, "found": True, "area": (x1 - x0) * (y1 - y0), "frame": frames[frame].index,
            "box": [x0 * width, y0 * height, x1 * width, y1 * height], "mask": _mask(share),
        }  # fmt: skip

    entities = [
        entity("girl", 4, (0.08, 0.16, 0.44, 0.98)),
        entity("cute dragon", 4, (0.52, 0.28, 0.93, 0.97)),
        entity("cute dragon", 8, (0.5, 0.3, 0.9, 0.95)),
        {"name": "castle", "found": False, "area": None, "box": None, "frame": None},
    ]
    return {
        "status": "ok", "score": 0.62, "confidence": 0.5,
        "reason": "2 of 3 entities located; girl is left of the dragon.",
        "evidence": [
            {"text": "girl found left of the middle", "frame": frames[4].index, "area": 0.29},
            {"text": "castle not found"},
        ],
        "model": {"id": "cam-448", "licence": "Apache-2.0", "weakness": "boxes are coarse", "parts": [
            {"id": "efficientnet-lite0", "revision": "0.1.0", "licence": "Apache-2.0"}]},
        "raw": {"entities": entities, "relations": []},
    }  # fmt: skip


def _mask(share: tuple[float, float, float, float], size: int = 24) -> dict[str, Any]:
    """An ellipse within the box, as row-major runs that start with what is not set."""
    x0, y0, x1, y1 = (v * size for v in share)
    yy, xx = np.mgrid[0:size, 0:size] + 0.5
    inside = ((xx - (x0 + x1) / 2) / ((x1 - x0) / 2)) ** 2 + ((yy - (y0 + y1) / 2) / ((y1 - y0) / 2)) ** 2 <= 1
    flat = inside.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat, prepend=0)).tolist()
    runs = np.diff([0, *edges, flat.size]).tolist()
    return {"size": [size, size], "rle": runs}


def _benchmark(frames: tuple[Frame, ...], low: float) -> dict[str, Any]:
    times = np.linspace(0, 5, 64)
    names = (
        "subject_consistency",
        "background_consistency",
        "temporal_flickering",
        "motion_smoothness",
        "imaging_quality",
    )
    scores = (0.93, 0.88, 0.86, 0.81, 0.74)
    dimensions = {
        name: {
            "score": max(0.0, s - low * (i % 3)),
            "raw": 1 - s / 9,
            "status": "ok",
            "reason": f"Measured on {name}, 0 to 1.",
        }
        for i, (name, s) in enumerate(zip(names, scores, strict=True))
    }
    dimensions["dynamic_degree"] = {"score": None, "raw": None, "status": "abstained", "reason": "Too short to tell."}
    curves = {
        "time_s": times.tolist(),
        "luminance": (120 + 8 * np.sin(times * 2)).tolist(),
        "motion": np.abs(np.sin(times * 3) * 0.02).tolist(),
        "sharpness": [None if 20 < i < 24 else 5 + np.cos(t).item() for i, t in enumerate(times)],
    }
    evidence = [
        {"text": "the picture stands still", "time_s": [2.0, 2.6]},
        {"text": "a flicker", "frame": 30, "time_s": [4, 4]},
    ]
    return {
        "status": "ok", "score": 0.81 - low, "confidence": 0.9,
        "reason": "Steady subject and background, smooth motion.",
        "evidence": evidence, "dimensions": dimensions,
        "raw": {"curves": curves, "aspects": {"temporal_coherence": 0.8}},
        "model": {"id": "dqa-benchmark", "licence": "Apache-2.0"},
    }  # fmt: skip


def _visionreward(low: float) -> dict[str, Any]:
    axis = {"score": 0.7 - low, "reason": "Sharpness 5.1 and exposure in range.", "advice": ""}
    axes = {
        "aesthetic": axis,
        "motion": {**axis, "score": 0.55, "advice": "Motion is low -> reduce prompt complexity."},
    }
    axes.update({"coherence": {**axis, "score": 0.78}, "fidelity": axis})
    return {
        "status": "ok",
        "score": 0.68 - low,
        "confidence": 0.7,
        "reason": "Good looks, little motion.",
        "axes": axes,
        "raw": {},
    }
