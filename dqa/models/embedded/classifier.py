"""EfficientNet-Lite as classifier (1000 ImageNet labels), image encoder, and feature map for class activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dqa.clip.frame import Image
from dqa.models.embedded.litenet import LiteNet
from dqa.models.embedded.weights import load_converted
from dqa.models.profiles import Component
from dqa.models.roles import Vectors

Floats = NDArray[np.float32]

# EfficientNet-Lite builder: MEAN_RGB 127, STDDEV_RGB 128.
_MEAN, _STD = 127.0, 128.0
_SIDE = {"efficientnet-lite0": 224, "efficientnet-lite2": 260}


@dataclass(frozen=True, slots=True)
class Look:
    """What the network makes of images, one row each.

    Attributes:
        logits: n x 1000.
        vectors: n x 1280, L2-normalised pooled features.
    """

    logits: Floats
    vectors: Vectors


class LiteClassifier:
    """One EfficientNet-Lite. Images go through one by one, so a row never depends on its neighbours.

    Args:
        net: the network.
        side: pixels of the square that an image is scaled to.
    """

    def __init__(self, net: LiteNet, side: int) -> None:
        self._net = net
        self.side = side

    def look(self, images: Sequence[Image]) -> Look:
        """Logits and vectors of whole images (H x W x 3 RGB uint8, any size; scaled to a square)."""
        pooled = [self._net.grid(_tensor(image, self.side)).mean(dim=(2, 3)) for image in images]
        logits = [self._net.classify(p).numpy()[0] for p in pooled]
        labels, width = self._net.fc_weight.shape
        rows = np.array([p.numpy()[0] for p in pooled], dtype=np.float32).reshape(-1, width)
        return Look(np.array(logits, dtype=np.float32).reshape(-1, labels), _unit(rows))

    def encode(self, images: Sequence[Image]) -> Vectors:
        """n x 1280, L2-normalised: features whose cosine says how alike two images look."""
        return self.look(images).vectors

    def logits(self, images: Sequence[Image]) -> Floats:
        """n x 1000 ImageNet logits."""
        return self.look(images).logits

    def grid(self, image: Image, side: int) -> Floats:
        """The last feature map of ``image`` scaled to a square: n x n x 1280, n = ceil(side / 32)."""
        return self._net.grid(_tensor(image, side))[0].permute(1, 2, 0).contiguous().numpy()

    def classify(self, pooled: Floats) -> Floats:
        """Logits n x 1000 of n x 1280 pooled features, such as the mean over a part of :meth:`grid`."""
        return np.array([self._net.classify(torch.from_numpy(row[None]).clone()).numpy()[0] for row in pooled])

    @property
    def class_weights(self) -> Floats:
        """1000 x 1280: a cell's features times a class's row is that class's activation there (CAM, Zhou 2016)."""
        return self._net.fc_weight.numpy()


def _tensor(image: Image, side: int) -> Tensor:
    # Area averaging keeps the features of a frame independent of the size it was decoded at.
    shrinks = image.shape[0] >= side and image.shape[1] >= side
    scaled = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    normal = (scaled.astype(np.float32) - _MEAN) / _STD
    # A copy in torch's memory: where numpy's begins differs from run to run, and the last bits with it (weights.own).
    return torch.from_numpy(normal).permute(2, 0, 1)[None].clone()


def _unit(rows: Floats) -> Vectors:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def load(component: Component, weights_path: Path, home: Path) -> LiteClassifier:
    """Loads ``efficientnet-lite0`` or ``-lite2``.

    Raises:
        ModelUnavailable: the weights are not the ones the profile names.
    """
    return LiteClassifier(LiteNet(load_converted(component, weights_path, home)), _SIDE[component.id])
