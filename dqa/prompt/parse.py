"""A prompt as data: what should be seen, where, and how demanding it is. (Parsing itself: :func:`parse_prompt`.)"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RelationName = Literal["left of", "right of", "above", "below", "in", "on", "behind", "in front of", "next to"]


@dataclass(frozen=True, slots=True)
class Entity:
    """A noun phrase.

    ``head`` is its singular noun ("wolf"), ``attributes`` its modifiers ("dark"), ``count`` None when unsaid.
    """

    text: str
    head: str
    attributes: tuple[str, ...] = ()
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """``subject`` stands in relation ``name`` to ``object``; both are indexes into ``Prompt.entities``."""

    subject: int
    name: RelationName
    object: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """A parsed prompt. ``style`` holds words on rendering ("4k", "pixar"), which are never entities."""

    text: str
    entities: tuple[Entity, ...] = ()
    relations: tuple[Relation, ...] = ()
    style: tuple[str, ...] = ()
