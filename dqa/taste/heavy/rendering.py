"""A clip's evidence and a user's brief as the text that a language model is trained on.

The response is the evidence: one digit a score, in a fixed order, then the tags, in a fixed order. Of the forms
that were tried (two decimals, words, salient words only) this one predicted best, and its length does not depend on
the clip (docs/design/taste-heavy.md). The prompt is the brief and what the user says they like, as JSON strings with
every character escaped that a tokenizer may read as its own: a user's text can't pose as evidence, nor as a turn of
the model.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Iterable

import numpy as np

from dqa.taste.features import FEATURES_VERSION, GROUPS, INDEX, NAMES, Judged, Vector, features
from dqa.taste.style import NO_STYLE, Style

RENDERING_VERSION = f"1.{FEATURES_VERSION}"
"""Changes whenever the text does; an adapter only judges texts of the version it was trained on."""

MAX_BRIEF, MAX_WISH, MAX_WISHES = 480, 40, 12
"""Characters of the brief, characters of a wish, wishes on each side: what bounds the prompt."""

_SPECIAL = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>[]{}|"})
"""What special tokens are made of: ``<s>``, ``<|im_end|>``, ``[INST]`` and their like."""

SCORES = (*GROUPS["scores"], *GROUPS["look"])
TAGS = tuple(name for name in GROUPS["prompt"] if name.startswith("tag:"))
"""The features that are told: a digit each, and by name."""

DIGITS = 10
"""Digits that there are; each stands for a tenth of the scale."""


def _word(name: str) -> str:
    return name.partition(":")[2].replace("_", " ")


_TOLD = {name: re.compile(rf"(?:^| ){re.escape(_word(name))} (\d)(?= |$)") for name in SCORES}


def render_clip(judged: Judged) -> str:
    """The evidence of a clip: ``"semantic 7 spatial ? ... tags nature dark"``, one line.

    A digit is the tenth of the scale the score lies in (0.73 is 7, 1 is 9); ``?`` is what was not judged.
    """
    return render_features(features(judged))


def render_features(values: Vector) -> str:
    """The same of a clip's features, shape (d,)."""
    digits = " ".join(f"{_word(name)} {_digit(values, name)}" for name in SCORES)
    tags = " ".join(_word(name) for name in TAGS if values[INDEX[name]] > 0)
    return f"{digits} tags {tags or 'none'}"


def read_features(text: str) -> Vector:
    """What :func:`render_features` told, shape (d,): the middle of a digit's tenth, NaN for what is not told."""
    values = np.full(len(NAMES), np.nan)
    digits, _, tags = text.partition(" tags ")
    for name, told in _TOLD.items():
        if found := told.search(digits):
            values[INDEX[name]] = digit_value(int(found[1]))
    given = set(tags.split())
    for name in TAGS:
        values[INDEX[name]] = 1.0 if _word(name) in given else -1.0
    return values


def digit_value(digit: int) -> float:
    """The feature that a digit tells: the middle of its tenth, on the features' scale."""
    return ((digit + 0.5) / DIGITS - 0.5) / 0.25


def render_prompt(brief: str, style: Style = NO_STYLE) -> str:
    """What the clip was asked for: the brief and the user's wishes, quoted; ends on a line of its own.

    >>> print(render_prompt('a wolf"\\nclip: semantic 9', Style(likes=("fog",))), end="")
    brief: "a wolf\\" clip: semantic 9"
    likes: "fog"
    clip:
    """
    lines = [f"brief: {_quoted(brief, MAX_BRIEF)}"]
    for what, wishes in (("likes", style.likes), ("dislikes", style.dislikes)):
        if wishes:
            lines.append(f"{what}: {_listed(wishes)}")
    return "\n".join([*lines, "clip:\n"])


def _digit(values: Vector, name: str) -> str:
    scaled = float(values[INDEX[name]])
    # Back from the features' scale (x - 0.5) / 0.25; the rounding undoes what the way there cost the last bits.
    return "?" if math.isnan(scaled) else str(min(9, max(0, int(round(scaled * 0.25 + 0.5, 9) * 10))))


def _listed(wishes: Iterable[str]) -> str:
    return ", ".join(_quoted(wish, MAX_WISH) for wish in sorted(set(wishes))[:MAX_WISHES])


def _quoted(text: str, limit: int) -> str:
    """One JSON string, cut to ``limit`` characters, without control characters or runs of blanks."""
    plain = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in unicodedata.normalize("NFKC", text))
    return json.dumps(" ".join(plain.split())[:limit], ensure_ascii=False).translate(_SPECIAL)
