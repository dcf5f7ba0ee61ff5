"""One evaluation with its models resident, against one that loads each phase's models from disk, in one run.

    python -m benchmarks.residency [--device cpu|cuda] [--rounds N] [--frames N] [--json]

A vision-language model, CLIP, DINO and VBench's models (DINO, CLIP B/32 and L/14, the aesthetic head, RAFT) of random
weights are saved as real checkpoints and loaded as a profile's are; semantic, visionreward, spatial and benchmark judge
one clip of moving texture. With ``--device cuda`` (it needs bitsandbytes and a CUDA device with about 21 GB free, 20 GB
of disk, some 6 GB of host memory) the VLM has the 8B's shape in NF4, the others their published sizes; on the CPU all
are tiny, and loading them is mostly transformers' own work. Resident: the budget holds all models.
Reloading: it holds one phase at a time, and no copies are kept in host memory. Shelved: likewise, with copies. Medians
of the rounds after a first one, wall seconds; ``ratio`` is resident over reloading.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import transformers

from benchmarks.vbench import HEADS, LOADERS, VISION, WIDE
from dqa.config import Settings
from dqa.evaluator import Evaluator
from dqa.measure.observation import Observation
from dqa.models.profiles import ChannelSpec, Component, Profile
from dqa.models.vision.raft_net import Widths
from dqa.record import ChannelName
from tests.models import tiny_vbench, tiny_vision, tiny_vlm
from tests.observing import gliding, observed

PROMPT = "a dark wolf prowling through a moonlit forest"
CHANNELS: list[ChannelName] = ["semantic", "spatial", "benchmark", "visionreward"]

LARGE_TEXT = {
    "hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
    "rope_parameters": {
        "rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True,
    },
}  # fmt: skip
"""Qwen3-VL-8B's language model, as its configuration says it."""

LARGE_VISION = {
    "depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "num_heads": 16, "num_position_embeddings": 2304,
    "deepstack_visual_indexes": [8, 16, 24],
}  # fmt: skip
"""Likewise its vision tower."""


SPARE = 1.1
"""The small budget is this much of the largest model: room for what is measured, not for another phase beside it."""

VBENCH_GB = {"dino": 0.35, "clip-b32": 0.35, "clip-l14": 1.0, "head": 0.01, "raft": 0.4}
"""What the benchmark's models are stated to take in half precision, with room to work."""


def stack(folder: Path, device: str) -> Profile:
    """Saves the models and returns a profile of them; ``settings`` must name ``folder / "vlm"`` for the VLM."""
    large = device == "cuda"
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    with _large_weights(large):
        text, vision = (LARGE_TEXT, LARGE_VISION) if large else (None, {})
        tiny_vlm.qwen3_vl(folder / "vlm", text=text, scatter=0.02, **vision)
    gc.collect()
    _clip_and_dino(folder, large=large)
    if large:
        torch.cuda.empty_cache()
    vbench = _vbench(folder / "vbench", large=large)
    arguments = {"quantisation": "nf4"} if large else {"device": "cpu", "max_side": 128}
    looks = {"frames": 4} if large else {"frames": 2, "side": 64, "stride": 32, "templates": "few"}
    sizes = {"vlm": 7.5, "clip": 0.6, "dino": 0.35} if large else {"vlm": 0.06, "clip": 0.02, "dino": 0.02}
    components = (
        _component("vlm", "transformers-vlm", sizes["vlm"], arguments=arguments, revision="0" * 40, hub="random/vlm"),
        _component("clip", "hf-clip", sizes["clip"], hub=str(folder / "clip")),
        _component("dino", "hf-vfm", sizes["dino"], hub=str(folder / "dino")),
        *vbench,
    )
    return Profile(
        name="random", title="random weights", device="cuda" if large else "cpu", budget_gb=24, ready=True,
        can=("be timed",), cannot=("judge",), sha256="0" * 64, components=components,
        channels={
            "semantic": ChannelSpec(backend="vqa", components=("vlm",)),
            "spatial": ChannelSpec(backend="proxyclip", components=("clip", "dino"), arguments=looks),
            "benchmark": ChannelSpec(backend="vbench", components=tuple(part.id for part in vbench)),
            "visionreward": ChannelSpec(backend="visionreward-checklist", components=("vlm",)),
        },
    )  # fmt: skip


def _component(name: str, loader: str, gb: float, **more: Any) -> Component:
    return Component(
        id=name, role="r", loader=loader, phase="verification", memory_gb=gb, memory_source="stated", licence="none",
        **more,
    )  # fmt: skip


