"""A run as one HTML file: attempts side by side, what changed in the prompt, what each got. No network, no script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Literal

from jinja2 import FileSystemLoader

from dqa.refine.loop import Ended
from dqa.refine.record import Cycle
from dqa.report.templating import templates

_TEMPLATES = Path(__file__).parent / "templates"
_PAGES = templates(FileSystemLoader(_TEMPLATES))
_WORD = re.compile(r"\s+|[^\s,.;:]+|[,.;:]")

Still = Callable[[Path], bytes | None]
"""A clip's representative frame as JPEG; None where the clip is gone."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a prompt, by what became of it."""

    change: Literal["same", "added", "removed"]
    text: str


def refinement_page(ended: Ended, variations: Sequence[Cycle], still: Still) -> str:
    """The page; the same page for the same run.

    Args:
        ended: the run.
        variations: further clips of the best prompt, for the user to choose between.
        still: shows a clip.
    """
    style = (_TEMPLATES / "refinement.css").read_text(encoding="utf-8")
    cycles = ended.record.cycles
    return _PAGES.get_template("refinement.html").render(
        run=ended.record,
        reason=ended.reason,
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii"),
        attempts=[
            (cycle, list(changes), _uri(still(Path(cycle.media))))
            for cycle, changes in zip(cycles, _changes(cycles), strict=True)
        ],
        variations=[(cycle, _uri(still(Path(cycle.media)))) for cycle in variations],
    )


def difference(old: str, new: str) -> Iterator[Piece]:
    """What became of a prompt, word by word.

    >>> [(piece.change, piece.text) for piece in difference("a wolf", "forest, a wolf")]
    [('added', 'forest, '), ('same', 'a wolf')]
    """
    one, two = _WORD.findall(old), _WORD.findall(new)
    for kind, a, b, c, d in SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(two[c:d]))
            continue
        if a < b:
            yield Piece("removed", "".join(one[a:b]))
        if c < d:
            yield Piece("added", "".join(two[c:d]))


def _changes(cycles: Sequence[Cycle]) -> Iterator[Iterator[Piece]]:
    yield from (iter([Piece("same", cycle.prompt)]) for cycle in cycles[:1])
    yield from (difference(one.prompt, other.prompt) for one, other in pairwise(cycles))


def _uri(jpeg: bytes | None) -> str:
    return "" if jpeg is None else f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"
