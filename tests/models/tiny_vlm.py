"""Vision-language models of a few hundred thousand random weights, saved as real checkpoints are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer
from transformers import PreTrainedTokenizerFast

SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>",
]  # fmt: skip
WORDS = "Yes No yes no YES NO Does this video show an image of a fox in snow ? Please answer or . system user assistant"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% for part in message.content %}{% if part.type == 'image' %}IMAGE{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
_QWEN_PICTURE = "<|vision_start|><|image_pad|><|vision_end|>"
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizer(image: str, words: str = WORDS) -> PreTrainedTokenizerFast:
    """A byte-level BPE as Qwen's, of a few hundred tokens; ``image`` is what the template writes for a picture."""
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=600, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator([words, f" {words}"] * 4, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        chat_template=TEMPLATE.replace("IMAGE", image),
        extra_special_tokens={
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
    )


def _text(vocabulary: int, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 8192, **more,
    }  # fmt: skip


def qwen3_vl(
    folder: Path,
    seed: int = 0,
    text: dict[str, Any] | None = None,
    words: str = WORDS,
    scatter: float = 0.08,
    **vision: Any,
) -> Path:
    """A Qwen3-VL with vision tower, deepstack and multimodal RoPE; ``words`` are what its tokenizer learns from."""
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1], "mrope_interleaved": True}
    language = {"rope_parameters": rope, **(text or {})}
    eye = {"deepstack_visual_indexes": [0, 1], **vision}
    model = (Qwen3VLConfig, Qwen3VLForConditionalGeneration)
    return _qwen(folder, seed, model, language, eye, tokenizer(_QWEN_PICTURE, words), scatter)


def qwen3_5(folder: Path, seed: int = 0) -> Path:
    """A Qwen3.5: linear attention in most layers, whose state no mask can split."""
    from transformers import Qwen3_5Config, Qwen3_5ForConditionalGeneration

    rope = {
        "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 0], "mrope_interleaved": True,
        "partial_rotary_factor": 0.5,
    }  # fmt: skip
    text = {
        "rope_parameters": rope, "layer_types": ["linear_attention", "full_attention", "linear_attention"],
        "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    }  # fmt: skip
    return _qwen(folder, seed, (Qwen3_5Config, Qwen3_5ForConditionalGeneration), text, {}, tokenizer(_QWEN_PICTURE))


def _qwen(
    folder: Path,
    seed: int,
    kinds: tuple[Any, Any],
    text: dict[str, Any],
    vision: dict[str, Any],
    words: Any,
    scatter: float = 0.08,
) -> Path:
    config, kind = kinds
    ids = words.convert_tokens_to_ids
    eye = {
        "depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32,
        "num_position_embeddings": 64, **vision,
    }  # fmt: skip
    inner = _text(len(words), **text)
    eye["out_hidden_size"] = inner["hidden_size"]
    made = config(
        text_config=inner,
        vision_config=eye,
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )
    pixels = {
        "image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 16, "temporal_patch_size": 2,
        "merge_size": 2, "size": {"shortest_edge": 4096, "longest_edge": 1048576},
        "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }  # fmt: skip
    return _saved(folder, seed, kind, made, words, pixels, {"processor_class": "Qwen3VLProcessor"}, scatter)


def internvl(folder: Path, seed: int = 0) -> Path:
    """An InternVL as its -HF checkpoints are: one position a token."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    words = tokenizer("<IMG_CONTEXT>\n")
    made = InternVLConfig(
        text_config={"model_type": "qwen3", **_text(len(words))},
        vision_config={
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "image_size": [56, 56], "patch_size": [14, 14],
        },
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )  # fmt: skip
    pixels = {
        "image_processor_type": "GotOcr2ImageProcessorFast", "size": {"height": 56, "width": 56},
        "crop_to_patches": False, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
    }  # fmt: skip
    processor = {"processor_class": "InternVLProcessor", "image_seq_length": 4}
    return _saved(folder, seed, InternVLForConditionalGeneration, made, words, pixels, processor)


def _saved(
    folder: Path, seed: int, kind: Any, config: Any, words: Any, pixels: Any, processor: Any, scatter: float = 0.08
) -> Path:
    torch.manual_seed(seed)
    model = kind(config).eval()
    with torch.no_grad():  # random weights of the usual size answer all questions alike
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * scatter)
    model.generation_config.eos_token_id = words.eos_token_id
    model.save_pretrained(folder, max_shard_size="2GB")  # saving a shard takes its size in host memory
    words.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(pixels), encoding="utf-8")
    (folder / "processor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    return folder
