"""A prompt from a brief and advice: as the rules of :mod:`dqa.refine` word it."""

from __future__ import annotations

from dqa.refine.wording import compose

__all__ = ["compose"]
