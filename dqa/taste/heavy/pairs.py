"""From a user's choices to clean pairs for DPO, and their split into training and held-out pairs."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from dqa.taste.choice import Outcome

WEIGHT_CAP = 3
"""The same choice again weighs more, up to this: nobody can flood a model with one pair."""

MIN_HELD_OUT = 20
"""Fewer held-out pairs can't tell a better adapter from a lucky one; then nothing is trained."""

HELD_OUT_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Clip:
    """One side of a choice.

    Attributes:
        id: the evaluation's.
        video: what tells the file apart (its SHA-256): a clip evaluated twice is one clip.
        brief: the prompt it was made from.
        text: its evidence (:func:`~dqa.taste.heavy.rendering.render_clip`).
    """

    id: str
    video: str
    brief: str
    text: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """A choice whose clips are known; ``seq`` is its place in the log."""

    seq: int
    a: Clip
    b: Clip
    chosen: Outcome


@dataclass(frozen=True, slots=True)
class Pair:
    """A decided choice, collapsed.

    Attributes:
        chosen, rejected: the clips.
        weight: how often it was chosen so, 1 to :data:`WEIGHT_CAP`.
        seq: the newest choice behind it.
    """

    chosen: Clip
    rejected: Clip
    weight: int
    seq: int


@dataclass(frozen=True, slots=True)
class Clean:
    """The pairs, oldest first, and how many choices were left out for which reason."""

    pairs: tuple[Pair, ...]
    dropped: dict[str, int]


@dataclass(frozen=True, slots=True)
class Split:
    """Pairs that share neither a prompt nor a video across the two sides."""

    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]

    @property
    def enough(self) -> bool:
        """Whether an adapter can be trained and judged on it."""
        return len(self.held_out) >= MIN_HELD_OUT and len(self.train) >= len(self.held_out)


def clean(choices: Iterable[Resolved]) -> Clean:
    """One pair for each two clips that were compared: the newest word counts, and a tie says there is no preference.

    Dropped: choices between clips of different prompts (DPO compares two answers to one prompt), between clips whose
    evidence is the same, ties, and what a newer choice contradicts. What says the same again adds weight.
    """
    dropped: dict[str, int] = defaultdict(int)
    compared: dict[frozenset[str], list[Resolved]] = defaultdict(list)
    for choice in sorted(choices, key=lambda c: c.seq):
        reason = _unusable(choice)
        if reason:
            dropped[reason] += 1
        else:
            compared[frozenset((choice.a.video, choice.b.video))].append(choice)
    pairs = [pair for group in compared.values() if (pair := _collapsed(group, dropped)) is not None]
    return Clean(tuple(sorted(pairs, key=lambda p: p.seq)), {why: n for why, n in dropped.items() if n})


def split(pairs: Sequence[Pair], seed: int = 0) -> Split:
    """Holds out about a fifth of the pairs, at least :data:`MIN_HELD_OUT`, in whole groups.

    A group is all that hangs together by a shared prompt or video. Groups are taken in the order of a hash of their
    name, so that those held out once mostly stay so when more choices come.
    """
    wanted = max(MIN_HELD_OUT, round(HELD_OUT_SHARE * len(pairs)))
    held: set[int] = set()
    for group in sorted(_groups(pairs), key=lambda g: _rank(pairs, g, seed)):
        if len(held) >= wanted:
            break
        if len(held) + len(group) <= 2 * wanted:  # one large group must not take everything
            held.update(group)
    return Split(
        tuple(p for i, p in enumerate(pairs) if i not in held), tuple(p for i, p in enumerate(pairs) if i in held)
    )


def _unusable(choice: Resolved) -> str | None:
    if choice.a.brief != choice.b.brief:
        return "different prompts"
    if choice.a.video == choice.b.video or choice.a.text == choice.b.text:
        return "same evidence"
    return None


def _collapsed(group: Sequence[Resolved], dropped: dict[str, int]) -> Pair | None:
    newest = group[-1]
    if newest.chosen == "tie":
        dropped["tie"] += len(group)
        return None
    winner = _sides(newest)[0].video
    agreeing = [c for c in group if c.chosen != "tie" and _sides(c)[0].video == winner]
    dropped["tie"] += sum(c.chosen == "tie" for c in group)
    dropped["contradicted"] += sum(c.chosen != "tie" for c in group) - len(agreeing)
    chosen, rejected = _sides(newest)
    return Pair(chosen, rejected, min(WEIGHT_CAP, len(agreeing)), newest.seq)


def _sides(choice: Resolved) -> tuple[Clip, Clip]:
    """Chosen, rejected; for a tie as they stand."""
    return (choice.b, choice.a) if choice.chosen == "b" else (choice.a, choice.b)


def _groups(pairs: Sequence[Pair]) -> list[list[int]]:
    """Indices of the pairs by connected component over prompts and videos."""
    parent = list(range(len(pairs)))
    root = _finder(parent)
    first: dict[tuple[str, str], int] = {}
    for i, pair in enumerate(pairs):
        for key in (("p", pair.chosen.brief), ("v", pair.chosen.video), ("v", pair.rejected.video)):
            parent[root(i)] = root(first.setdefault(key, i))
    groups: dict[int, list[int]] = defaultdict(list)
    for i in range(len(pairs)):
        groups[root(i)].append(i)
    return list(groups.values())


def _finder(parent: list[int]) -> Callable[[int], int]:
    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    return root


def _rank(pairs: Sequence[Pair], group: Sequence[int], seed: int) -> str:
    name = min(pairs[i].chosen.brief for i in group)
    return hashlib.sha256(f"{seed}\n{name}".encode()).hexdigest()
