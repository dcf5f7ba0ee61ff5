"""The label bank that ships is the one its inputs make."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from benchmarks.topic_auc import PHOTOS
from dqa.models.embedded.labels import DATA, label_bank
from dqa.models.embedded.sentences import load
from dqa.models.pool import weights_path
from dqa.models.profiles import load_profile

COMPONENT = load_profile("embedded").component("minilm")
PROMPTS = (DATA / "reference_prompts.txt").read_text(encoding="utf-8").splitlines()
MANIFEST = Path(__file__).parent.parent / "data" / "clips" / "manifest.jsonl"


def test_inputs_are_the_recorded_ones() -> None:
    recorded = json.loads((DATA / "label_bank.json").read_text(encoding="utf-8"))["sha256_of_inputs"]
    assert recorded["minilm"] == COMPONENT.sha256
    assert recorded["reference_prompts"] == hashlib.sha256("\n".join(PROMPTS).encode()).hexdigest()


def test_reference_vectors_are_what_the_encoder_gives(tmp_path: Path) -> None:
    encoder = load(COMPONENT, weights_path(COMPONENT), tmp_path)
    assert np.allclose(label_bank().reference[:3], encoder.encode(PROMPTS[:3]), atol=2e-3)


def test_every_label_has_a_name_and_vectors() -> None:
    bank = label_bank()
    assert len(bank.names) == len(bank.named) == len(bank.described) == 1000
    assert all(bank.names)
    assert np.allclose(np.linalg.norm(bank.named, axis=1), 1, atol=1e-2)
    assert all(0 <= label < 1000 for labels in bank.concepts.values() for label in labels)


def test_no_reference_prompt_is_a_test_prompt() -> None:
    tested = {json.loads(line)["prompt"].lower() for line in MANIFEST.read_text().splitlines()}
    tested |= {prompt for pair in PHOTOS.values() for prompt in pair}
    assert not tested & {p.lower() for p in PROMPTS}


def test_the_bank_is_small() -> None:
    assert sum(path.stat().st_size for path in DATA.iterdir()) < 3e6
