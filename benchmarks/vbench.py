"""The backend vbench against VBench's own functions called one after the other: CPU time and peak memory.

    python -m benchmarks.vbench [--site FOLDER] [--clip FILE] [--frames N] [--json]

Fetches VBench's package from the package index into a temporary folder, or into FOLDER, where it is used again; makes
the models, of the published sizes with random weights, the same for both sides; runs both. Subject and background
consistency, temporal flickering, dynamic degree and aesthetic quality. Each side is a process of its own, from the
files on: it loads what it needs, decodes, judges. Ours runs twice, in its own mode (which also judges cuts, freezes,
smoothness and sharpness) and in parity mode; ``ratio`` is VBench's CPU time over ours, ``memory`` our peak over
VBench's. One thread. Progress goes to stderr; it takes some 6 CPU minutes, 6 GB of disk and 4 GB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.degradations import CLIPS
from benchmarks.vbench_site import provide
from dqa.channels.benchmark.vbench.channel import VBenchBenchmark
from dqa.channels.contract import EvaluationContext
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.errors import UnavailableError
from dqa.measure.observe import observe
from dqa.models.profiles import Component
from dqa.models.vision.raft_net import Widths
from dqa.prompt.parse import Prompt
from tests.models.tiny_vbench import IDS, pool, raft
from tests.models.tiny_vision import component
from tests.parity.vbench_package import authors_names, enter, openai_names, shrunk

VISION = {
    "clip-b32": {"patch_size": 32, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12},
    "clip-l14": {"patch_size": 14, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24},
}
TEXT = {
    "clip-b32": {"hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8},
    "clip-l14": {"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
}
HEADS, WIDE = {"clip-b32": 12, "clip-l14": 16}, {"clip-b32": 512, "clip-l14": 768}
ROOT = Path(__file__).parents[1]
LOADERS = dict(zip(IDS, ("hf-dino", "hf-clip-image", "hf-clip-image", "laion-aesthetic", "raft"), strict=True))


def halved(model: torch.nn.Module) -> torch.nn.Module:
    """Weights that half precision holds exactly, as those that OpenAI published are."""
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    return model


def make(folder: Path, site: str) -> None:
    """All models, as our files and as VBench's."""
    enter(site)
    torch.manual_seed(0)
    plain = transformers.ViTConfig(patch_size=16, image_size=224)
    transformers.ViTModel(plain, add_pooling_layer=False).save_pretrained(str(folder / "dino"))
    for name, vision in VISION.items():
        config = transformers.CLIPConfig(
            text_config=TEXT[name],
            vision_config={**vision, "num_attention_heads": HEADS[name], "projection_dim": WIDE[name]},
            projection_dim=WIDE[name],
        )
        model = halved(transformers.CLIPModel(config))
        model.save_pretrained(str(folder / name))
        torch.save(whole_openai(model.state_dict(), name), folder / f"{name}.pt")
        del model
    for name in ("head", "raft"):
        (folder / name).mkdir()
    head = torch.nn.Linear(768, 1).state_dict()
    save_file(head, folder / "head" / "head.safetensors")
    torch.save(head, folder / "sa_0_4_vit_l_14_linear.pth")
    net = raft(Widths()).state_dict()
    save_file(net, folder / "raft" / "raft.safetensors")
    torch.save(authors_names(net), folder / "raft.pth")


