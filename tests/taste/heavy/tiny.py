"""A language model of some ten thousand weights, saved and loaded like a real one, and pairs it can learn."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from dqa.taste.heavy.config import Example, Sample, TrainingConfig, TrainingRequest

WORDS = "semantic spatial benchmark visionreward motion brightness contrast tags nature dark none"


def save_tiny_model(folder: Path, seed: int = 0, texts: Sequence[str] = ()) -> Path:
    """A random Llama with a byte-level tokenizer, in safetensors: the same ones for the same seed.

    ``texts`` are what the tokenizer learns its words from; default short renderings.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    rng = random.Random(seed)
    tokenizer.train_from_iterator(texts or [text(None, rng) for _ in range(200)], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=True,
        initializer_range=0.1,  # at the default 0.02 so small a model hardly tells texts apart, and learns slowly
    )
    LlamaForCausalLM(config).save_pretrained(folder, safe_serialization=True)
    fast.save_pretrained(folder)
    return folder


def text(motion: int | None, rng: random.Random) -> str:
    """A rendering in small; ``motion`` is what the simulated user cares for."""
    value = rng.randrange(10) if motion is None else motion
    return f"semantic {rng.randrange(10)} motion {value} contrast {rng.randrange(10)} tags nature"


def examples(count: int, seed: int = 0) -> tuple[Example, ...]:
    """Pairs of a user who always takes the clip with more motion."""
    rng = random.Random(seed)
    return tuple(
        Example(
            prompt=f'brief: "a wolf {i}"\nclip:\n',
            chosen=text(rng.randrange(6, 10), rng),
            rejected=text(rng.randrange(4), rng),
        )
        for i in range(count)
    )


def quick(base: Path, **changes: object) -> TrainingConfig:
    """A recipe that moves so small a model within seconds."""
    settings: dict[str, object] = {
        "base": str(base),
        "rank": 8,
        "learning_rate": 2e-2,
        "min_steps": 12,
        "max_steps": 12,
        "evaluations": 4,
        "batch": 4,
        "accumulation": 1,
        "warmup": 0.0,
        "distillation_steps": 0,
    }
    return TrainingConfig.model_validate({**settings, **changes})


def request(
    scratch: Path, config: TrainingConfig, samples: Sequence[Sample] = (), **changes: object
) -> TrainingRequest:
    """A training of 32 pairs, judged on 20."""
    import os

    given: dict[str, object] = {
        "config": config,
        "scratch": str(scratch),
        "train": examples(32),
        "held_out": examples(20, seed=1),
        "samples": tuple(samples),
        "parent": os.getpid(),
    }
    return TrainingRequest.model_validate({**given, **changes})
