"""VBench's own functions beside ours: ``python -m tests.parity.vbench_package SITE FOLDER`` prints both as JSON.

SITE holds what ``pip install --no-deps --target`` laid there: vbench 0.1.5, openai-clip with ``setuptools<81``, ftfy,
wcwidth, regex, decord, easydict, torchvision. FOLDER is for the models, made here with random weights.

A process of its own: these packages patch, warn and log as they are imported.
"""

from __future__ import annotations

import json
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import av
import torch
from torch import Tensor, nn

from dqa.channels.benchmark.vbench.channel import VBenchBenchmark
from dqa.channels.contract import EvaluationContext
from dqa.clip.clip import Clip
from dqa.clip.limits import Limits
from dqa.measure.observe import observe
from dqa.models.pool import ModelPool
from dqa.models.vision.raft_net import Widths
from dqa.prompt.parse import Prompt
from tests.conftest import CLIPS
from tests.models.tiny_vbench import IDS, components, pool, raft, save_raft
from tests.parity import vbench_plain as plain

CLIP_NAMES = ("wan21_04_base.mp4", "cogvideox_0.mp4")


def enter(site: str) -> None:
    """Makes the packages importable; torchvision's compiled part is not needed, and does not fit a CPU-only torch."""
    warnings.simplefilter("ignore")
    sys.modules["torchvision._meta_registrations"] = types.ModuleType("torchvision._meta_registrations")
    sys.path.append(site)


class Dino(nn.Module):
    """DINO as the formulas have it: its own code is on no package index."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.state, self.eps = model.state_dict(), model.config.layer_norm_eps

    def forward(self, picture: Tensor) -> Tensor:
        return plain.dino(self.state, picture, 16, 4, 2, self.eps)[None]


class OpenAiClip(nn.Module):
    """OpenAI's own image tower with the weights of transformers' one."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        from clip.model import VisionTransformer

        of = model.config
        heads = of.num_attention_heads
        self.visual = VisionTransformer(
            of.image_size, of.patch_size, of.hidden_size, of.num_hidden_layers, heads, of.projection_dim
        )
        self.visual.load_state_dict(openai_names(model.state_dict(), of.num_hidden_layers))

    def encode_image(self, images: Tensor) -> Tensor:
        return self.visual(images)


