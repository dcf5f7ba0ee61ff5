"""The base model: found in a folder or the local cache, checked, loaded; nothing is fetched and no code is run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from dqa.errors import InsufficientMemory, ModelUnavailable
from dqa.models.exhausted import ran_out
from dqa.models.fingerprints import Known, known
from dqa.models.snapshot import PICKLED, cached
from dqa.taste.heavy.config import TrainingConfig
from dqa.taste.heavy.machine import How

log = structlog.get_logger(__name__)

REFUSED = PICKLED | {".py"}
"""Kinds of file that can carry code."""

_FIX = "set DQA_TASTE_MODEL to a folder with config.json, tokenizer.json and *.safetensors"
_SMALLER = "use a smaller DQA_TASTE_MODEL, or free memory"
_PLACE = {"cpu": "host", "cuda": "GPU"}


@dataclass(slots=True)
class Base:
    """A loaded base model.

    Attributes:
        model: a transformers causal language model, in evaluation mode, frozen.
        tokenizer: its tokenizer, with a padding token.
        parameters: how many weights it has.
        identity: id, revision, sha256, parameters and how it was loaded; plain values.
        by_unsloth: loaded by Unsloth, which then makes the adapter too.
    """

    model: Any
    tokenizer: Any
    parameters: int
    identity: dict[str, str | int | float | bool | None] = field(default_factory=dict[str, Any])
    by_unsloth: bool = False


def find_base(config: TrainingConfig) -> Path:
    """The folder of the base model.

    Raises:
        ModelUnavailable: neither a folder nor in the local cache, or it holds files that can carry code, or no
            safetensors.
    """
    folder = Path(config.base)
    if not folder.is_dir():
        folder = cached(config.base, config.revision, _FIX)
    names = [path.name for path in folder.iterdir()]
    if refused := sorted(name for name in names if Path(name).suffix.lower() in REFUSED):
        raise ModelUnavailable(f"the model holds {refused[0]}, which can carry code", fix=_FIX, where=str(folder))
    if "config.json" not in names or not any(name.endswith(".safetensors") for name in names):
        raise ModelUnavailable("not a model in safetensors", fix=_FIX, where=str(folder))
    return folder


def load_base(config: TrainingConfig, how: How, home: Path | None = None, told: Known | None = None) -> Base:
    """Loads model and tokenizer, as :func:`~dqa.taste.heavy.machine.choose` decided.

    Args:
        config: names the model.
        how: device and precision.
        home, told: where its fingerprint may be found without reading it, see :func:`dqa.models.fingerprints.known`.

    Raises:
        ModelUnavailable: see :func:`find_base`; or the files are not a causal language model.
        InsufficientMemory: there is too little for it.
    """
    folder = find_base(config)
    by_unsloth = False
    try:
        model, tokenizer, by_unsloth = _load(folder, how)
    except (OSError, ValueError, KeyError, RuntimeError, MemoryError) as error:
        if ran_out(error):
            what = f"the language model of the taste needs more memory than the {_PLACE[how.device]} has free"
            raise InsufficientMemory(what, fix=_SMALLER, where=str(folder)) from error
        what = f"the model can't be loaded ({str(error).splitlines()[0][:200]})"
        raise ModelUnavailable(what, fix=_FIX, where=str(folder)) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    if tokenizer.eos_token is None or tokenizer.pad_token is None:
        raise ModelUnavailable("the model's tokenizer has no end token", fix=_FIX, where=str(folder))
    parameters = _parameters(model)
    return Base(
        model,
        tokenizer,
        parameters,
        {
            "id": folder.name if Path(config.base).is_dir() else config.base,
            "revision": config.revision,
            "sha256": known(folder, home, told).sha256,
            "parameters": parameters,
            "device": how.device,
            "bf16": how.bf16,
            "nf4": how.nf4,
            "unsloth": by_unsloth,
        },
        by_unsloth,
    )


def _load(folder: Path, how: How) -> tuple[Any, Any, bool]:
    if how.unsloth:
        try:
            return (*_by_unsloth(folder, how), True)
        except Exception as error:  # noqa: BLE001 - it patches other libraries' source: any release of theirs can break it
            log.warning("Unsloth is left out", reason=f"{type(error).__name__}: {error}"[:300])
    return (*_by_transformers(folder, how), False)


def _by_transformers(folder: Path, how: How) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

    options: dict[str, Any] = {"dtype": torch.bfloat16 if how.bf16 else torch.float32}
    if how.nf4:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=options["dtype"],
        )
    if how.device == "cuda":
        options["device_map"] = {"": 0}
    kept = {"local_files_only": True, "trust_remote_code": False}
    tokenizer: Any = AutoTokenizer.from_pretrained(str(folder), **kept)
    model: Any = AutoModelForCausalLM.from_pretrained(str(folder), use_safetensors=True, **kept, **options)
    model.requires_grad_(False)
    return model.train(False), tokenizer


def _by_unsloth(folder: Path, how: How) -> tuple[Any, Any]:
    """Unsloth's loader; imported here only, in the training process, since it rewrites other libraries."""
    import importlib

    unsloth: Any = importlib.import_module("unsloth")
    unsloth.PatchDPOTrainer()
    model, tokenizer = unsloth.FastLanguageModel.from_pretrained(
        model_name=str(folder),
        max_seq_length=2048,
        load_in_4bit=how.nf4,
        trust_remote_code=False,
        local_files_only=True,
    )
    # Of a vision-language model it returns the processor; text-only pairs want the tokenizer inside (unsloth #2549).
    return model, getattr(tokenizer, "tokenizer", tokenizer)


def _parameters(model: Any) -> int:
    # Weights in 4 bit are stored two to a byte; transformers knows to count them double.
    return int(model.num_parameters())
