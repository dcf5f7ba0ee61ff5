"""Run by the Python of the ``vbench`` environment, never imported there from us: it imports nothing of dqa.

Reads one JSON object a line and answers each with one::

    {"op": "hello"}
        {"python", "versions": {package: version}}                    or {"error"}
    {"op": "measure", "video", "dimension", "weights", "device", "prompt"}
        {"dimension", "value"}                                        or {"dimension", "error"}

VBench prints as it goes, so that its stdout becomes stderr and the answers have a descriptor of their own. It would
also fetch what it lacks; here it may open no connection and start no wget.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import json
import math
import os
import platform
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

FETCHERS = frozenset({"wget", "curl", "git", "unzip"})
PACKAGES = ("vbench", "torch", "torchvision", "numpy", "transformers", "timm", "pyiqa", "opencv-python", "openai-clip")

Job = dict[str, Any]


class Refused(RuntimeError):
    """Something in VBench wanted to fetch a file."""


def refuse_to_fetch(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (:func:`sys.addaudithook`): connections and download programs are refused."""
    if event == "socket.connect" and not isinstance(arguments[1], (str, bytes)):  # a path is a local socket
        raise Refused("VBench wanted to connect to a network; nothing is downloaded here")
    if event == "subprocess.Popen" and Path(os.fsdecode(arguments[0])).name in FETCHERS:
        raise Refused("VBench wanted to download a file; nothing is downloaded here")


def hello() -> dict[str, Any]:
    """Which versions are installed; a package that is not is left out."""
    versions: dict[str, str] = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    mend_torchvision()
    importlib.import_module("vbench")
    return {"python": platform.python_version(), "versions": versions}


def measure(job: Job) -> float:
    """VBench's number for one clip."""
    mend_torchvision()
    value = float(MEASURES[job["dimension"]](job))
    if not math.isfinite(value):
        raise ValueError(f"VBench's number is {value}")
    return value


@functools.cache
def mend_torchvision() -> None:
    """Lets ``import torchvision`` pass where its compiled part does not fit torch (a CPU build of torch).

    VBench uses its transforms only, which are plain Python. They can't be imported unless two operators that the
    compiled part would define are known by name.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = importlib.import_module("torch").library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return  # whatever needs it says so itself


_KEPT: list[Any] = []
"""The definitions above end with the object that made them."""


def _vbench(name: str) -> Any:
    return importlib.import_module(f"vbench.{name}")


def _one(answer: Any) -> float:
    """The value of the one clip that was asked about, of VBench's (aggregate, [{"video_results"}])."""
    results = answer[1]
    if len(results) != 1:
        raise ValueError("VBench read no frame of the clip")
    return float(results[0]["video_results"])


def temporal_flickering(job: Job) -> float:
    return _one(_vbench("temporal_flickering").temporal_flickering([job["video"]]))


@functools.cache
def _dino(weights: str, device: str) -> Any:
    hub = importlib.import_module("torch.hub")
    folder = Path(weights) / "dino_model"
    model = hub.load(str(folder / "facebookresearch_dino_main"), "dino_vitb16", source="local", pretrained=False)
    name = "dino_vitbase16_pretrain.pth"  # the file is there, so that this reads and never fetches
    state = hub.load_state_dict_from_url(
        f"file:{name}", model_dir=str(folder), file_name=name, map_location="cpu", weights_only=True
    )
    model.load_state_dict(state)
    return model.train(False).to(device)


def subject_consistency(job: Job) -> float:
    model = _dino(job["weights"], job["device"])
    return _one(_vbench("subject_consistency").subject_consistency(model, [job["video"]], job["device"], False))


@functools.cache
def _clip(weights: str, name: str, device: str) -> tuple[Any, Any]:
    return importlib.import_module("clip").load(str(Path(weights) / "clip_model" / name), device=device)


def background_consistency(job: Job) -> float:
    model, preprocess = _clip(job["weights"], "ViT-B-32.pt", job["device"])
    with importlib.import_module("torch").no_grad():
        return _one(
            _vbench("background_consistency").background_consistency(
                model, preprocess, [job["video"]], job["device"], False
            )
        )


