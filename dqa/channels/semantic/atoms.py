"""A prompt's atoms: the single things it asks for, each a question with yes or no (DSG, Cho et al. 2024).

An atom that rests on another (an attribute on its object) holds at most as much as that one does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dqa.models.vlm.safety import quoted
from dqa.prompt.parse import Entity, Prompt
from dqa.prompt.tagging import Word, tag_words

Kind = Literal["object", "attribute", "count", "relation", "action", "style"]

MAX_ATOMS = 24
_LONGEST_ACTION = 6
_ACTION_ENDS = ("stop", "conj", "style")


@dataclass(frozen=True, slots=True)
class Atom:
    """One thing asked for.

    Attributes:
        text: in the prompt's words ("red car", "wolf prowling through moonlit forest").
        question: what the judge is asked; ``{noun}`` is "video" or "image".
        parent: index of the atom it rests on; None for one that stands by itself.
    """

    kind: Kind
    text: str
    question: str
    parent: int | None = None


def atoms(prompt: Prompt) -> tuple[Atom, ...]:
    """The atoms of a prompt, at most :data:`MAX_ATOMS`, objects first, each text once.

    >>> from dqa.prompt import parse_prompt
    >>> [(a.kind, a.text) for a in atoms(parse_prompt("a dark wolf prowling through a forest"))]
    [('object', 'wolf'), ('object', 'forest'), ('attribute', 'dark wolf'), ('relation', 'dark wolf in forest'), \
('action', 'wolf prowling through a forest')]
    """
    found: dict[tuple[Kind, str], Atom] = {}
    places: dict[str, int] = {}
    for entity in prompt.entities:
        places.setdefault(entity.head, len(places))
        _add(found, Atom("object", entity.head, _shows(entity.head)))
    for atom in (*_described(prompt, places), *_actions(prompt), *_styles(prompt)):
        _add(found, atom)
    return tuple(found.values())[:MAX_ATOMS]


def _add(found: dict[tuple[Kind, str], Atom], atom: Atom) -> None:
    found.setdefault((atom.kind, atom.text.lower()), atom)


def _shows(text: str) -> str:
    return f"Does this {{noun}} show {quoted(text)}? Please answer Yes or No."


def _described(prompt: Prompt, places: dict[str, int]) -> Iterator[Atom]:
    for entity in prompt.entities:
        yield from _of(entity, places[entity.head])
    for relation in prompt.relations:
        a, b = prompt.entities[relation.subject], prompt.entities[relation.object]
        text = f"{a.text} {relation.name} {b.text}"
        asked = f"In this {{noun}}, is {quoted(a.text)} {relation.name} {quoted(b.text)}? Please answer Yes or No."
        yield Atom("relation", text, asked, places[a.head])


def _of(entity: Entity, parent: int) -> Iterator[Atom]:
    for attribute in entity.attributes:
        text = f"{attribute} {entity.head}"
        yield Atom("attribute", text, _shows(text), parent)
    if entity.count is not None:
        text = f"{entity.count} {entity.head}"
        asked = f"Does this {{noun}} show exactly {entity.count} of {quoted(entity.head)}? Please answer Yes or No."
        yield Atom("count", text, asked, parent)


def _styles(prompt: Prompt) -> Iterator[Atom]:
    """Styles; sizes such as "4k" are left out, since the judge sees the frames scaled down."""
    for style in prompt.style:
        if not any(c.isdigit() for c in style):
            asked = f"Is this {{noun}} made in the style {quoted(style)}? Please answer Yes or No."
            yield Atom("style", style, asked)


def _actions(prompt: Prompt) -> Iterator[Atom]:
    """Each verb with who does it and what follows, up to the next stop."""
    words = tag_words(prompt.text)
    for i, word in enumerate(words):
        doer = next((w for w in reversed(words[:i]) if w.tag in ("noun", "stop")), None)
        if word.tag != "verb" or doer is None or doer.tag == "stop":
            continue
        text = " ".join((doer.text, *(w.text for w in _phrase(words, i))))
        yield Atom("action", text, _shows(text))


def _phrase(words: list[Word], start: int) -> Iterator[Word]:
    for place, word in enumerate(words[start : start + _LONGEST_ACTION]):
        if place and (word.tag in _ACTION_ENDS or word.tag == "verb"):
            return
        yield word
