"""ProxyCLIP as a grounder: words to a heat map each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dqa.clip.frame import Image
from dqa.models.proxyclip.attention import BETA, GAMMA, proxy_attention
from dqa.models.proxyclip.clip import DenseClip
from dqa.models.proxyclip.pixels import (
    CLIP_MEAN,
    CLIP_STD,
    IMAGENET_MEAN,
    IMAGENET_STD,
    normalised,
    padded,
    pixels,
    scaled,
    working_size,
)
from dqa.models.proxyclip.vfm import PatchFeatures
from dqa.models.proxyclip.windows import sliding
from dqa.models.proxyclip.words import FEW_TEMPLATES, TEMPLATES, background_for
from dqa.models.roles import Grounded

LOGIT_SCALE = 40.0
"""As published for dense use; CLIP itself was trained to 100."""

LONGEST = 2048


@dataclass(frozen=True, slots=True)
class Options:
    """How finely to look; the defaults are the published ones for COCO objects.

    Attributes:
        side: pixels to which a picture's shorter side is scaled; also of the window's side.
        stride: pixels from one window to the next, at most ``side``.
        threshold: probability under which a pixel shows none of the things.
        templates: ``all`` 80 sentences per word, or a ``few``.
        vfm_scale: by how much a window is enlarged for the vision model. Larger patches than DINO's 8 px give a coarser
            grid, which this makes finer.
        beta: see :func:`~dqa.models.proxyclip.attention.proxy_attention`.
        gamma: likewise.
    """

    side: int = 336
    stride: int = 112
    threshold: float = 0.25
    templates: Literal["all", "few"] = "all"
    vfm_scale: float = 1.0
    beta: float = BETA
    gamma: float = GAMMA


class ProxyClip:
    """Looks for things by their words (:class:`dqa.models.roles.Grounder`).

    Args:
        clip: the model of the words.
        vfm: the model whose features say which patches belong together.
        options: how finely to look.
    """

    def __init__(self, clip: DenseClip, vfm: PatchFeatures, options: Options | None = None) -> None:
        self._clip, self._vfm, self._options = clip, vfm, options or Options()
        # Padded to whole patches of both models, so that their grids span the same pixels.
        self._multiple = math.lcm(clip.patch, vfm.patch)

    def ground(self, image: Image, things: Sequence[Sequence[str]], size: tuple[int, int] | None = None) -> Grounded:
        """See :class:`dqa.models.roles.Grounder`. A thing's heat is its likeliest name's share of a softmax over all
        names and the background's words; its mask is where it is the likeliest and reaches the threshold.
        """
        templates = TEMPLATES if self._options.templates == "all" else FEW_TEMPLATES
        names = [name for thing in things for name in thing]
        behind = background_for(names)
        words = torch.stack([self._clip.word(word, templates) for word in (*behind, *names)])
        shape = size or (image.shape[0], image.shape[1])
        likely = (scaled(self._logits(image, words)[None], shape)[0] * LOGIT_SCALE).softmax(dim=0)
        counts = [len(behind), *(len(thing) for thing in things)]
        classes = torch.stack([part.amax(dim=0) if len(part) else torch.zeros(shape) for part in likely.split(counts)])
        best, which = classes.max(dim=0)
        which[best < self._options.threshold] = 0
        masks = which == torch.arange(1, len(things) + 1).view(-1, 1, 1)
        return Grounded(classes[1:].numpy(), masks.numpy())

    def _logits(self, image: Image, words: Tensor) -> Tensor:
        """Cosines of every pixel with the words (K x d), averaged over the windows: K x h x w, the shorter side
        ``side``."""
        small = scaled(pixels(image), working_size(image.shape[0], image.shape[1], self._options.side, LONGEST))
        return sliding(small, self._options.side, self._options.stride, lambda window: self._window(window, words))

    def _window(self, window: Tensor, words: Tensor) -> Tensor:
        """Cosines of one window's pixels with the words, K x h x w."""
        height, width = window.shape[-2:]
        given = padded(normalised(window, CLIP_MEAN, CLIP_STD), self._multiple)
        features, grid = self._vfm.features(self._enlarged(window))
        vectors = self._clip.patches(given, proxy_attention(features, self._options.beta, self._options.gamma), grid)
        cells = (words @ vectors.T).reshape(1, len(words), *grid)
        spread = torch.nn.functional.interpolate(cells, given.shape[-2:], mode="bilinear", align_corners=False)
        return spread[0, :, :height, :width]

    def _enlarged(self, window: Tensor) -> Tensor:
        """What the vision model is given: the padded window, enlarged to whole patches."""
        given = padded(normalised(window, IMAGENET_MEAN, IMAGENET_STD), self._multiple)
        if self._options.vfm_scale == 1:
            return given
        height, width = (max(1, round(s * self._options.vfm_scale / self._vfm.patch)) for s in given.shape[-2:])
        return scaled(given, (height * self._vfm.patch, width * self._vfm.patch))
