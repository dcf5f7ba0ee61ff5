"""MiniLM in torch alone says what transformers' BERT says."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from dqa.errors import ModelUnavailable
from dqa.models.embedded.sentences import MAX_TOKENS, MiniLM, load
from dqa.models.pool import weights_path
from dqa.models.profiles import load_profile

COMPONENT = load_profile("embedded").component("minilm")
TEXTS = ["a dark wolf prowling through moonlit forest", "x", "", "红色的狼 🐺", "wolf " * 400]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> MiniLM:
    return load(COMPONENT, weights_path(COMPONENT), tmp_path_factory.mktemp("home"))


@pytest.mark.slow
def test_agrees_with_transformers(encoder: MiniLM) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers' own
        from tokenizers import Tokenizer
        from transformers import BertModel

        folder = weights_path(COMPONENT).parent
        bert = BertModel.from_pretrained(folder).eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    for text, row in zip(TEXTS, encoder.encode(TEXTS), strict=True):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            mean = bert(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[0].mean(dim=0).numpy()
        assert np.allclose(row, mean / np.linalg.norm(mean), atol=1e-4), text[:20]


def test_rows_do_not_depend_on_their_neighbours(encoder: MiniLM) -> None:
    assert np.array_equal(encoder.encode(TEXTS), np.concatenate([encoder.encode([t]) for t in TEXTS]))
    assert encoder.encode([]).shape == (0, 384)


def test_near_in_meaning_is_near(encoder: MiniLM) -> None:
    wolf, dog, bank = encoder.encode(["a wolf in the woods", "a wild dog in a forest", "interest rates rise"])
    assert wolf @ dog > wolf @ bank + 0.3


def test_an_altered_tokenizer_is_refused(tmp_path: Path) -> None:
    source = weights_path(COMPONENT)
    weights = tmp_path / source.name
    weights.symlink_to(source)
    text = (source.parent / "tokenizer.json").read_text(encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text(text.replace("wolf", "flow", 1), encoding="utf-8")
    with pytest.raises(ModelUnavailable, match="tokenizer"):
        load(COMPONENT, weights, tmp_path)
