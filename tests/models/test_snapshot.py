"""Models of the hub: found on this machine, in safetensors, whole, and of a known kind - or refused with what to do."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dqa.errors import ModelUnavailable
from dqa.models.pool import ModelPool
from dqa.models.profiles import Component, Profile
from dqa.models.proxyclip.clip import DenseClip
from dqa.models.proxyclip.vfm import PatchFeatures
from dqa.models.snapshot import snapshot
from tests.models.tiny_vision import component, save_clip, save_vfm


def pool(*components: Component) -> ModelPool:
    profile = Profile(
        name="tiny", title="tiny", device="cpu", budget_gb=1, ready=True, can=("x",), cannot=("y",), channels={},
        components=components, sha256="0" * 64,
    )  # fmt: skip
    return ModelPool(profile, Path("unused"))


def refused(wanted: Component) -> ModelUnavailable:
    with pytest.raises(ModelUnavailable) as caught:
        pool(wanted).get(wanted.id)
    assert caught.value.fix
    return caught.value


def test_the_pool_loads_both_kinds_from_a_folder(tmp_path: Path) -> None:
    seen = component("vfm", save_vfm(tmp_path / "vfm"), "hf-vfm")
    words = component("clip", save_clip(tmp_path / "clip"), "hf-clip")
    made = pool(seen, words)
    assert isinstance(made.get("vfm"), PatchFeatures)
    assert isinstance(made.get("clip"), DenseClip)
    assert not any(p.requires_grad for p in made.get("clip").model.parameters())
    assert not made.get("clip").model.training


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    save_vfm(tmp_path)
    weights = tmp_path / "model.safetensors"
    torch.save(load_file(weights), tmp_path / "pytorch_model.bin")
    weights.unlink()
    assert "pytorch_model.bin" in str(refused(component("vfm", tmp_path, "hf-vfm")))


def test_pickled_weights_beside_safetensors_are_never_read(tmp_path: Path) -> None:
    save_vfm(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04not a pickle at all")
    assert pool(component("vfm", tmp_path, "hf-vfm")).get("vfm")


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    """Transformers would fill them with random numbers and only warn."""
    save_vfm(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    gone = next(name for name in weights if "layernorm" in name)
    save_file({k: v for k, v in weights.items() if k != gone}, tmp_path / "model.safetensors", {"format": "pt"})
    assert "lacks 1 of its weights" in str(refused(component("vfm", tmp_path, "hf-vfm")))


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    save_clip(tmp_path)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "can't be loaded" in str(refused(component("clip", tmp_path, "hf-clip")))


def test_a_clip_without_its_tokenizer_is_refused(tmp_path: Path) -> None:
    save_clip(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (tmp_path / name).unlink(missing_ok=True)
    assert "tokenizer" in str(refused(component("clip", tmp_path, "hf-clip")))


def test_another_kind_of_model_is_refused(tmp_path: Path) -> None:
    save_clip(tmp_path)
    assert "clip" in str(refused(component("vfm", tmp_path, "hf-vfm")))


def test_code_that_comes_with_a_model_is_never_run(tmp_path: Path) -> None:
    save_vfm(tmp_path)
    ran = tmp_path / "ran"
    (tmp_path / "modeling_x.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n")
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"auto_map": {"AutoConfig": "modeling_x.X", "AutoModel": "modeling_x.X"}, "model_type": "unheard-of"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused(component("vfm", tmp_path, "hf-vfm"))
    assert not ran.exists()


def test_a_hash_that_differs_is_refused(tmp_path: Path) -> None:
    save_vfm(tmp_path)
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    assert snapshot(component("vfm", tmp_path, "hf-vfm", sha256=digest)) == tmp_path
    refused(component("vfm", tmp_path, "hf-vfm", sha256="0" * 64))


def test_a_record_names_what_lies_in_a_folder(tmp_path: Path) -> None:
    """Other weights in the same folder are another model; a pinned hash is taken as it is."""
    made = pool(component("vfm", save_vfm(tmp_path), "hf-vfm"))
    made.get("vfm")
    first = made.identity("vfm")
    assert first.sha256
    save_vfm(tmp_path, seed=7)
    made.unload("vfm")
    made.get("vfm")
    assert made.identity("vfm").sha256 != first.sha256
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    pinned = pool(component("vfm", tmp_path, "hf-vfm", sha256=digest))
    pinned.get("vfm")
    assert pinned.identity("vfm").sha256 == digest


def test_what_is_not_on_this_machine_says_how_to_fetch_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    error = refused(component("vfm", "someone/some-model", "hf-vfm", revision="abc", profile="tiny"))
    assert "not on this machine" in str(error)
    assert "someone/some-model" in str(error)
    assert "dqa models pull --profile tiny vfm" in str(error.fix)
    open_ended = refused(component("vfm", "someone/some-model", "hf-vfm", default=False))
    assert "not pulled yet" in str(open_ended)
    assert "dqa models pull --accept-licence vfm" in str(open_ended.fix)
    assert "does not exist" in str(refused(component("vfm", tmp_path / "nothing", "hf-vfm")))
    assert "config.json" in str(refused(component("vfm", tmp_path, "hf-vfm")))