def openai_names(w: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    t = "vision_model"
    named = {
        "class_embedding": w[f"{t}.embeddings.class_embedding"],
        "positional_embedding": w[f"{t}.embeddings.position_embedding.weight"],
        "conv1.weight": w[f"{t}.embeddings.patch_embedding.weight"],
        "proj": w["visual_projection.weight"].T,
    }
    for ours, theirs in (("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post")):
        named |= {f"{theirs}.{p}": w[f"{t}.{ours}.{p}"] for p in ("weight", "bias")}
    parts = {"self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2"}
    parts |= {"mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    for i in range(layers):
        ours, theirs = f"{t}.encoder.layers.{i}", f"transformer.resblocks.{i}"
        for p in ("weight", "bias"):
            qkv = [w[f"{ours}.self_attn.{n}_proj.{p}"] for n in "qkv"]
            named[f"{theirs}.attn.in_proj_{p}"] = torch.cat(qkv)
            named |= {f"{theirs}.{to}.{p}": w[f"{ours}.{of}.{p}"] for of, to in parts.items()}
    return named


def authors_names(w: dict[str, Tensor]) -> dict[str, Tensor]:
    """RAFT's weights under the names of its authors' files, of a fresh network's names in the same order."""
    from easydict import EasyDict
    from vbench.third_party.RAFT.core.raft import RAFT

    from dqa.models.vision.raft_names import torchvision_names

    empty = RAFT(EasyDict(small=False, mixed_precision=False, alternate_corr=False)).state_dict()
    named: dict[str, Tensor] = {}
    for name in empty:
        twin = name.replace(".norm3.", ".downsample.1.")
        (ours,) = torchvision_names({"fnet.x": empty[name], twin: empty[name]}).keys() - {"feature_encoder.x"}
        named[f"module.{name}"] = w[ours]
    return named


def shrunk(source: Path, target: Path, width: int, height: int, count: int) -> Path:
    """The first frames of a clip as a small one of its own: RAFT of the real size takes its time."""
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream("mpeg4", rate=16)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = width, height, "yuv420p", 2_000_000
        for frame, _ in zip(read.decode(video=0), range(count), strict=False):
            write.mux(stream.encode(frame.reformat(width, height, "yuv420p")))
        write.mux(stream.encode())
    return target


def ours(path: Path, models: ModelPool, ids: tuple[str, ...]) -> dict[str, float | None]:
    clip = Clip.open(path, Limits())
    seen = observe(clip.frames(), lambda: clip.media, replay=clip.frames)
    found = VBenchBenchmark(pool=models, components=ids, parity=True).evaluate(seen, Prompt("x"), EvaluationContext())
    return {name: dimension.raw for name, dimension in (found.dimensions or {}).items()}


def theirs(path: Path, models: ModelPool) -> dict[str, float]:
    from vbench.aesthetic_quality import laion_aesthetic
    from vbench.background_consistency import background_consistency
    from vbench.subject_consistency import subject_consistency
    from vbench.temporal_flickering import temporal_flickering

    b32, l14 = (OpenAiClip(models.get(name).model).eval() for name in ("clip-b32", "clip-l14"))
    with torch.no_grad():
        return {
            "subject_consistency": subject_consistency(Dino(models.get("dino").model), [str(path)], "cpu", False)[0],
            "background_consistency": background_consistency(b32, None, [str(path)], "cpu", False)[0],
            "temporal_flickering": float(temporal_flickering([str(path)])[0]),
            "aesthetic_quality": laion_aesthetic(models.get("head").layer, l14, [str(path)], "cpu")[0],
        }


def moving(path: Path, folder: Path) -> dict[str, Any]:
    """RAFT of the published size, once with calm weights (nothing moves) and once with wild ones."""
    from easydict import EasyDict
    from vbench.dynamic_degree import DynamicDegree

    found: dict[str, Any] = {}
    for name, factor in (("calm", 0.02), ("wild", 3.0)):
        net = raft(Widths())
        with torch.no_grad():
            for parameter in net.update_block.flow_head.conv2.parameters():
                parameter.mul_(factor)
        state = net.state_dict()
        torch.save(authors_names(state), folder / f"{name}.pth")
        part = components_raft(folder / name, state)
        given = EasyDict(model=str(folder / f"{name}.pth"), small=False, mixed_precision=False, alternate_corr=False)
        judge = DynamicDegree(given, "cpu")
        scores: list[float] = []
        judge.check_move = watched(judge.check_move, scores)
        verdict = float(judge.infer(str(path)))
        flow = pool((part,), folder).get("raft")
        every = max(1, round(16 / 8))
        frames = [f.image for f in Clip.open(path, Limits()).frames() if f.index % every == 0]
        from dqa.channels.benchmark.vbench.flow import top_magnitude

        tops = [top_magnitude(f.numpy()) for f in flow.flows(frames, 20)]
        models = pool((part,), folder)
        lone = VBenchBenchmark(pool=models, components=(), parity=True)
        lone._models._ids = {"RAFT": "raft"}
        clip = Clip.open(path, Limits())
        seen = observe(clip.frames(), lambda clip=clip: clip.media, replay=clip.frames)
        dimensions = lone.evaluate(seen, Prompt("x"), EvaluationContext()).dimensions or {}
        found[name] = {"verdict": [dimensions["dynamic_degree"].raw, verdict], "tops": [tops, scores]}
    return found


def components_raft(folder: Path, state: dict[str, Tensor]) -> Any:
    from safetensors.torch import save_file

    from tests.models.tiny_vision import component

    save_raft(folder)
    save_file(state, folder / "raft.safetensors")
    return component("raft", folder, "raft")


def watched(check: Any, scores: list[float]) -> Any:
    def told(given: list[float]) -> Any:
        scores.extend(given)
        return check(given)

    return told


def main(site: str, place: str) -> None:
    enter(site)
    torch.set_num_threads(1)
    folder = Path(place)
    models = pool(components(folder), folder)
    told: dict[str, Any] = {}
    for name in CLIP_NAMES:
        mine = ours(CLIPS / name, models, IDS[:4])
        told[name] = {key: [mine[key], value] for key, value in theirs(CLIPS / name, models).items()}
    told["dynamic_degree"] = moving(shrunk(CLIPS / CLIP_NAMES[0], folder / "small.mp4", 208, 128, 17), folder)
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
