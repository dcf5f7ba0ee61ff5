"""``dqa models fit-calibration``: what a channel's score means, by what people said of rated clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import dqa
from dqa.cli import runtime
from dqa.cli.fits import DryRun, Listed, Reset, Rollback, only_one, upkeep
from dqa.cli.options import AsJson, Home, ProfileName, Quiet
from dqa.cli.output import emit, emit_json, one_line, say
from dqa.config import Settings
from dqa.errors import InputError, UsageError
from dqa.models.profiles import load_profile
from dqa.record import ChannelName

if TYPE_CHECKING:
    from dqa.acceptance.content import Calibration, ChannelMap
    from dqa.acceptance.samples import Outcome
    from dqa.acceptance.shelf import Kept


def command(  # noqa: PLR0913, PLR0917 - a parameter an option
    ratings: Annotated[
        Path | None,
        typer.Argument(metavar="RATINGS.jsonl", help='Lines of {"media", "prompt", "rating"}.', show_default=False),
    ] = None,
    channels: Annotated[
        str | None,
        typer.Option("--channels", metavar="A,B", help="Which to calibrate. [all but preference]", show_default=False),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option("--threshold", metavar="X", help="Rating in [0, 1] from which a person accepts; 0.75 is 4 of 5."),
    ] = 0.75,
    rating_key: Annotated[
        str, typer.Option("--rating-key", metavar="KEY", help="Where a line's rating stands, such as human.overall.")
    ] = "rating",
    dry_run: DryRun = False,
    listed: Listed = False,
    rollback: Rollback = None,
    reset: Reset = False,
    profile: ProfileName = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Fit what a channel's score means: the chance that a person accepts the clip, from rated clips.

    A line of RATINGS.jsonl is {"media", "prompt", "rating", "scale"?} or {"evaluation", "rating", "scale"?}, where
    evaluation is an id or a record's file. Ratings are 1 to 5 (likert), accept or reject (binary) or 0 to 1 (mos).
    Clips are graded first. A channel's map is taken only if it foretells ratings of unseen prompts better than the
    score as it is; else nothing changes for that channel, and the reason is told. Lines that can't be used are named
    on stderr, the others count, and the exit code is then 3.
    """
    settings = runtime.settings_from(profile=profile, home=home)
    load_profile(settings.profile)
    only_one(listed, rollback is not None, reset, ratings is not None)
    from dqa.acceptance.shelf import calibrations

    if ratings is None:
        if not (listed or reset or rollback is not None):
            raise UsageError("there is no file of ratings", fix="give RATINGS.jsonl, or --list")
        shelf = calibrations(settings.home, settings.profile)
        return upkeep(shelf, told, rollback=rollback, reset=reset, as_json=as_json)
    chosen = _channels(channels)
    if not 0 < threshold <= 1:
        raise UsageError(f"{threshold:g} is no rating above 0 and up to 1", fix="4 of 5 is 0.75", where="--threshold")
    return _fit(settings, ratings, (chosen, threshold, rating_key), dry_run=dry_run, as_json=as_json, quiet=quiet)


def told(content: Calibration) -> str:
    """A version in a line."""
    each = (f"{name} ({m.ratings} ratings, accepted from {m.threshold:g})" for name, m in content.channels.items())
    return f"{content.created[:10]}: {', '.join(each)}"


def _channels(given: str | None) -> tuple[ChannelName, ...]:
    from dqa.acceptance.content import CALIBRATED

    if given is None:
        return CALIBRATED
    wanted = [name.strip() for name in given.split(",")]
    unknown = [name for name in wanted if name not in CALIBRATED]
    if unknown:
        what = f"{unknown[0]!r} is not a channel that ratings calibrate"
        raise UsageError(what, fix=f"use {', '.join(CALIBRATED)}", where="--channels")
    return tuple(name for name in CALIBRATED if name in wanted)


