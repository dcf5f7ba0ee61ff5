"""A prompt's atoms: the single things it asks for, each a question with yes or no (DSG, Cho et al. 2024).

An atom that rests on others (an attribute on its object, a relation and an action on all that they are between) holds
at most as much as the least of them does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from dqa.channels.semantic.clauses import length
from dqa.models.vlm.safety import quoted
from dqa.prompt.parse import Entity, Prompt
from dqa.prompt.phrases import noun_phrases
from dqa.prompt.tagging import Word, tag_words

Kind = Literal["object", "attribute", "count", "relation", "action", "style"]

MAX_ATOMS = 24
LONGEST = 60
"""Words of an atom that is still a single thing; a longer one is a text that the parser could not take apart."""

_LONGEST_ACTION = 6
_ACTION_ENDS = ("stop", "conj", "style")


@dataclass(frozen=True, slots=True)
class Atom:
    """One thing asked for.

    Attributes:
        text: in the prompt's words ("red car", "wolf prowling through moonlit forest").
        question: what the judge is asked; ``{noun}`` is "video" or "image".
        parents: indexes of the atoms it rests on; none for one that stands by itself.
    """

    kind: Kind
    text: str
    question: str
    parents: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class _Draft:
    """An atom that names what it rests on by the heads of its objects."""

    kind: Kind
    text: str
    question: str
    heads: tuple[str, ...] = ()


def atoms(prompt: Prompt) -> tuple[Atom, ...]:
    """The atoms of a prompt, at most :data:`MAX_ATOMS`, objects first, each text once.

    >>> from dqa.prompt import parse_prompt
    >>> [(a.kind, a.text) for a in atoms(parse_prompt("a dark wolf prowling through a forest"))]
    [('object', 'wolf'), ('object', 'forest'), ('attribute', 'dark wolf'), ('relation', 'dark wolf in forest'), \
('action', 'wolf prowling through a forest')]
    """
    drafts = [draft for draft in _drafts(prompt) if length(draft.text) <= LONGEST][:MAX_ATOMS]
    places = {draft.text: place for place, draft in enumerate(drafts) if draft.kind == "object"}
    return tuple(
        Atom(d.kind, d.text, d.question, tuple(places[head] for head in d.heads if head in places)) for d in drafts
    )


def left_out(prompt: Prompt) -> tuple[str, ...]:
    """The kinds and texts of what a prompt asks for beyond :data:`MAX_ATOMS` and :data:`LONGEST`."""
    kept = {(atom.kind, atom.text) for atom in atoms(prompt)}
    return tuple(f"{draft.kind} {draft.text}" for draft in _drafts(prompt) if (draft.kind, draft.text) not in kept)


def _drafts(prompt: Prompt) -> Iterable[_Draft]:
    objects = [_Draft("object", entity.head, _shows(entity.head)) for entity in prompt.entities]
    found: dict[tuple[Kind, str], _Draft] = {}
    for draft in (*objects, *_described(prompt), *_actions(prompt), *_styles(prompt)):
        found.setdefault((draft.kind, draft.text.lower()), draft)
    return found.values()


def _shows(text: str) -> str:
    return f"Does this {{noun}} show {quoted(text)}? Please answer Yes or No."


def _described(prompt: Prompt) -> Iterator[_Draft]:
    for entity in prompt.entities:
        yield from _of(entity)
    for relation in prompt.relations:
        a, b = prompt.entities[relation.subject], prompt.entities[relation.object]
        text = f"{a.text} {relation.name} {b.text}"
        asked = f"In this {{noun}}, is {quoted(a.text)} {relation.name} {quoted(b.text)}? Please answer Yes or No."
        yield _Draft("relation", text, asked, (a.head, b.head))


def _of(entity: Entity) -> Iterator[_Draft]:
    for attribute in entity.attributes:
        text = f"{attribute} {entity.head}"
        yield _Draft("attribute", text, _shows(text), (entity.head,))
    if entity.count is not None:
        text = f"{entity.count} {entity.head}"
        asked = f"Does this {{noun}} show exactly {entity.count} of {quoted(entity.head)}? Please answer Yes or No."
        yield _Draft("count", text, asked, (entity.head,))


def _styles(prompt: Prompt) -> Iterator[_Draft]:
    """Styles; sizes such as "4k" are left out, since the judge sees the frames scaled down."""
    for style in prompt.style:
        if not any(c.isdigit() for c in style):
            asked = f"Is this {{noun}} made in the style {quoted(style)}? Please answer Yes or No."
            yield _Draft("style", style, asked)


def _actions(prompt: Prompt) -> Iterator[_Draft]:
    """Each verb with who does it and what follows, up to the next stop; it rests on every thing that it names."""
    words = tag_words(prompt.text)
    heads = {phrase.end - 1: phrase.entity.head for phrase in noun_phrases(words)}
    for i, word in enumerate(words):
        doer = next((k for k in reversed(range(i)) if words[k].tag in ("noun", "stop")), None)
        if word.tag != "verb" or doer is None or words[doer].tag == "stop":
            continue
        followed = list(_phrase(words, i))
        text = " ".join((words[doer].text, *(w.text for w in followed)))
        named = [heads[k] for k in (doer, *range(i, i + len(followed))) if k in heads]
        yield _Draft("action", text, _shows(text), tuple(dict.fromkeys(named)))


def _phrase(words: list[Word], start: int) -> Iterator[Word]:
    for place, word in enumerate(words[start : start + _LONGEST_ACTION]):
        if place and (word.tag in _ACTION_ENDS or word.tag == "verb"):
            return
        yield word
