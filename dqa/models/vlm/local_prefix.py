"""One pass over what all questions share, and short passes on top of its keys and values.

Keys and values of a token depend on what stands before it, so those of the prefix serve every continuation. Where the
layers are plain attention all questions go in one pass, each seeing the prefix and itself; else (linear attention,
sliding windows) one after the other on copies. Both equal separate passes. FlashAttention takes no mask that says so:
it computes the prefix, where there is most to gain, and PyTorch's attention the questions on its keys and values.
"""

from __future__ import annotations

import copy
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TOKENS_AT_ONCE = 1024
"""Most question tokens in one pass: bounds the mask and the logits."""

_MASKED = ("sdpa", "eager")
"""Attention that takes a mask of any form."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """What was computed of a prefix.

    Attributes:
        cache: a transformers cache; never changed, continuations go on :meth:`fork` of it.
        length: tokens in it.
        shift: what to add to the positions of later tokens. Qwen's multimodal RoPE gives a picture fewer positions than
            tokens; None for models with one position a token.
    """

    cache: Any
    length: int
    shift: int | None

    def fork(self) -> Any:
        """A cache that may grow. Plain layers share the prefix's tensors: growing makes new ones."""
        forked = copy.copy(self.cache)
        forked.layers = [copy.copy(e) if _plain(e) else copy.deepcopy(e) for e in self.cache.layers]
        return forked

    @property
    def nbytes(self) -> int:
        """Bytes of the cache's tensors."""
        return sum(_nbytes(value) for layer in self.cache.layers for value in vars(layer).values())

    @property
    def plain(self) -> bool:
        """Whether every layer keeps one key and value per token, and nothing else."""
        return all(_plain(layer) for layer in self.cache.layers)


def prefill(model: Any, inputs: dict[str, Any]) -> Prefix:
    """Runs the prefix once.

    Args:
        model: a transformers image-text-to-text model.
        inputs: of one sequence, on any device.
    """
    held = _where_shift_lies(model)
    if held is not None:
        held.rope_deltas = None  # of the images before
    given = {name: _placed(value, model) for name, value in inputs.items()}
    with torch.inference_mode():
        output = model(**given, use_cache=True, logits_to_keep=1)
    shift = None if held is None or held.rope_deltas is None else int(held.rope_deltas.reshape(-1)[0])
    return Prefix(output.past_key_values, int(inputs["input_ids"].shape[1]), shift)


def last_logits(
    model: Any, prefix: Prefix, suffixes: Sequence[Sequence[int]], at_once: int | None = None
) -> Iterator[Tensor]:
    """For each continuation of the prefix the logits of the token after it: (vocabulary,), float32, in their order.

    Args:
        at_once: most question tokens in one pass, default :data:`TOKENS_AT_ONCE`; 0: each question on its own.
    """
    together = prefix.plain and (_attention(model) in _MASKED or model._can_set_attn_implementation())
    for group in (
        _groups(suffixes, TOKENS_AT_ONCE if at_once is None else at_once)
        if together
        else [[suffix] for suffix in suffixes]
    ):
        with torch.inference_mode(), _masked(model, len(group)):
            found = list(_run(model, prefix, group))
        yield from found


def greedy(model: Any, prefix: Prefix, suffix: Sequence[int], ends: frozenset[int], most: int) -> list[int]:
    """The likeliest token, again and again, until one of ``ends`` (left out) or ``most`` tokens."""
    cache, position, written = prefix.fork(), prefix.length, list[int]()
    pending = list(suffix)
    while len(written) < most:
        with torch.inference_mode():
            output = model(
                input_ids=torch.tensor([pending], device=model.device),
                position_ids=_positions(model, prefix, torch.arange(position, position + len(pending))),
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        position += len(pending)
        token = int(output.logits[0, -1].argmax())
        if token in ends:
            break
        written.append(token)
        pending = [token]
    return written


def _run(model: Any, prefix: Prefix, group: Sequence[Sequence[int]]) -> Iterator[Tensor]:
    lengths = [len(suffix) for suffix in group]
    places = torch.cat([torch.arange(prefix.length, prefix.length + n) for n in lengths])
    options: dict[str, Any] = {}
    if len(group) > 1:
        options["attention_mask"] = _mask(prefix.length, lengths, model)
    output = model(
        input_ids=torch.tensor([[token for suffix in group for token in suffix]], device=model.device),
        position_ids=_positions(model, prefix, places),
        past_key_values=prefix.fork(),
        use_cache=True,
        logits_to_keep=torch.tensor(lengths, device=model.device).cumsum(0) - 1,
        **options,
    )
    yield from output.logits[0].float()


def _attention(model: Any) -> str:
    return str(model.config.get_text_config()._attn_implementation)


@contextmanager
def _masked(model: Any, questions: int) -> Generator[None]:
    """While several questions go at once: attention that takes a mask."""
    usual = _attention(model)
    if questions == 1 or usual in _MASKED:
        yield
        return
    model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        model.set_attn_implementation(usual)


def _mask(before: int, lengths: Sequence[int], model: Any) -> Tensor:
    """1 x 1 x n x (before + n), added to attention: 0 for the prefix and one's own earlier tokens, else the least."""
    owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    own = (owner[:, None] == owner[None, :]).tril()
    seen = torch.cat([torch.ones(len(owner), before, dtype=torch.bool), own], dim=1)
    mask = torch.zeros(seen.shape, dtype=model.dtype).masked_fill_(~seen, torch.finfo(model.dtype).min)
    return mask[None, None].to(model.device)


def _positions(model: Any, prefix: Prefix, places: Tensor) -> Tensor:
    """1 x n, or 3 x 1 x n (time, height, width: the same for text) where the model counts pictures otherwise."""
    placed = places.to(model.device)[None]
    return placed if prefix.shift is None else (placed + prefix.shift)[None].expand(3, -1, -1)


def _groups(suffixes: Sequence[Sequence[int]], most: int) -> Iterator[list[Sequence[int]]]:
    group: list[Sequence[int]] = []
    for suffix in suffixes:
        if group and sum(map(len, group)) + len(suffix) > most:
            yield group
            group = []
        group.append(suffix)
    if group:
        yield group


def _where_shift_lies(model: Any) -> Any:
    inner = getattr(model, "model", None)
    return inner if hasattr(inner, "rope_deltas") else None


def _placed(value: Any, model: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.to(model.device, model.dtype) if value.is_floating_point() else value.to(model.device)


def _nbytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return sum(_nbytes(part) for part in parts)


def _plain(layer: Any) -> bool:
    from transformers.cache_utils import DynamicLayer

    return type(layer) is DynamicLayer
