"""RAFT's weights go by two sets of names: those of the authors' code, and torchvision's, which are ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

_ENCODERS = {"fnet": "feature_encoder", "cnet": "context_encoder"}
_AUTHORS: tuple[tuple[str, str], ...] = (
    (r"^encoder\.conv1\.", "encoder.convnormrelu.0."),
    (r"^encoder\.norm1\.", "encoder.convnormrelu.1."),
    (r"^encoder\.conv2\.", "encoder.conv."),
    (r"^encoder\.(layer\d\.\d)\.conv(\d)\.", r"encoder.\1.convnormrelu\2.0."),
    (r"^encoder\.(layer\d\.\d)\.norm(\d)\.", r"encoder.\1.convnormrelu\2.1."),
    (r"^update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"^update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)


def torchvision_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under torchvision's names (``raft_large``), whichever of the two they came by.

    The authors' files (``raft-things``) prefix every name with ``module.`` and hold the norm of a block's shortcut
    twice, as ``norm3`` and as ``downsample.1``: the first is dropped.
    """
    bare = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    if not any(name.startswith("fnet.") for name in bare):
        return bare
    return {_renamed(name): tensor for name, tensor in bare.items() if ".norm3." not in name}


def _renamed(name: str) -> str:
    head, _, rest = name.partition(".")
    common = f"encoder.{rest}" if head in _ENCODERS else name
    for pattern, replacement in _AUTHORS:
        common, count = re.subn(pattern, replacement, common)
        if count:
            break
    return _ENCODERS[head] + common.removeprefix("encoder") if head in _ENCODERS else common
