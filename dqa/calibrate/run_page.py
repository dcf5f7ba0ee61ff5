"""A run as one HTML file: the pictures side by side, what helped, every step. No network, no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader

from dqa.calibrate.climb import Step
from dqa.calibrate.loop import Outcome
from dqa.calibrate.run_summary import REASONS
from dqa.calibrate.view import View
from dqa.clip.frame import Frame
from dqa.errors import DQAError
from dqa.report.pictures import Picture, picture
from dqa.report.templating import templates

_TEMPLATES = Path(__file__).parent / "templates"
_PAGES = templates(FileSystemLoader(_TEMPLATES))
_LARGE, _LARGE_BYTES = 480, 60_000
_SMALL, _SMALL_BYTES = 120, 6_000

Look = Callable[[Path], View]


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with its title."""

    title: str
    uri: str
    width: int
    height: int


def run_page(run: Mapping[str, Any], outcome: Outcome, folder: Path, reference: Path | None, look: Look) -> str:
    """The page.

    Args:
        run: what :func:`~dqa.calibrate.run_summary.summary` gave.
        outcome: the run.
        folder: where its pictures lie; one that is gone is left out.
        reference: the reference picture, if there is one.
        look: opens a picture.
    """
    steps = [*outcome.climb.steps, *outcome.seeds]
    still = cache(partial(_still, look=look))
    style = (_TEMPLATES / "run.css").read_text(encoding="utf-8")
    large = [
        ("reference", reference),
        ("first prompt", folder / outcome.climb.steps[0].file),
        ("best prompt", folder / outcome.best.file),
    ]
    shown = [(title, _picture(still(path), _LARGE, _LARGE_BYTES)) for title, path in large if path is not None]
    return _PAGES.get_template("run.html").render(
        run=run,
        why=REASONS[outcome.reason],
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii"),
        pictures=[Shown(title, one.uri, one.width, one.height) for title, one in shown if one is not None],
        unjudged=_by_reason(run["unjudged"]),
        rows=list(_rows(steps, outcome, folder, still)),
    )


def _rows(
    steps: Sequence[Step], outcome: Outcome, folder: Path, still: Callable[[Path], Frame | None]
) -> Iterator[dict[str, Any]]:
    seeds = {step.number for step in outcome.seeds}
    for step in steps:
        standing = outcome.climb.standing(step)
        kept = "kept" if step.number in outcome.climb.kept else "reverted"
        yield {
            "iter": step.number,
            "axis": " + ".join(step.axes) or ("another seed" if step.number in seeds else "first prompt"),
            "prompt": step.prompt,
            "overall": standing.overall,
            "mismatch_count": standing.mismatches,
            "outcome": f"seed {step.seed}" if step.number in seeds else kept,
            "picture": _picture(still(folder / step.file), _SMALL, _SMALL_BYTES),
        }


def _by_reason(unjudged: Mapping[str, str]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, reason in unjudged.items():
        grouped.setdefault(reason, []).append(name)
    return grouped


def _still(path: Path, look: Look) -> Frame | None:
    try:
        seen = look(path).observation
    except DQAError:
        return None  # taken away since: the figures are in the log, and the page is still of use
    return seen.stills[seen.representative]


def _picture(frame: Frame | None, longest: int, most_bytes: int) -> Picture | None:
    return picture(frame, longest, most_bytes) if frame is not None else None
