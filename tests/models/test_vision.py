"""Vision models from safetensors: both of RAFT's namings, what is refused and how it is said."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from dqa.errors import ModelUnavailable
from dqa.evaluation.ladder import Reducible
from dqa.models.vision import raft as vision_raft
from dqa.models.vision.raft import SMALLEST, FlowModel, correlations, looked_up
from dqa.models.vision.raft_names import torchvision_names
from dqa.models.vision.raft_net import Raft, Widths, widths_of
from tests.models.tiny_vbench import SLIM, pool, raft, save_head, save_raft
from tests.models.tiny_vision import component
from tests.observing import gliding


def test_the_published_size_is_that_of_raft_large() -> None:
    assert sum(p.numel() for p in Raft().parameters()) == 5_257_536, "torchvision states this number"


def test_the_weights_tell_the_widths() -> None:
    assert widths_of(raft(SLIM).state_dict()) == SLIM
    assert widths_of(Raft().state_dict()) == Widths()


def test_the_authors_names() -> None:
    one = torch.zeros(1)
    names = {
        "module.fnet.conv1.weight": "feature_encoder.convnormrelu.0.weight",
        "module.cnet.norm1.running_mean": "context_encoder.convnormrelu.1.running_mean",
        "module.cnet.layer2.0.norm2.bias": "context_encoder.layer2.0.convnormrelu2.1.bias",
        "module.cnet.layer2.0.downsample.1.bias": "context_encoder.layer2.0.downsample.1.bias",
        "module.fnet.conv2.bias": "feature_encoder.conv.bias",
        "module.update_block.encoder.convc1.weight": "update_block.motion_encoder.convcorr1.0.weight",
        "module.update_block.gru.convq2.weight": "update_block.recurrent_block.convgru2.convq.weight",
        "module.update_block.flow_head.conv1.weight": "update_block.flow_head.conv1.weight",
        "module.update_block.mask.2.bias": "mask_predictor.conv.bias",
    }
    given = {**dict.fromkeys(names, one), "module.cnet.layer2.0.norm3.weight": one}
    assert set(torchvision_names(given)) == set(names.values())


def test_a_still_pair_has_the_same_flow_in_both_orders_of_asking(tmp_path: Path) -> None:
    flow: FlowModel = pool((component("raft", save_raft(tmp_path / "raft"), "raft"),), tmp_path).get("raft")
    images = gliding(3, 3.0, (SMALLEST + 3, 150))
    together = list(flow.flows(images, 4))
    assert [tuple(f.shape) for f in together] == [(2, 136, 152)] * 2
    assert torch.equal(together[1], next(flow.flows(images[1:], 4))), "features of a frame are kept, not changed"


def test_what_is_not_raft_is_refused(tmp_path: Path) -> None:
    folder = save_head(tmp_path / "head")
    with pytest.raises(ModelUnavailable, match="not those of a raft"):
        pool((component("flow", folder, "raft"),), tmp_path).get("flow")


def test_a_raft_that_lacks_a_weight_is_refused(tmp_path: Path) -> None:
    state = raft(SLIM).state_dict()
    del state["mask_predictor.conv.bias"]
    (tmp_path / "raft").mkdir()
    save_file(state, tmp_path / "raft" / "raft.safetensors")
    with pytest.raises(ModelUnavailable, match=r"mask_predictor\.conv\.bias"):
        pool((component("flow", tmp_path / "raft", "raft"),), tmp_path).get("flow")


def test_damaged_or_several_files_are_refused(tmp_path: Path) -> None:
    folder = save_head(tmp_path / "head")
    whole = (folder / "head.safetensors").read_bytes()
    (folder / "head.safetensors").write_bytes(whole[:-5])
    with pytest.raises(ModelUnavailable, match="can't be read"):
        pool((component("head", folder, "laion-aesthetic"),), tmp_path).get("head")
    (folder / "second.safetensors").write_bytes(whole)
    with pytest.raises(ModelUnavailable, match="2 files of weights"):
        pool((component("head", folder, "laion-aesthetic"),), tmp_path).get("head")


def test_a_clip_is_no_dino(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "config.json").write_text('{"model_type": "clip"}')
    save_file({"x": torch.zeros(1)}, tmp_path / "clip" / "model.safetensors")
    with pytest.raises(ModelUnavailable, match="not a DINO"):
        pool((component("d", tmp_path / "clip", "hf-dino"),), tmp_path).get("d")


class Volumes(TorchDispatchMode):
    """Watches how many tensors as large as a correlation volume are there at once."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.most = size, 0
        self.alive: list[weakref.ref[torch.Tensor]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and made.numel() >= self.size:
            self.alive.append(weakref.ref(made))
            there = [tensor for one in self.alive if (tensor := one()) is not None]
            self.most = max(self.most, len({tensor.data_ptr() for tensor in there}))  # a view is none of its own
        return made


def test_the_likenesses_of_two_frames_are_in_memory_once() -> None:
    first, second = torch.randn(1, 256, 20, 30), torch.randn(1, 256, 20, 30)
    with Volumes(600 * 600) as seen:
        pyramid = correlations(first[0].flatten(1), second)
    assert seen.most == 1
    plain = first[0].flatten(1).T @ second[0].flatten(1) / 16
    assert torch.allclose(pyramid[0].view(600, 600), plain, atol=1e-5)


def test_likenesses_in_parts_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net = raft(SLIM)
    images = gliding(2, 3.0, (136, 168))
    flow = FlowModel(net, torch.device("cpu"))
    whole = next(flow.flows(images, 6))
    monkeypatch.setattr(vision_raft, "LEAST_CELLS", 50)
    sizes: list[int] = []
    monkeypatch.setattr(vision_raft, "looked_up", lambda p, c: sizes.append(len(c)) or looked_up(p, c))
    flow.batch = 100
    parts = next(flow.flows(images, 6))
    assert torch.allclose(parts, whole, atol=1e-4)
    assert sizes[:4] == [100, 100, 100, 57]


def test_flow_can_take_less_at_once_and_never_more_than_cudnn_does() -> None:
    flow = FlowModel(raft(SLIM), torch.device("cpu"))
    assert isinstance(flow, Reducible)
    assert flow.full_batch < 65_536
    assert [flow.smaller_batch() for _ in range(4)] == [True, True, True, False]
    assert flow.batch == vision_raft.LEAST_CELLS
