"""Verdicts as one HTML file that needs no network, runs no script, and shows hostile text as text.

The page carries a Content-Security-Policy that allows the one style sheet it holds (by its hash) and ``data:``
pictures, and nothing else; so even a fault in escaping could load or run nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import FileSystemLoader

from dqa.acceptance.content import Calibration
from dqa.report import words
from dqa.report.anchors import Examples, scales
from dqa.report.compare import in_words, ranked
from dqa.report.curves import HEIGHT, WIDTH, curves
from dqa.report.examples import Earlier, examples
from dqa.report.table import comparison
from dqa.report.templating import templates
from dqa.report.text import clean
from dqa.report.view import ClipView, clip_view

if TYPE_CHECKING:
    from dqa.evaluator import Evaluation

_TEMPLATES = Path(__file__).parent / "templates"
_REPORTS = templates(FileSystemLoader(_TEMPLATES))


def render(evaluations: Sequence[Evaluation], *, title: str = "") -> str:
    """One HTML page on ``evaluations``, best first; the same page for the same records.

    Raises:
        ValueError: there is none.
    """
    return render_views([clip_view(evaluation) for evaluation in evaluations], title=title)


def render_views(
    views: Sequence[ClipView],
    *,
    title: str = "",
    calibrations: Mapping[str, Calibration] | None = None,
    earlier: Earlier | None = None,
) -> str:
    """:func:`render` of what :func:`~dqa.report.view.clip_view` kept, for many clips in little memory.

    Args:
        views: at least one.
        title: of the page; default the clips' names or number.
        calibrations: by profile, for what scores look like; one that a record was not made under is not shown.
        earlier: the user's other clips, which show what scores look like where nothing is calibrated.
    """
    if not views:
        raise ValueError("a report needs at least one evaluation")
    best_first = ranked(views, [view.record for view in views])
    style, versions = _style(), _calibrated_by(best_first)
    return _REPORTS.get_template("report.html").render(
        title=clean(title) or _title(best_first),
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii"),
        views=best_first,
        names=_names(best_first),
        apart=_apart(best_first),
        comparison=comparison([view.record for view in best_first]),
        profiles={view.record.profile: words.profile_words(view.record.profile) for view in best_first},
        scales=scales(versions, calibrations or {}, _own(best_first, versions, earlier)),
        plot=(WIDTH, HEIGHT),
        words=words,
        scale=words.scale(),
        curves=curves,
    )


def _calibrated_by(views: Sequence[ClipView]) -> dict[str, int | None]:
    """The calibration's version of each profile; clips from before a calibration and after show the newest."""
    found: dict[str, int | None] = {}
    for view in views:
        used = view.record.reproduce.calibration
        known = [version for version in (found.get(view.record.profile), used and used.version) if version]
        found[view.record.profile] = max(known, default=None)
    return found


def _own(views: Sequence[ClipView], versions: Mapping[str, int | None], earlier: Earlier | None) -> dict[str, Examples]:
    """The user's own clips for each profile that is not calibrated."""
    if earlier is None:
        return {}
    uncalibrated = [profile for profile, version in versions.items() if version is None]
    return {name: examples([v for v in views if v.record.profile == name], earlier) for name in uncalibrated}


def _title(views: Sequence[ClipView]) -> str:
    return f"{views[0].name}: DQA report" if len(views) == 1 else f"{len(views)} clips compared: DQA report"


def _names(views: Sequence[ClipView]) -> list[str]:
    """File names, numbered where two clips share one."""
    names = [view.name for view in views]
    return [f"{name} ({i})" if names.count(name) > 1 else name for i, name in enumerate(names, start=1)]


def _apart(views: Sequence[ClipView]) -> list[list[str]]:
    names = _names(views)
    pairs = zip(views, views[1:], names, names[1:], strict=False)
    return [in_words(one.record, two.record, (name, other)) for one, two, name, other in pairs]


@cache
def _style() -> str:
    return (_TEMPLATES / "style.css").read_text(encoding="utf-8")