def whole_openai(w: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """A whole CLIP in half precision under OpenAI's names, as OpenAI's file has them; its words are zeros."""
    layers = VISION[name]["num_hidden_layers"]
    seen = {f"visual.{key}": value for key, value in openai_names(w, layers).items()}
    words: dict[str, Tensor] = {}
    width = TEXT[name]["hidden_size"]
    for i in range(12):
        at = f"transformer.resblocks.{i}"
        words |= {
            f"{at}.attn.in_proj_weight": torch.zeros(3 * width, width),
            f"{at}.attn.in_proj_bias": torch.zeros(3 * width),
        }
        words |= {
            f"{at}.attn.out_proj.weight": torch.zeros(width, width),
            f"{at}.attn.out_proj.bias": torch.zeros(width),
        }
        words |= {f"{at}.mlp.c_fc.weight": torch.zeros(4 * width, width), f"{at}.mlp.c_fc.bias": torch.zeros(4 * width)}
        words |= {f"{at}.mlp.c_proj.weight": torch.zeros(width, 4 * width), f"{at}.mlp.c_proj.bias": torch.zeros(width)}
        words |= {f"{at}.{n}.{p}": torch.zeros(width) for n in ("ln_1", "ln_2") for p in ("weight", "bias")}
    words |= {"positional_embedding": torch.zeros(77, width), "token_embedding.weight": torch.zeros(49408, width)}
    words |= {"ln_final.weight": torch.ones(width), "ln_final.bias": torch.zeros(width)}
    words |= {"text_projection": torch.zeros(width, WIDE[name]), "logit_scale": torch.tensor(1.0)}
    return {key: value.half().clone() for key, value in (seen | words).items()}


def ours(folder: Path, clip: Path, parity: bool) -> dict[str, Any]:
    """Our channel, from the file on."""
    parts: tuple[Component, ...] = tuple(component(name, folder / name, LOADERS[name]) for name in IDS)
    opened = Clip.open(clip, Limits())
    seen, steps = timed("decode", lambda: observe(opened.frames(), lambda: opened.media, replay=opened.frames))
    channel = VBenchBenchmark(pool=pool(parts, folder), components=IDS, parity=parity, release=True)
    found, more = timed("judge", lambda: channel.evaluate(seen, Prompt("x"), EvaluationContext()))
    return {"numbers": {n: d.raw for n, d in (found.dimensions or {}).items()}, "steps": steps | more}


def theirs(folder: Path, clip: Path, site: str) -> dict[str, Any]:
    """VBench's functions one after the other, each with its own model and its own decode."""
    enter(site)
    from clip.model import build_model
    from easydict import EasyDict
    from vbench.aesthetic_quality import get_aesthetic_model, laion_aesthetic
    from vbench.background_consistency import background_consistency
    from vbench.dynamic_degree import DynamicDegree, dynamic_degree
    from vbench.subject_consistency import subject_consistency
    from vbench.temporal_flickering import temporal_flickering

    given, paths = (
        EasyDict(model=str(folder / "raft.pth"), small=False, mixed_precision=False, alternate_corr=False),
        [str(clip)],
    )

    def openai(name: str) -> Any:
        # What clip.load does once it has the published archive's weights.
        return build_model(torch.load(folder / f"{name}.pt", weights_only=True)).float()

    def dino() -> Any:
        tower = pool((component("dino", folder / "dino", "hf-dino"),), folder).get("dino")
        return subject_consistency(tower.features, paths, "cpu", False)[0]

    calls: dict[str, Callable[[], Any]] = {
        "subject_consistency": dino,
        "background_consistency": lambda: background_consistency(openai("clip-b32"), None, paths, "cpu", False)[0],
        "temporal_flickering": lambda: temporal_flickering(paths)[0],
        "dynamic_degree": lambda: dynamic_degree(DynamicDegree(given, "cpu"), paths)[0],
        "aesthetic_quality": lambda: laion_aesthetic(
            get_aesthetic_model(str(folder)), openai("clip-l14"), paths, "cpu"
        )[0],
    }
    numbers, steps = {}, {}
    for name, call in calls.items():
        value, spent = timed(name, call)
        numbers[name] = float(value)
        steps |= spent
    return {"numbers": numbers, "steps": steps}


def timed(name: str, work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    before = cpu_s()
    done = work()
    return done, {name: cpu_s() - before}


def cpu_s() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def apart(side: str, folder: Path, clip: Path, site: str) -> dict[str, Any]:
    """One side in a process of its own: CPU seconds and peak resident MB of all of it, imports included."""
    tell(f"running {side}")
    command = [sys.executable, "-m", "benchmarks.vbench", "--side", side, "--folder", str(folder), "--clip", str(clip)]
    began = time.perf_counter()
    done = subprocess.run([*command, "--site", site], check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{side} failed: {done.stderr[-2000:]}")
    found = {**json.loads(done.stdout.splitlines()[-1]), "wall_s": time.perf_counter() - began}
    tell(f"{side}: {found['cpu_s']:.1f} CPU s, peak {found['peak_mb']:.0f} MB")
    return found


def tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def one_side(side: str, folder: Path, clip: Path, site: str) -> dict[str, Any]:
    torch.set_num_threads(1)
    found = theirs(folder, clip, site) if side == "vbench" else ours(folder, clip, side == "parity")
    return {**found, "cpu_s": cpu_s(), "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """Peak resident MB of this process since its program began (Linux)."""
    # Not ru_maxrss: that begins at what the process held that started this one, which had just made the models.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (kb,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kb) * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--site", default=os.environ.get("DQA_TEST_VBENCH"), help="keep VBench's package here")
    parser.add_argument("--clip", type=Path, default=CLIPS / "wan21_04_flex.mp4")
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--side", choices=["vbench", "own", "parity"], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.side:
        print(json.dumps(one_side(options.side, options.folder, options.clip, options.site)))
        return
    with tempfile.TemporaryDirectory() as place:
        try:
            sides = all_sides(Path(place), options)
        except UnavailableError as error:
            tell(error.sentence())
            raise SystemExit(error.exit_code) from None
    print(json.dumps(sides) if options.json else report(sides))


def all_sides(place: Path, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    site = str(provide(Path(options.site).absolute() if options.site else place / "site", tell))
    tell("making the models, 2.7 GB as ours and 1.2 GB as VBench's")
    folder = place / "models"
    folder.mkdir()
    make(folder, site)
    clip = shrunk(options.clip, folder / "clip.mp4", 832, 480, options.frames)
    return {side: apart(side, folder, clip, site) for side in ("vbench", "own", "parity")}


def report(sides: dict[str, dict[str, Any]]) -> str:
    theirs = sides["vbench"]
    lines = [f"{'':10}{'CPU s':>8}{'ratio':>8}{'peak MB':>10}{'memory':>8}"]
    for name, side in sides.items():
        ratio, memory = theirs["cpu_s"] / side["cpu_s"], side["peak_mb"] / theirs["peak_mb"]
        lines.append(f"{name:10}{side['cpu_s']:8.1f}{ratio:8.2f}{side['peak_mb']:10.0f}{memory:8.2f}")
    for name, value in theirs["numbers"].items():
        lines.append(f"{name:24} VBench {value:.6f}  parity {sides['parity']['numbers'][name]:.6f}")
    return "\n".join([*lines, *(f"{n}: {json.dumps(s['steps'])}" for n, s in sides.items())])


if __name__ == "__main__":
    main()
