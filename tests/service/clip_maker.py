"""A stand-in ComfyUI whose clips are real ones: a small MP4, with the workflow it came from behind it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from tests.comfy.standin import StandIn

DATA = Path(__file__).parents[1] / "data"
CLIP = DATA / "clips/wan21_04_base.mp4"
WORKFLOW = DATA / "workflows/tiny_ksampler_t2v_api.json"


class ClipMaker(StandIn):
    """Two prompts or seeds make two files; the same make the same."""

    def _make(self, job: dict[str, Any]) -> dict[str, Any]:
        outputs = super()._make(job)
        for output in outputs.values():
            for made in output.get("images", ()):
                said = json.dumps(job["graph"], sort_keys=True).encode()
                # A box named "free" holds what players leave alone (ISO 14496-12, 8.1.2).
                box = struct.pack(">I", 8 + len(said)) + b"free" + said
                self.files[made["filename"]] = CLIP.read_bytes() + box
        return outputs


def graph_of(clip: bytes) -> str:
    """The workflow that a clip came from."""
    return clip[len(CLIP.read_bytes()) + 8 :].decode()
