"""VBench's dimensions as its package can judge them on one clip: which files each needs, and how its number is scaled.

Scale and weight are the leaderboard's (VBench scripts/constant.py, cal_final_score.py): (x - min) / (max - min), the
seven quality dimensions carry four fifths of the total (dynamic degree half a share), the nine semantic ones a fifth.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_QUALITY, _SEMANTIC = 4 / 5 / 6.5, 1 / 5 / 9
"""What one dimension of weight 1 carries of the leaderboard's total."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    """A file that VBench loads: where it must lie under the weights folder, and what it is."""

    path: str
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class OfficialDimension:
    """One dimension.

    Attributes:
        low, high: the leaderboard's minimum and maximum.
        weight: its share of the leaderboard's total.
        files: what must lie in the weights folder.
        needs: ``video``, or ``prompt`` where the prompt is asked too.
        non_commercial: the part whose licence forbids commercial use; such a dimension must be opted into.
        still_wins: whether a clip that stands still gets the best value.
    """

    name: str
    low: float
    high: float
    weight: float
    files: tuple[WeightFile, ...] = ()
    needs: Literal["video", "prompt"] = "video"
    non_commercial: str | None = None
    still_wins: bool = False

    def score(self, value: float) -> float:
        """The leaderboard's normalisation, clipped to [0, 1] (the leaderboard does not clip)."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def missing(self, weights: Path) -> tuple[WeightFile, ...]:
        """Files that do not lie where VBench looks for them."""
        return tuple(file for file in self.files if not (weights / file.path).exists())


_CLIP_B = WeightFile("clip_model/ViT-B-32.pt", "OpenAI CLIP's ViT-B-32.pt", "MIT")
_CLIP_L = WeightFile("clip_model/ViT-L-14.pt", "OpenAI CLIP's ViT-L-14.pt", "MIT")
_DINO_CODE = WeightFile(
    "dino_model/facebookresearch_dino_main/hubconf.py",
    "a clone of facebookresearch/dino, with its hubconf.py",
    "Apache-2.0",
)
_DINO = WeightFile("dino_model/dino_vitbase16_pretrain.pth", "DINO's ViT-B/16 backbone", "Apache-2.0")
_RAFT = WeightFile(
    "raft_model/models/raft-things.pth", "raft-things.pth of princeton-vl/RAFT's models.zip", "BSD-3-Clause"
)
_AMT = WeightFile("amt_model/amt-s.pth", "AMT-S of lalala125/AMT", "CC BY-NC 4.0")
_MUSIQ = WeightFile(
    "pyiqa_model/musiq_spaq_ckpt-358bb6af.pth", "IQA-PyTorch's MUSIQ trained on SPAQ", "non-commercial (pyiqa)"
)
_LAION = WeightFile(
    "aesthetic_model/emb_reader/sa_0_4_vit_l_14_linear.pth", "LAION-AI/aesthetic-predictor's linear head", "MIT"
)
_VICLIP = WeightFile(
    "ViCLIP/ViClip-InternVid-10M-FLT.pth", "OpenGVLab/VBench_Used_Models on the hub", "as its model card says"
)

OFFICIAL: dict[str, OfficialDimension] = {
    one.name: one
    for one in (
        OfficialDimension("subject_consistency", 0.1462, 1.0, _QUALITY, (_DINO_CODE, _DINO), still_wins=True),
        OfficialDimension("background_consistency", 0.2615, 1.0, _QUALITY, (_CLIP_B,), still_wins=True),
        OfficialDimension("temporal_flickering", 0.6293, 1.0, _QUALITY, still_wins=True),
        OfficialDimension("motion_smoothness", 0.706, 0.9975, _QUALITY, (_AMT,), non_commercial="AMT", still_wins=True),
        OfficialDimension("dynamic_degree", 0.0, 1.0, 0.5 * _QUALITY, (_RAFT,)),
        OfficialDimension("aesthetic_quality", 0.0, 1.0, _QUALITY, (_CLIP_L, _LAION)),
        OfficialDimension("imaging_quality", 0.0, 1.0, _QUALITY, (_MUSIQ,), non_commercial="MUSIQ through pyiqa"),
        OfficialDimension("overall_consistency", 0.0, 0.364, _SEMANTIC, (_VICLIP,), needs="prompt"),
    )
}
"""The eight of sixteen that say something on one clip of any prompt."""

NOT_FOR_ONE_CLIP: dict[str, str] = {
    **dict.fromkeys(
        ("object_class", "multiple_objects", "color", "spatial_relationship"),
        "needs detectron2 on CUDA and the objects of VBench's own prompt list",
    ),
    "human_action": "reads the action from the file's name, and knows the 400 of Kinetics only",
    "scene": "needs the scene's label of VBench's own prompt list",
    "appearance_style": "needs the style's words of VBench's own prompt list",
    "temporal_style": "is overall_consistency's number on VBench's own style prompts",
}
"""The other eight, and why not."""
