"""Loading a vision-language model by transformers: the model and its processor.

Only transformers' own classes and safetensors are used, nothing is fetched, and no code of a model's is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dqa.errors import ModelUnavailable
from dqa.models.exhausted import ran_out
from dqa.models.vlm.local_machine import How

_FULL_PRECISION = [
    rf"(.*\.)?{name}" for name in ("lm_head", "visual", "vision_tower", "vision_model", "multi_modal_projector")
]
"""What 4 bit leaves alone: the head that answers are read from, and the small part that sees. transformers matches from
the start of a module's name, and a part's name alone would leave nothing alone of ``model.visual.blocks.0``."""


def load_model(folder: Path, how: How) -> Any:
    """The model in evaluation mode, frozen, on its device.

    Raises:
        ModelUnavailable: the files are not a model that takes images and text, or a package is missing.

    Memory that runs out is raised as it came (:func:`dqa.models.exhausted.ran_out`).
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText, BitsAndBytesConfig
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    dtype = getattr(torch, how.dtype)
    options: dict[str, Any] = {"dtype": dtype, "attn_implementation": how.attention}
    if how.nf4:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=_FULL_PRECISION,
        )
    if how.device == "cuda":
        options["device_map"] = {"": 0}
    try:
        model: Any = AutoModelForImageTextToText.from_pretrained(
            str(folder), use_safetensors=True, local_files_only=True, trust_remote_code=False, **options
        )
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        if ran_out(error):
            raise
        raise _unloadable(folder, error) from error
    return model.requires_grad_(False)  # in evaluation mode already


def load_processor(folder: Path) -> Any:
    """Tokenizer, image processor and chat template as the model's own processor.

    Frames are given as images, so the video processor, which needs torchvision, is left out; images are prepared by
    Pillow wherever torchvision is installed too, so that both give the same answer.

    Raises:
        ModelUnavailable: transformers has no processor for this kind of model, or a file is malformed.
    """
    from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    kept = {"local_files_only": True, "trust_remote_code": False}
    try:
        config: Any = AutoConfig.from_pretrained(str(folder), **kept)
        base: Any = PROCESSOR_MAPPING[type(config)]
        parts = {
            "image_processor": AutoImageProcessor.from_pretrained(str(folder), backend="pil", **kept),
            "tokenizer": AutoTokenizer.from_pretrained(str(folder), **kept),
        }
        kind = _without_video(base)
        values, _ = kind.get_processor_dict(str(folder), **kept)
        processor: Any = kind.from_args_and_dict([parts[name] for name in kind.get_attributes()], values)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise _unloadable(folder, error) from error
    if not (processor.chat_template or processor.tokenizer.chat_template):
        raise ModelUnavailable(
            "the model has no chat template", fix="use an instruction-tuned model", where=str(folder)
        )
    processor.chat_template = processor.chat_template or processor.tokenizer.chat_template
    return processor


def _without_video(base: Any) -> Any:
    def get_attributes(_: Any) -> list[str]:
        return [name for name in base.get_attributes() if name != "video_processor"]

    return type(base.__name__, (base,), {"get_attributes": classmethod(get_attributes)})


def _unloadable(folder: Path, error: Exception) -> ModelUnavailable:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return ModelUnavailable(
        f"the model can't be loaded ({said})",
        fix="use a model of transformers' own classes that takes images (Qwen3-VL, Qwen3.5, InternVL-HF)",
        where=str(folder),
    )
