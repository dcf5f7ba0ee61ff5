"""``dqa refine --history``: how runs went over time, no figure without the number of runs behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqa.cli.output import emit, emit_json, one_line
from dqa.config import Settings

if TYPE_CHECKING:
    from dqa.store.refinement_figures import Window


def show(settings: Settings, window: int, *, as_json: bool) -> int:
    """Prints a user's figures, in all and by windows of that many runs."""
    from dqa.store import Store

    found = Store.open(settings).refinements.figures(settings.user, window)
    if as_json:
        emit_json({"user": settings.user, **found.model_dump(mode="json")})
        return 0
    if found.all is None:
        emit(one_line(f"{settings.user}: no runs yet"))
        return 0
    emit(one_line(f"{settings.user}, all runs: {_words(found.all)}"))
    for part in found.windows:
        emit(f"{part.first[:10]} to {part.last[:10]}: {_words(part)}")
    return 0


def _words(part: Window) -> str:
    counts = [f"{part.accepted} accepted of {part.runs}"]
    for count, word in ((part.review, "for a person"), (part.exhausted, "exhausted"), (part.failed, "failed")):
        if count:
            counts.append(f"{count} {word}")
    if part.share is not None:
        share = part.share
        counts.append(f"share {share.value:.2f} [{share.low:.2f}, {share.high:.2f}] of n={share.n}")
    if part.cycles is not None:
        cycles = part.cycles
        interval = "" if cycles.low is None or cycles.high is None else f" [{cycles.low:.2f}, {cycles.high:.2f}]"
        counts.append(f"{cycles.value:.2f}{interval} cycles an accepted clip, n={cycles.n}")
    return ", ".join(counts)
