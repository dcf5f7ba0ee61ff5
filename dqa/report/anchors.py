"""What a score looks like, in words and pictures: from the calibration in force, or that there is none yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dqa.acceptance.content import Anchor, Calibration, ChannelMap

UNFITTED = (
    "These scores are not calibrated yet: of two clips the one with 0.6 was found better than the one with 0.5, but "
    "nothing says how many people would accept it. Rate some clips, then run"
)
FIT = "dqa models fit-calibration RATINGS.jsonl"


@dataclass(frozen=True, slots=True)
class Look:
    """One anchor: its score, what is known of clips that score so, and one of them (a data URI), if there is one."""

    at: float
    words: str
    picture: str | None
    alt: str


@dataclass(frozen=True, slots=True)
class ChannelLooks:
    """The anchors of one channel, and what they rest on."""

    channel: str
    told: str
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """What a profile's scores mean; without ``channels`` nothing is calibrated, and ``told`` says so."""

    told: str
    command: str
    channels: tuple[ChannelLooks, ...]


def scales(profiles: Mapping[str, int | None], calibrations: Mapping[str, Calibration]) -> dict[str, Scale]:
    """The scale of each profile in a report.

    Args:
        profiles: each with the version of the calibration that its records name; None for none.
        calibrations: by profile, what is at hand; one of another version than the records' is not shown.
    """
    return {name: _scale(version, calibrations.get(name)) for name, version in profiles.items()}


def _scale(version: int | None, calibration: Calibration | None) -> Scale:
    if version is None:
        return Scale(UNFITTED, FIT, ())
    told = (
        f"Calibrated scores (version {version}) are the chance that a person accepts the clip, as rated clips show it."
    )
    if calibration is None or calibration.version != version:
        return Scale(told, "", ())
    looks = tuple(
        ChannelLooks(name, _rests_on(channel), tuple(_look(anchor, channel) for anchor in channel.anchors))
        for name, channel in calibration.channels.items()
    )
    return Scale(f"{told} The other channels keep scales of their own.", "", looks)


def _rests_on(channel: ChannelMap) -> str:
    found = f"From {channel.ratings} ratings of {channel.clips} clips of {channel.prompts} prompts"
    loss = channel.figures.get("log_loss")
    if loss is None:
        return f"{found}."
    return (
        f"{found}. Log loss on prompts it was not fitted to: {loss.before:.3f} before, {loss.after:.3f} calibrated "
        f"(gain {loss.low:.3f} to {loss.high:.3f}, 90 % interval)."
    )


def _look(anchor: Anchor, channel: ChannelMap) -> Look:
    own = f"the channel's own {channel.curve.inverse(anchor.at):.2f}"
    if anchor.accepted is None:
        words = f"{own}; no rated clip scored near it"
    else:
        ratings = f"{anchor.ratings} rating{'s' if anchor.ratings != 1 else ''}"
        words = f"{own}; of clips at {anchor.at:.1f}, about {100 * anchor.accepted:.0f} % were accepted, from {ratings}"
    at = "" if anchor.score is None else f"{anchor.score:.2f}"
    return Look(anchor.at, words, anchor.picture, f"A rated clip that scored {at}")
