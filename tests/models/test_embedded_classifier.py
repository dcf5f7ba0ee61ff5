"""The packaged classifiers: the published network, whatever the batch, from weights that are the pinned ones."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from efficientnet_lite_pytorch import EfficientNet

from dqa.errors import ModelUnavailable
from dqa.models.embedded.classifier import LiteClassifier, load
from dqa.models.embedded.labels import label_bank
from dqa.models.embedded.litenet import LiteNet
from dqa.models.embedded.weights import load_converted
from dqa.models.pool import weights_path
from dqa.models.profiles import load_profile

PROFILE = load_profile("embedded")
LITES = ("efficientnet-lite0", "efficientnet-lite2")


def loaded(component_id: str, home: Path) -> LiteClassifier:
    component = PROFILE.component(component_id)
    return load(component, weights_path(component), home)


@pytest.mark.parametrize("component_id", LITES)
def test_agrees_with_the_published_network(component_id: str, tmp_path: Path) -> None:
    component = PROFILE.component(component_id)
    weights = load_converted(component, weights_path(component), tmp_path)
    published = EfficientNet.from_name(component_id)
    published.load_state_dict(weights)
    published.eval()
    side = published.input_image_size
    x = torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (1, 3, side, side)).astype(np.float32))
    with torch.inference_mode():
        assert torch.allclose(published.extract_features(x), LiteNet(weights).grid(x), atol=1e-3)


def test_weights_begin_alike_in_memory_whether_converted_or_mapped(tmp_path: Path) -> None:
    # Where they do not, a first run and the next differ in the last bits.
    component = PROFILE.component("efficientnet-lite0")
    for _ in ("converted", "mapped"):
        weights = load_converted(component, weights_path(component), tmp_path)
        assert {weight.data_ptr() % 64 for weight in weights.values()} == {0}


def test_the_first_run_and_the_next_agree_to_the_last_bit(tmp_path: Path) -> None:
    images = [skimage.data.cat(), skimage.data.coffee()]
    first, second = (loaded("efficientnet-lite2", tmp_path).look(images) for _ in range(2))
    assert np.array_equal(first.logits, second.logits)
    assert np.array_equal(first.vectors, second.vectors)


@pytest.mark.parametrize("component_id", LITES)
def test_sees_a_cat_and_a_coffee(component_id: str, tmp_path: Path) -> None:
    logits = loaded(component_id, tmp_path).logits([skimage.data.cat(), skimage.data.coffee()])
    cat, coffee = logits.argmax(axis=1)
    assert cat in label_bank().concepts["cat"]
    assert label_bank().names[coffee] == "espresso"


def test_rows_do_not_depend_on_their_neighbours(tmp_path: Path) -> None:
    classifier = loaded("efficientnet-lite0", tmp_path)
    images = [skimage.data.cat(), skimage.data.coffee(), skimage.data.rocket()]
    together = classifier.encode(images)
    alone = np.concatenate([classifier.encode([image]) for image in images])
    assert np.array_equal(together, alone)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert classifier.encode([]).shape[0] == 0


def test_a_picture_is_the_same_at_another_size(tmp_path: Path) -> None:
    classifier = loaded("efficientnet-lite0", tmp_path)
    large = skimage.data.astronaut()
    small = np.ascontiguousarray(large.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8))
    a, b = classifier.encode([large, small])
    assert float(a @ b) > 0.97


def test_the_converted_copy_is_used_and_checked(tmp_path: Path) -> None:
    first = loaded("efficientnet-lite0", tmp_path).encode([skimage.data.cat()])
    (copy,) = (tmp_path / "models").glob("*.safetensors")
    component = PROFILE.component("efficientnet-lite0")
    again = load(component, Path("/nowhere.pth"), tmp_path).encode([skimage.data.cat()])
    assert np.array_equal(first, again)

    damaged = bytearray(copy.read_bytes())
    damaged[-1000] ^= 1
    copy.write_bytes(damaged)
    with pytest.raises(ModelUnavailable, match=copy.name):
        loaded("efficientnet-lite0", tmp_path)


@pytest.mark.parametrize("content", [b"", b"garbage" * 100])
def test_a_copy_that_is_no_weights_is_named(content: bytes, tmp_path: Path) -> None:
    loaded("efficientnet-lite0", tmp_path)
    (copy,) = (tmp_path / "models").glob("*.safetensors")
    copy.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=copy.name):
        loaded("efficientnet-lite0", tmp_path)


def test_an_altered_package_is_refused_before_it_is_read(tmp_path: Path) -> None:
    component = PROFILE.component("efficientnet-lite0")
    altered = tmp_path / "weights.pth"
    shutil.copy(weights_path(component), altered)
    with altered.open("r+b") as file:
        file.seek(5000)
        file.write(b"\x00\x01")
    with pytest.raises(ModelUnavailable, match=r"weights\.pth"):
        load(component, altered, tmp_path / "home")
    assert not (tmp_path / "home").exists()


def test_a_home_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loaded("efficientnet-lite0", blocked).encode([skimage.data.cat()]).shape == (1, 1280)