@functools.cache
def _amt(weights: str, device: str) -> Any:
    module = _vbench("motion_smoothness")
    config = Path(module.__file__).parent / "third_party" / "amt" / "cfgs" / "AMT-S.yaml"
    return module.MotionSmoothness(str(config), str(Path(weights) / "amt_model" / "amt-s.pth"), device)


def motion_smoothness(job: Job) -> float:
    return _amt(job["weights"], job["device"]).motion_score(job["video"])


@functools.cache
def _raft(weights: str, device: str) -> Any:
    model = str(Path(weights) / "raft_model" / "models" / "raft-things.pth")
    given = {"model": model, "small": False, "mixed_precision": False, "alternate_corr": False}
    return _vbench("dynamic_degree").DynamicDegree(importlib.import_module("easydict").EasyDict(given), device)


def dynamic_degree(job: Job) -> float:
    return float(_raft(job["weights"], job["device"]).infer(job["video"]))


@functools.cache
def _aesthetic(weights: str, device: str) -> Any:
    folder = str(Path(weights) / "aesthetic_model" / "emb_reader")
    return _vbench("aesthetic_quality").get_aesthetic_model(folder).to(device)


def aesthetic_quality(job: Job) -> float:
    model, _ = _clip(job["weights"], "ViT-L-14.pt", job["device"])
    head = _aesthetic(job["weights"], job["device"])
    return _one(_vbench("aesthetic_quality").laion_aesthetic(head, model, [job["video"]], job["device"]))


@functools.cache
def _musiq(weights: str, device: str) -> Any:
    path = str(Path(weights) / "pyiqa_model" / "musiq_spaq_ckpt-358bb6af.pth")
    model = importlib.import_module("pyiqa.archs.musiq_arch").MUSIQ(pretrained_model_path=path)
    return model.train(False).to(device)


def imaging_quality(job: Job) -> float:
    model = _musiq(job["weights"], job["device"])
    return _one(_vbench("imaging_quality").technical_quality(model, [job["video"]], job["device"])) / 100


@functools.cache
def _viclip(weights: str, device: str) -> tuple[Any, Any]:
    folder = Path(weights) / "ViCLIP"
    words = folder / "bpe_simple_vocab_16e6.txt.gz"
    if not words.exists():  # VBench would fetch it; CLIP's package brings the same file
        own = Path(str(importlib.import_module("clip").__file__)).parent / words.name
        shutil.copyfile(own, words)
    tokenizer = importlib.import_module("vbench.third_party.ViCLIP.simple_tokenizer").SimpleTokenizer(str(words))
    path = str(folder / "ViClip-InternVid-10M-FLT.pth")
    model = importlib.import_module("vbench.third_party.ViCLIP.viclip").ViCLIP(tokenizer=tokenizer, pretrain=path)
    return model.to(device), tokenizer


def overall_consistency(job: Job) -> float:
    model, tokenizer = _viclip(job["weights"], job["device"])
    asked = [{"prompt": job["prompt"], "video_list": [job["video"]]}]
    return _one(_vbench("overall_consistency").overall_consistency(model, asked, tokenizer, job["device"]))


MEASURES: dict[str, Callable[[Job], float]] = {
    "subject_consistency": subject_consistency,
    "background_consistency": background_consistency,
    "temporal_flickering": temporal_flickering,
    "motion_smoothness": motion_smoothness,
    "dynamic_degree": dynamic_degree,
    "aesthetic_quality": aesthetic_quality,
    "imaging_quality": imaging_quality,
    "overall_consistency": overall_consistency,
}


def answer(job: Job) -> dict[str, Any]:
    """What to say to one request: whatever goes wrong in VBench's code is an answer too."""
    if job["op"] == "hello":
        try:
            return hello()
        except Exception as error:  # noqa: BLE001 - any failure of a third party's import is the answer
            return {"error": _told(error)}
    try:
        return {"dimension": job["dimension"], "value": measure(job)}
    except Exception as error:  # noqa: BLE001 - any failure of a third party's code is the answer
        return {"dimension": job["dimension"], "error": _told(error)}


def _told(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def main() -> int:
    """Answers until stdin ends."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        sys.addaudithook(refuse_to_fetch)
        for line in sys.stdin:
            out.write(json.dumps(answer(json.loads(line)), allow_nan=False) + "\n")
            out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
