"""A stand-in ComfyUI that runs the weight-free workflows: its pictures obey the words of the prompt.

The nodes of ``fake_t2i_vanilla`` do here what they do there (regular expressions switch colours, size and place of a
square; the seed is the grain). On top, the words of :data:`LIGHT` change the finished picture, as a model would.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image as Pictures

from dqa.clip.frame import Image
from tests.comfy import standin

Floats = np.ndarray[Any, np.dtype[np.float32]]

LIGHT: tuple[tuple[str, Callable[[Floats], Floats]], ...] = (
    (r"\b(dark|dim|dimly)\b", lambda p: p * 0.4),
    (r"\b(bright|brightly)\b", lambda p: 0.45 + 0.55 * p),
    (r"\b(low contrast|flat)\b", lambda p: p.mean((0, 1)) + 0.3 * (p - p.mean((0, 1)))),
    (r"\b(black and white|monochrome)\b", lambda p: np.repeat(p.mean(2, keepdims=True), 3, 2)),
)


@dataclass
class Painter(standin.StandIn):
    """The stand-in of the client's tests, with pictures. ``prompts`` and ``seeds``: what it was asked for, in order."""

    prompts: list[str] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)
    light: bool = False

    def _refuse(self, graph: Any) -> dict[str, Any] | None:
        del graph
        return None

    def _make(self, job: dict[str, Any]) -> dict[str, Any]:
        graph = job["graph"]
        prompt, seed = graph["1"]["inputs"]["value"], graph["3"]["inputs"]["value"]
        self.prompts.append(prompt)
        self.seeds.append(seed)
        self.counter += 1
        name = f"img_{self.counter:05}_.png"
        out = io.BytesIO()
        Pictures.fromarray(paint(graph, light=self.light)).save(out, "PNG")
        self.files[name] = out.getvalue()
        return {"9": {"images": [{"filename": name, "subfolder": "dqa", "type": "output"}]}}


def paint(graph: dict[str, Any], *, light: bool) -> Image:
    """The picture that a workflow makes; with ``light`` the words of :data:`LIGHT` are obeyed, too."""
    picture = _value(graph, graph["9"]["inputs"]["images"])
    for words, change in LIGHT if light else ():
        if re.search(words, graph["1"]["inputs"]["value"], re.IGNORECASE):
            picture = change(picture)
    return (picture.clip(0, 1) * 255).astype(np.uint8)


def _value(graph: dict[str, Any], given: Any) -> Any:
    """An input's value: its own, or what the node it is linked to gives."""
    if not isinstance(given, list):
        return given
    node = graph[given[0]]
    inputs = {name: _value(graph, value) for name, value in node["inputs"].items()}
    return NODES[node["class_type"]](inputs)


def _empty(inputs: dict[str, Any]) -> Floats:
    colour = [inputs["color"] >> shift & 255 for shift in (16, 8, 0)]
    return np.full((inputs["height"], inputs["width"], 3), np.array(colour) / 255, np.float32)


def _composite(inputs: dict[str, Any]) -> Floats:
    below, above = inputs["destination"].copy(), inputs["source"]
    x, y = inputs["x"], inputs["y"]
    part = below[y : y + above.shape[0], x : x + above.shape[1]]
    part[:] = above[: part.shape[0], : part.shape[1]]
    return below


def _noise(inputs: dict[str, Any]) -> Floats:
    picture = inputs["image"]
    grain = np.random.default_rng(inputs["seed"]).standard_normal(picture.shape, np.float32)
    return picture + inputs["strength"] * grain


NODES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "PrimitiveStringMultiline": lambda i: i["value"],
    "PrimitiveInt": lambda i: i["value"],
    "RegexMatch": lambda i: bool(re.search(i["regex_pattern"], i["string"], re.IGNORECASE)),
    "ComfySwitchNode": lambda i: i["on_true"] if i["switch"] else i["on_false"],
    "EmptyImage": _empty,
    "ImageCompositeMasked": _composite,
    "ImageAddNoise": _noise,
}
