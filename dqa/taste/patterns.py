"""What goes with rejection and with being chosen, in words that a person and an agent can act on.

For each feature, the choices whose clips differ in it are counted by which side was rejected, and the sign test asks
whether that could be chance. Many features are looked at, so what is said is bounded by false discovery
(:data:`LEVEL`). A pair that was chosen between several times counts once, as it was chosen last. Among features that
say the same thing only the most specific is named (:mod:`dqa.taste.distinct`).

Order: by the lower end of the 90 % interval in the newest :data:`NEWEST` choices. What those contradict is left out,
and what is surer in them alone is said of them alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dqa.taste import naming
from dqa.taste.choice import Choice
from dqa.taste.distinct import distinct
from dqa.taste.features import GROUPS, NAMES, Vector
from dqa.taste.sign_test import believed, sign_test
from dqa.taste.wilson import wilson

MIN_GAP = 0.2
"""Centred and scaled units (0.05 of a score): smaller differences between two clips say nothing."""

MIN_CHOICES = 5
"""Fewer choices that tell a feature apart can't be surprising enough, however they went: 4 of 4 happens by chance
in one of eight."""

LEVEL = 0.1
"""The share of false findings that is borne; with choices at random, the chance of saying anything at all."""

NEWEST = 40
MOST = 8
"""Patterns named at most; of them :data:`MOST_REASONS` ticked reasons."""

MOST_REASONS, MIN_REASONS = 2, 4
"""A reason that was ticked less often makes no pattern."""

Fate = Literal["rejected", "chosen"]

_TOLD = [
    i for i, name in enumerate(NAMES) if name in {n for g in ("scores", "look", "prompt", "style") for n in GROUPS[g]}
]
"""Features that a pattern may name: not what no prompt can change (history, embedding, the adapter's reward)."""

_LEVELLED = ("channel:", "dimension:", "axis:", "look:")
_PHRASED = {"prompt", "style"}


@dataclass(frozen=True, slots=True)
class Pattern:
    """One thing that goes with a clip's fate.

    Attributes:
        feature: its name (:data:`~dqa.taste.features.NAMES`), or ``why:`` and a ticked reason.
        way: how the clips of that fate lie in it.
        fate: what happens to them.
        count, of: in how many of the choices that tell.
        low, high: 90 % Wilson interval of that share.
        newest: whether only the newest choices were counted.
        level: where the two sides part, as a score in [0, 1]; None where there is no such scale.
        strength: what patterns are ordered by.
    """

    feature: str
    way: naming.Way
    fate: Fate
    count: int
    of: int
    low: float
    high: float
    newest: bool = False
    level: float | None = None
    strength: float = 0.0

    @property
    def key(self) -> str:
        """What it says without the counts: the same key is the same pattern, seen more often; see :func:`key_of`."""
        kind, _, name = self.feature.partition(":")
        if kind == "why":
            return f'decided by "{name}"'
        if kind == "tag":
            return f"prompts with {naming.words(self.feature, self.way)}"
        if kind in _PHRASED:
            return naming.words(self.feature, self.way)
        return f"{self.way} {naming.noun(self.feature)}"

    def sentence(self) -> str:
        """The pattern for an agent and a person."""
        side = "above" if self.way == "high" else "below"
        level = "" if self.level is None else f" ({side} about {self.level:.2f})"
        interval = f"90 % interval {100 * self.low:.0f}-{100 * self.high:.0f} %"
        if self.feature.startswith("why:"):
            return f"{self.key}: the reason in {self.count} of {self.of} choices that name one ({interval})"
        newest = "the newest " if self.newest else ""
        advice = naming.wish(self.feature, self._wanted)
        counted = f"{self.fate} in {self.count} of {newest}{self.of} choices that differ in it ({interval})"
        return f"{self.key}{level}: {counted}{f'; {advice}' if advice else ''}"

    @property
    def _wanted(self) -> naming.Way:
        if self.fate == "chosen":
            return self.way
        return "high" if self.way == "low" else "low"


def key_of(sentence: str) -> str:
    """The :attr:`Pattern.key` of a sentence, so that a pattern whose count has grown is not taken for a new one.

    >>> key_of("low motion smoothness (below about 0.62): rejected in 14 of 16 choices that differ in it")
    'low motion smoothness'
    """
    return sentence.partition(": ")[0].partition(" (")[0]


def failure_patterns(choices: Sequence[Choice], most: int = MOST) -> tuple[Pattern, ...]:
    """What goes with rejection, strongest in the newest choices first.

    Args:
        choices: of one user and profile, oldest first; ties tell nothing here.
        most: how many to report at most.
    """
    return _patterns(choices, "rejected", most)


def winning_patterns(choices: Sequence[Choice], most: int = MOST) -> tuple[Pattern, ...]:
    """What goes with being chosen: the same findings, from the other side."""
    return _patterns(choices, "chosen", most)


def _patterns(choices: Sequence[Choice], fate: Fate, most: int) -> tuple[Pattern, ...]:
    decided = _last_of_each_pair([c for c in choices if c.chosen != "tie"])
    if not decided:
        return ()
    a, b = np.stack([c.a for c in decided]), np.stack([c.b for c in decided])
    won = np.array([c.chosen == "a" for c in decided])[:, None]
    gaps, middles = np.where(won, b - a, a - b), (a + b) / 2
    tested = [(i, *_newest_or_all(gaps[:, i])) for i in _TOLD]
    tested = [entry for entry in tested if _tells(gaps[:, entry[0]]).sum() >= MIN_CHOICES]
    held = believed([chance for _, chance, _ in tested], LEVEL)
    found = [
        _pattern(i, gaps[:, i], middles[:, i], newest, fate)
        for (i, _, newest), holds in zip(tested, held, strict=True)
        if holds
    ]
    by_name = {p.feature: p for p in found if p is not None}
    told = distinct({name: p.strength for name, p in by_name.items()}, np.concatenate([a, b]))
    reasons = _reasons(decided, fate)
    features = _strongest([by_name[name] for name in told])[: most - len(reasons)]
    return tuple(_strongest([*features, *reasons]))


def _strongest(patterns: Sequence[Pattern]) -> list[Pattern]:
    return sorted(patterns, key=lambda p: (-p.strength, -p.of, p.feature))


def _last_of_each_pair(decided: Sequence[Choice]) -> list[Choice]:
    """One choice an unordered pair, the last; choices whose clips are unknown all stay."""
    last = {frozenset(c.clips) if all(c.clips) else n: n for n, c in enumerate(decided)}
    kept = set(last.values())
    return [c for n, c in enumerate(decided) if n in kept]


def _tells(gaps: Vector) -> NDArray[np.bool_]:
    return np.abs(gaps) >= MIN_GAP  # false for NaN


def _split(gaps: Vector) -> tuple[int, int]:
    """In how many choices the rejected clip was lower, and in how many they differ."""
    telling = gaps[_tells(gaps)]
    return int(np.sum(telling < 0)), len(telling)


def _newest_or_all(gaps: Vector) -> tuple[float, bool]:
    """The chance of such a split by chance, and whether it is the newest choices that are so uneven.

    Looking twice doubles the chance (Bonferroni).
    """
    whole = sign_test(*_split(gaps)) if _tells(gaps).any() else 1.0
    if len(gaps) <= NEWEST:
        return whole, False
    recent = sign_test(*_split(gaps[-NEWEST:])) if _tells(gaps[-NEWEST:]).any() else 1.0
    return min(1.0, 2 * min(whole, recent)), recent < whole


def _pattern(i: int, gaps: Vector, middles: Vector, newest: bool, fate: Fate) -> Pattern | None:
    """The pattern of feature ``i``; None when the newest choices say otherwise."""
    counted = slice(-NEWEST if newest else None, None)
    lower, of = _split(gaps[counted])
    falls = 2 * lower >= of  # low clips are rejected
    count = lower if falls else of - lower
    recent_lower, recent_of = _split(gaps[-NEWEST:])
    recent = recent_lower if falls else recent_of - recent_lower
    if recent_of and 2 * recent <= recent_of:
        return None
    telling = _tells(gaps[counted])
    level = float(np.clip(0.5 + 0.25 * np.median(middles[counted][telling]), 0, 1))
    return Pattern(
        NAMES[i],
        "low" if falls == (fate == "rejected") else "high",
        fate,
        count,
        of,
        *wilson(count, of),
        newest=newest,
        level=level if NAMES[i].startswith(_LEVELLED) else None,
        strength=wilson(recent, recent_of)[0] if recent_of else 0.0,
    )


def _reasons(decided: Sequence[Choice], fate: Fate) -> list[Pattern]:
    """The reasons that were ticked most among the newest choices that name one."""
    ticked = [{word for text in c.why if (word := _word(text))} for c in decided]
    ticked = [words for words in ticked if words][-NEWEST:]
    counts = Counter(word for words in ticked for word in sorted(words))
    often = [(word, n) for word, n in counts.most_common(MOST_REASONS) if n >= MIN_REASONS]
    intervals = [wilson(n, len(ticked)) for _, n in often]
    return [
        Pattern(f"why:{word}", "high", fate, n, len(ticked), low, high, strength=low)
        for (word, n), (low, high) in zip(often, intervals, strict=True)
    ]


def _word(text: str) -> str:
    """A reason on one line, without what would read as part of the sentence around it."""
    return " ".join("".join(c if c.isprintable() and c not in '":()' else " " for c in text).split())[:60]