def _fit(
    settings: Settings,
    path: Path,
    wanted: tuple[Sequence[ChannelName], float, str],
    *,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    from dqa.acceptance.ratings import read_ratings
    from dqa.acceptance.samples import fit_channel, gather
    from dqa.acceptance.shelf import checklists, serving
    from dqa.cli.rated import records
    from dqa.cli.thumbnails import Thumbnails

    channels, threshold, key = wanted
    ratings = read_ratings(path, key)
    found = records(ratings, settings, path, quiet=quiet)
    samples = gather(found.rated)
    kept, _ = serving(checklists(settings.home, settings.profile))
    pictures = Thumbnails(settings)
    outcomes: dict[ChannelName, Outcome] = {
        name: fit_channel(
            name,
            samples,
            threshold=threshold,
            checklist=kept.sha256 if kept else None,
            thumbnail=pictures.of,
        )
        for name in channels
    }
    version = None if dry_run else _keep(settings, outcomes)
    facts = {
        "profile": settings.profile,
        "threshold": threshold,
        "ratings": len(found.rated),
        "clips": len(samples),
        "without_rating": ratings.unrated,
        "left_out": found.left_out,
        "dry_run": dry_run,
        "version": version.content.version if version else None,
    }
    if as_json:
        emit_json({**facts, "channels": {name: _as_dict(outcome) for name, outcome in outcomes.items()}})
    else:
        _show(facts, outcomes)
    if ratings.unrated and not quiet:
        say(f"{ratings.unrated} lines have nothing under {key}; they were passed over.")
    return InputError.exit_code if found.left_out else 0


def _keep(settings: Settings, outcomes: Mapping[ChannelName, Outcome]) -> Kept[Calibration] | None:
    """Keeps the new maps with those of channels that nothing new was found for; None when there is no new one."""
    from dqa.acceptance.content import Calibration
    from dqa.acceptance.shelf import calibrations, serving

    new: dict[ChannelName, ChannelMap] = {n: o.fitted for n, o in outcomes.items() if o.fitted is not None}
    if not new:
        return None
    shelf = calibrations(settings.home, settings.profile)
    before, problem = serving(shelf)
    if problem:
        say(f"not carried over: {problem}")
    old = {} if before is None else before.content.channels
    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return shelf.add(
        Calibration(
            profile=settings.profile,
            created=created,
            dqa_version=dqa.__version__,
            channels={**old, **new},
        )
    )


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    from dqa.acceptance.samples import ANCHORS

    found = outcome.assessed
    auc = found.concordance
    return {
        "fitted": outcome.fitted is not None,
        "refused": found.refused or None,
        "clips": outcome.clips,
        "ratings": outcome.ratings,
        "left_out": dict(outcome.left_out),
        "concordance": None if auc is None else [_number(value) for value in auc],
        "figures": {
            name: {"before": f.before, "after": f.after, "low": _number(f.low), "high": _number(f.high)}
            for name, f in found.figures.items()
        },
        "map": None if found.beta is None else {f"{at:g}": value for at, value in _values(outcome, ANCHORS)},
        "anchors": [a.model_dump(exclude={"picture"}) for a in (outcome.fitted.anchors if outcome.fitted else ())],
    }


def _number(value: float) -> float | None:
    return value if value == value else None  # noqa: PLR0124 - NaN is not itself, and JSON has none


def _values(outcome: Outcome, at: Sequence[float]) -> list[tuple[float, float]]:
    import numpy as np

    beta = outcome.assessed.beta
    return [] if beta is None else list(zip(at, beta(np.array(at)).tolist(), strict=True))


def _show(facts: Mapping[str, Any], outcomes: Mapping[ChannelName, Outcome]) -> None:
    emit(
        f"{facts['ratings']} ratings of {facts['clips']} clips, accepted from {facts['threshold']:g}; "
        f"profile {facts['profile']}."
    )
    for name, outcome in outcomes.items():
        emit(one_line(f"{name}: {_decision(outcome)}"))
    if facts["version"]:
        emit(f"Version {facts['version']} is in force; dqa models fit-calibration --reset takes it out.")
    elif facts["dry_run"]:
        emit("A dry run: nothing was kept.")
    else:
        emit("Nothing changes.")


def _decision(outcome: Outcome) -> str:
    found = outcome.assessed
    moved = "; ".join(f"{at:g} -> {value:.2f}" for at, value in _values(outcome, (0.3, 0.6, 0.9)))
    left = "".join(f", {count} {why}" for why, count in outcome.left_out.items())
    if outcome.fitted is None:
        would = f"; it would be {moved}" if moved else ""
        return f"left as it is, since {found.refused} ({outcome.clips} clips{left}{would})"
    said = ", ".join(
        f"{name.replace('_', ' ')} {figure.before:.3f} -> {figure.after:.3f} "
        f"(gain {figure.low:+.3f} to {figure.high:+.3f})"
        for name, figure in found.figures.items()
    )
    return f"calibrated, {moved}; on unseen prompts, with 90 % intervals: {said} ({outcome.clips} clips{left})"
