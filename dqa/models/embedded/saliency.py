"""U^2-Net-p: what stands out in a picture, whatever it is (Qin 2020), run by OpenCV's own network engine."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from dqa.clip.frame import Image
from dqa.errors import ModelUnavailable
from dqa.models.pool import check_hash
from dqa.models.profiles import Component

_SIDE = 320
# The published preprocessing: divide by the image's own maximum, then ImageNet's mean and deviation.
_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


class Saliency:
    """The saliency network.

    Args:
        net: the loaded ONNX graph.
    """

    def __init__(self, net: cv2.dnn.Net) -> None:
        self._net = net
        # Seven maps, the fused one first.
        self._output = str(net.getUnconnectedOutLayersNames()[0])

    def map(self, image: Image) -> NDArray[np.float32]:
        """320 x 320 map of ``image`` scaled to a square: 0 background .. 1 stands out."""
        scaled = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
        normal = (scaled / max(float(scaled.max()), 1.0) - _MEAN) / _STD
        self._net.setInput(normal.transpose(2, 0, 1)[None])
        return np.asarray(self._net.forward(self._output), dtype=np.float32)[0, 0]


def load(component: Component, weights_path: Path, home: Path) -> Saliency:
    """Loads the packaged network.

    Raises:
        ModelUnavailable: the weights are not the ones the profile names, or OpenCV can't read them.
    """
    check_hash(component, weights_path)
    try:
        return Saliency(cv2.dnn.readNetFromONNX(str(weights_path)))
    except cv2.error as error:
        raise ModelUnavailable(f"{component.id} can't be read ({error.err})", fix="install opencv 5.0") from None