class _large_weights:
    """While the 8B is made: bfloat16, on the GPU, where random numbers are quick."""

    def __init__(self, large: bool) -> None:
        self._device = torch.device("cuda") if large else None

    def __enter__(self) -> None:
        if self._device is not None:
            torch.set_default_dtype(torch.bfloat16)
            self._device.__enter__()

    def __exit__(self, *error: Any) -> None:
        if self._device is not None:
            self._device.__exit__(*error)
            torch.set_default_dtype(torch.float32)


def _clip_and_dino(folder: Path, *, large: bool) -> None:
    if not large:
        tiny_vision.save_clip(folder / "clip")
        tiny_vision.save_vfm(folder / "dino")
        return
    words = tiny_vision.save_tokenizer(folder / "clip")
    text = {"bos_token_id": words["<s>"], "eos_token_id": words["</s>"], "pad_token_id": words["</s>"]}
    vision = {"patch_size": 16, "image_size": 224}
    transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision)).save_pretrained(
        str(folder / "clip")
    )
    _vit(folder / "dino", 8)


def _vit(folder: Path, patch: int) -> None:
    config = transformers.ViTConfig(patch_size=patch, image_size=224)
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(str(folder))


def _vbench(folder: Path, *, large: bool) -> tuple[Component, ...]:
    """VBench's five models as components."""
    if not large:
        parts = tiny_vbench.components(folder)
        return tuple(part.model_copy(update={"id": f"vbench-{part.id}"}) for part in parts)
    _vit(folder / "dino", 16)
    for name, vision in VISION.items():
        shape = {**vision, "num_attention_heads": HEADS[name], "projection_dim": WIDE[name]}
        tower = transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(**shape))
        tower.save_pretrained(str(folder / name))
    tiny_vbench.save_head(folder / "head", width=WIDE["clip-l14"])
    tiny_vbench.save_raft(folder / "raft", Widths())
    return tuple(
        _component(f"vbench-{name}", LOADERS[name], VBENCH_GB[name], hub=str(folder / name)) for name in tiny_vbench.IDS
    )


def measure(device: str, frames: int, rounds: int) -> dict[str, Any]:
    """The figures of one run."""
    seen = observed(gliding(frames, 4.0, (360, 640)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        profile = stack(folder, device)
        largest = max(component.memory_gb for component in profile.components)
        ways = {
            "resident": (24.0, 0.0),
            "reloading": (largest * SPARE, 0.0),
            **({"shelved": (largest * SPARE, None)} if device == "cuda" else {}),
        }
        found: dict[str, Any] = {"device": device, "frames": frames}
        for way, (budget, host) in ways.items():
            settings = Settings(
                home=folder / way, vlm_folder=folder / "vlm", budget_gb=budget, cpu_budget_gb=host
            )  # a state folder each: what one way measured must not change the plan of the next
            found[way] = _timed(Evaluator(settings, profile), seen, rounds)
            gc.collect()
            if device == "cuda":
                torch.cuda.empty_cache()
    found["ratio"] = found["resident"]["warm_s"] / found["reloading"]["warm_s"]
    return found


def _timed(evaluator: Evaluator, seen: Observation, rounds: int) -> dict[str, Any]:
    spent: list[float] = []
    peaks: dict[str, float] = {}
    for _ in range(rounds + 1):
        began = time.perf_counter()
        record = evaluator.judge(seen, PROMPT, channels=CHANNELS)
        spent.append(time.perf_counter() - began)
        broken = [n for n in CHANNELS if record.channels[n].status in ("failed", "unavailable")]
        if broken:
            raise SystemExit(f"{broken[0]} did not run: {record.channels[broken[0]].reason}")
        for phase, reading in evaluator.pool.ledger.phases.items():
            peaks[phase] = max(peaks.get(phase, 0.0), reading.peak)
    return {
        "phases": [phase.name for phase in evaluator.plan.evaluation],
        "first_s": round(spent[0], 3),
        "warm_s": round(statistics.median(spent[1:]), 3),
        "peak_gb": {phase: round(peak, 3) for phase, peak in peaks.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        sys.exit("the figures for a GPU need a CUDA device, and this machine has none; use --device cpu")
    if given.device == "cpu":
        torch.set_num_threads(1)
    found = measure(given.device, given.frames, given.rounds)
    if given.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:>10}  {value}")
    if given.device == "cpu":
        print("The figures for a 24 GB card (8B in NF4, peaks per phase) need a CUDA device: --device cuda.")


if __name__ == "__main__":
    main()
