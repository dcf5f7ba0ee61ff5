"""From the text of a prompt to :class:`~dqa.prompt.parse.Prompt`, by rules: same text, same parse, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from dqa.prompt.parse import Entity, Prompt, Relation, RelationName
from dqa.prompt.phrases import Phrase, noun_phrases
from dqa.prompt.relations import relation_between, side_named_after
from dqa.prompt.tagging import Word, tag_words


def parse_prompt(text: str) -> Prompt:
    """Entities, relations and style words of an English prompt; any text at all gives some parse.

    >>> prompt = parse_prompt("a dark wolf prowling through moonlit forest, 4k")
    >>> [e.head for e in prompt.entities], prompt.style
    (['wolf', 'forest'], ('4k',))
    >>> [(r.subject, r.name, r.object) for r in prompt.relations]
    [(0, 'in', 1)]
    """
    words = tag_words(text)
    phrases = noun_phrases(words)
    entities, index = _merge(phrases)
    relations = [*_stated(words, phrases, index), *_sides(words, phrases, index)]
    return Prompt(text, tuple(entities), tuple(dict.fromkeys(relations)), _style(words))


def _merge(phrases: Sequence[Phrase]) -> tuple[list[Entity], list[int]]:
    """Entities, each once, and the entity that each phrase names: "the wolf" is the wolf named before."""
    entities: list[Entity] = []
    attributes: list[frozenset[str]] = []  # of each entity; built anew for each phrase, time would be quadratic
    by_head: dict[str, int] = {}
    index: list[int] = []
    for phrase in phrases:
        entity, theirs = phrase.entity, frozenset(phrase.entity.attributes)
        known = by_head.get(entity.head)
        if known is None or not _same(attributes[known], theirs, phrase.definite):
            known = len(entities)
            entities.append(entity)
            attributes.append(theirs)
        else:
            adds = not theirs <= attributes[known]  # then all of the entity's are among theirs
            entities[known] = _joined(entities[known], entity, adds=adds)
            attributes[known] = theirs if adds else attributes[known]
        by_head[entity.head] = known
        index.append(known)
    return entities, index


def _same(mine: frozenset[str], theirs: frozenset[str], definite: bool) -> bool:
    return mine <= theirs or (definite and theirs <= mine)


def _joined(known: Entity, again: Entity, *, adds: bool) -> Entity:
    attributes = tuple(dict.fromkeys((*known.attributes, *again.attributes))) if adds else known.attributes
    return replace(known, attributes=attributes, count=known.count or again.count)


def _stated(words: Sequence[Word], phrases: Sequence[Phrase], index: Sequence[int]) -> list[Relation]:
    found: list[Relation] = []
    for k in range(len(phrases) - 1):
        name = relation_between(words[phrases[k].end : phrases[k + 1].start])
        if name is not None and index[k] != index[k + 1]:
            found.append(Relation(index[k], name, index[k + 1]))
    return found


def _sides(words: Sequence[Word], phrases: Sequence[Phrase], index: Sequence[int]) -> list[Relation]:
    sided: list[tuple[int, RelationName]] = [
        (index[k], side)
        for k, phrase in enumerate(phrases)
        if (side := side_named_after(words[phrase.end : phrases[k + 1].start if k + 1 < len(phrases) else None]))
    ]
    return [Relation(a, name, b) for (a, name), (b, other) in pairwise(sided) if name != other and a != b]


def _style(words: Sequence[Word]) -> tuple[str, ...]:
    runs: list[list[str]] = []
    for i, word in enumerate(words):
        if word.tag != "style":
            continue
        if i and words[i - 1].tag == "style":
            runs[-1].append(word.low)
        else:
            runs.append([word.low])
    return tuple(dict.fromkeys(" ".join(run) for run in runs))
