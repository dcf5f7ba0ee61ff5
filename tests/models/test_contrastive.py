"""SigLIP, SigLIP 2 and CLIP: the same numbers as transformers' own forward pass, whatever else is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from dqa.clip.frame import Image
from dqa.errors import ModelUnavailable
from dqa.models.contrastive import OTHER_MATTERS, ContrastiveModel, load
from tests.models.tiny_contrastive import KINDS, Kind, save_contrastive
from tests.models.tiny_vision import component, save_vfm

PHRASES = ["a fox in snow.", "two red cars", "this is a photo of a wolf."]


def pictures(number: int = 3) -> list[Image]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 56 + 8 * k, 3), dtype=np.uint8) for k in range(number)]


def opened(folder: Path) -> ContrastiveModel:
    return load(component("model", folder, "hf-contrastive"), folder, "cpu")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    return {kind: save_contrastive(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


def theirs(folder: Path, kind: Kind) -> Any:
    """transformers' own way: processor and model as its documentation calls them."""
    name = {"siglip": "SiglipModel", "siglip2": "Siglip2Model", "clip": "CLIPModel"}[kind]
    model = getattr(transformers, name).from_pretrained(folder)
    tokens = transformers.AutoTokenizer.from_pretrained(folder)(
        PHRASES, padding="max_length", max_length=64, truncation=True, return_tensors="pt"
    )
    seen = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")(
        images=pictures(), return_tensors="pt"
    )
    given = {"input_ids": tokens["input_ids"], **seen}
    if kind == "clip":
        given["attention_mask"] = tokens["attention_mask"]
    with torch.inference_mode():
        return model(**given).logits_per_image


@pytest.mark.parametrize("kind", KINDS)
def test_the_probabilities_are_transformers_own(folders: dict[Kind, Path], kind: Kind) -> None:
    expected = theirs(folders[kind], kind).double()
    ours = opened(folders[kind]).logits(pictures(), PHRASES)
    assert ours.shape == (3, 3)
    assert torch.sigmoid(torch.from_numpy(ours)).numpy() == pytest.approx(torch.sigmoid(expected).numpy(), abs=1e-5)
    assert ours == pytest.approx(expected.numpy(), abs=1e-3, rel=1e-5)
    assert ours.std() > 0.01, "pictures and phrases differ in what the model makes of them"


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_does_not_depend_on_what_else_is_asked(folders: dict[Kind, Path], kind: Kind) -> None:
    model = opened(folders[kind])
    together = model.log_odds(pictures(), PHRASES)
    alone = model.log_odds(pictures()[1:2], PHRASES[2:])
    assert alone[0, 0] == pytest.approx(together[1, 2], abs=1e-9)


def test_siglip_gives_each_pair_its_own_probability_and_clip_weighs_it_against_others(
    folders: dict[Kind, Path],
) -> None:
    siglip, clip = opened(folders["siglip"]), opened(folders["clip"])
    assert (siglip.pairwise, clip.pairwise) == (True, False)
    assert np.array_equal(siglip.log_odds(pictures(), PHRASES), siglip.logits(pictures(), PHRASES))
    found = clip.log_odds(pictures(), PHRASES)
    every = clip.logits(pictures(), [PHRASES[0], *OTHER_MATTERS])
    share = np.exp(every[:, 0]) / np.exp(every).sum(axis=1)
    assert 1 / (1 + np.exp(-found[:, 0])) == pytest.approx(share, abs=1e-9)


def test_letters_large_or_small_are_the_same_words(folders: dict[Kind, Path]) -> None:
    model = opened(folders["siglip"])
    assert np.array_equal(model.logits(pictures(1), ["A Fox"]), model.logits(pictures(1), ["a fox"]))


def test_what_is_longer_than_the_text_tower_is_known(folders: dict[Kind, Path]) -> None:
    model = opened(folders["siglip"])
    assert model.reads("a" * 62)  # and a token at either end
    assert not model.reads("a" * 63)


def test_another_kind_of_model_or_an_incomplete_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="siglip"):
        opened(save_vfm(tmp_path / "vit"))
    whole = save_contrastive(tmp_path / "siglip")
    (whole / "preprocessor_config.json").unlink()
    with pytest.raises(ModelUnavailable, match="preprocessor_config"):
        opened(whole)
    whole = save_contrastive(tmp_path / "again")
    (whole / "tokenizer.json").unlink()
    with pytest.raises(ModelUnavailable, match="tokenizer"):
        opened(whole)
    (whole / "config.json").write_text(json.dumps({"model_type": "unheard-of"}))
    with pytest.raises(ModelUnavailable):
        opened(whole)
