"""CPU time and memory of ProxyCLIP on one frame, models of the real size with random weights.

    python -m benchmarks.proxyclip [--vfm dino-b8|dinov2-s14] [--clip b16|b32] [--size 1280x720] [--templates all|few]

One thread. Prints CPU seconds of the words (once per model and word), of one frame and of one window, the resident
memory with both models loaded and the peak while looking; both count what torch and transformers themselves take.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import psutil
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from dqa.models.proxyclip.clip import DenseClip
from dqa.models.proxyclip.grounder import LONGEST, Options, ProxyClip
from dqa.models.proxyclip.pixels import working_size
from dqa.models.proxyclip.vfm import PatchFeatures
from dqa.models.proxyclip.windows import starts
from dqa.models.proxyclip.words import FEW_TEMPLATES, TEMPLATES, background_for

THINGS = [["a white unicorn"], ["garden gate"], ["rainbow"]]


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """One token a word: about as many as CLIP's own makes of the templates."""
    words = sorted({word for t in TEMPLATES for word in t.replace(".", " .").split()})
    vocabulary = {sign: i for i, sign in enumerate(["<unk>", *words, "<s>", "</s>"])}
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    ends = [(sign, vocabulary[sign]) for sign in ("<s>", "</s>")]
    raw.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ends)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="</s>", eos_token="</s>")


def clip(patch: int) -> DenseClip:
    known = tokenizer()
    text = {"eos_token_id": known.eos_token_id}
    config = transformers.CLIPConfig(text_config=text, vision_config={"patch_size": patch, "image_size": 224})
    return DenseClip(transformers.CLIPModel(config).requires_grad_(False).eval(), known)


def vfm(name: str) -> PatchFeatures:
    if name == "dino-b8":
        model = transformers.ViTModel(transformers.ViTConfig(patch_size=8), add_pooling_layer=False)
    else:
        small = {"hidden_size": 384, "num_attention_heads": 6, "patch_size": 14, "image_size": 518}
        model = transformers.Dinov2Model(transformers.Dinov2Config(**small))
    return PatchFeatures(model.requires_grad_(False).eval())


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vfm", choices=["dino-b8", "dinov2-s14"], default="dino-b8")
    parser.add_argument("--clip", choices=["b16", "b32"], default="b16")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--templates", choices=["all", "few"], default="all")
    given = parser.parse_args(arguments)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    seen, words = vfm(given.vfm), clip(int(given.clip[1:]))
    loaded = resident_mb()
    width, height = (int(v) for v in given.size.split("x"))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    options = Options(templates=given.templates)
    grounder = ProxyClip(words, seen, options)

    names = [name for thing in THINGS for name in thing]
    asked = [*background_for(names), *names]
    began = time.process_time()
    for word in asked:
        words.word(word, TEMPLATES if given.templates == "all" else FEW_TEMPLATES)
    texts_s = time.process_time() - began
    began = time.process_time()
    grounder.ground(image, THINGS, (84, 84))
    frame_s = time.process_time() - began
    h, w = working_size(height, width, options.side, LONGEST)
    windows = len(starts(h, options.side, options.stride)) * len(starts(w, options.side, options.stride))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"words: {texts_s:.1f} CPU s for {len(asked)} ({given.templates} templates)")
    print(f"frame {given.size}: {frame_s:.1f} CPU s, {windows} windows, {frame_s / windows:.1f} CPU s each")
    print(f"memory: {loaded:.0f} MB loaded, {peak:.0f} MB peak")


if __name__ == "__main__":
    main(sys.argv[1:])
