"""How a vision-language model is to be loaded: what the profile wants, against what this machine can."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dqa.errors import ConfigError, ModelUnavailable
from dqa.models.profiles import Component


class Arguments(BaseModel):
    """A component's ``arguments`` in its profile.

    Attributes:
        quantisation: ``nf4`` stores the language layers in 4 bit (double quantised); needs CUDA and bitsandbytes.
        dtype: ``auto`` is bfloat16 on a GPU and float32 on a CPU.
        attention: ``auto`` is FlashAttention 2 where it is installed on a GPU, else PyTorch's (SDPA). Several questions
            at once go through SDPA either way (:mod:`dqa.models.vlm.local_prefix`).
        max_side: images are scaled down to this many pixels on the longer side.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantisation: Literal["none", "nf4"] = "none"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    device: Literal["auto", "cuda", "cpu"] = "auto"
    attention: Literal["auto", "sdpa", "flash_attention_2"] = "auto"
    max_side: int = Field(768, ge=32)


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is: a CUDA device, bf16 arithmetic on it, the packages bitsandbytes and flash-attn."""

    cuda: bool = False
    bf16: bool = False
    bitsandbytes: bool = False
    flash: bool = False

    @classmethod
    def here(cls) -> Machine:
        """This machine."""
        import torch
        from transformers.utils.import_utils import is_flash_attn_2_available

        cuda = torch.cuda.is_available()
        # What is emulated would be counted too: bf16 on a card from before 2020, many times slower than float16.
        bf16 = cuda and torch.cuda.is_bf16_supported(including_emulation=False)
        bitsandbytes = importlib.util.find_spec("bitsandbytes") is not None
        return cls(cuda, bf16, bitsandbytes, cuda and is_flash_attn_2_available())


@dataclass(frozen=True, slots=True)
class How:
    """How a model is loaded."""

    device: Literal["cuda", "cpu"]
    dtype: Literal["bfloat16", "float16", "float32"]
    nf4: bool
    attention: Literal["sdpa", "flash_attention_2"]


def arguments(component: Component) -> Arguments:
    """The component's arguments.

    Raises:
        ConfigError: one that there is not, or of the wrong form.
    """
    try:
        return Arguments.model_validate(component.arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = f"component {component.id}, argument {first['loc'][0] if first['loc'] else '?'}"
        raise ConfigError(first["msg"], fix="correct the profile", where=where) from None


def choose(wanted: Arguments, machine: Machine) -> How:
    """What is wanted, if this machine can: an answer must not silently come from another arithmetic.

    Raises:
        ModelUnavailable: it can't.
    """
    cuda = machine.cuda if wanted.device == "auto" else wanted.device == "cuda"
    lacking = [
        (cuda and not machine.cuda, "a CUDA device"),
        (wanted.quantisation == "nf4" and not cuda, "a CUDA device for 4 bit"),
        (wanted.quantisation == "nf4" and not machine.bitsandbytes, "the package bitsandbytes for 4 bit"),
        (wanted.attention == "flash_attention_2" and not (cuda and machine.flash), "FlashAttention 2 on a GPU"),
    ]
    if missing := next((name for lacks, name in lacking if lacks), None):
        raise ModelUnavailable(
            f"the vision-language model needs {missing}", fix="use profile remote-vlm or embedded here"
        )
    usual = ("bfloat16" if machine.bf16 else "float16") if cuda else "float32"
    flash = wanted.attention == "flash_attention_2" or (wanted.attention == "auto" and cuda and machine.flash)
    # FlashAttention computes in half precision only.
    flash = flash and wanted.dtype != "float32"
    return How(
        "cuda" if cuda else "cpu",
        usual if wanted.dtype == "auto" else wanted.dtype,
        wanted.quantisation == "nf4",
        "flash_attention_2" if flash else "sdpa",
    )
