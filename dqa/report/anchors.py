"""What a score looks like, in words and pictures: from the calibration in force, or, while there is none, from the
user's own clips that scored about as much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dqa.acceptance.content import Anchor, Calibration, ChannelMap
from dqa.record import ChannelName
from dqa.report.examples import Example
from dqa.report.words import QUESTIONS

UNFITTED = (
    "These scores are not calibrated yet: of two clips the one with 0.6 was found better than the one with 0.5, but "
    "nothing says how many people would accept it. Rate some clips, then run"
)
FIT = "dqa models fit-calibration RATINGS.jsonl"

OWN = (
    "Until then, these are clips of yours that scored near 0.3, 0.6 and 0.9, judged in the same way. They show what "
    "such a score looks like; they don't say how many people would accept the clip."
)
NONE = (
    "Until then, clips of yours that scored near 0.3, 0.6 and 0.9 stand here as examples. There are none yet that were "
    "judged in the same way as what this report shows, and whose files are still there."
)

Examples = Mapping[ChannelName | None, tuple[Example, ...]]
"""Of :func:`~dqa.report.examples.examples`."""


@dataclass(frozen=True, slots=True)
class Look:
    """One anchor: its score, what is known of clips that score so, and one of them (a data URI), if there is one.

    ``name`` is that clip's, where it is one of the user's own.
    """

    at: float
    words: str
    picture: str | None
    alt: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChannelLooks:
    """The anchors of one channel, and what they rest on."""

    channel: str
    told: str
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class Scale:
    """What a profile's scores mean; ``told`` says so when nothing is calibrated.

    ``own`` introduces ``channels`` that hold the user's own clips; it is empty where they hold rated ones.
    """

    told: str
    command: str
    channels: tuple[ChannelLooks, ...]
    own: str = ""


def scales(
    profiles: Mapping[str, int | None],
    calibrations: Mapping[str, Calibration],
    own: Mapping[str, Examples] | None = None,
) -> dict[str, Scale]:
    """The scale of each profile in a report.

    Args:
        profiles: each with the version of the calibration that its records name; None for none.
        calibrations: by profile, what is at hand; one of another version than the records' is not shown.
        own: by profile, the user's own clips, shown where there is no calibration.
    """
    return {name: _scale(version, calibrations.get(name), (own or {}).get(name)) for name, version in profiles.items()}


def _scale(version: int | None, calibration: Calibration | None, own: Examples | None) -> Scale:
    if version is None:
        return _uncalibrated(own)
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


def _uncalibrated(own: Examples | None) -> Scale:
    if not own:
        return Scale(UNFITTED, FIT, ())
    looks = tuple(_own_looks(name, found) for name, found in own.items())
    some = any(look.picture for one in looks for look in one.looks)
    return Scale(UNFITTED, FIT, looks if some else (), OWN if some else NONE)


def _own_looks(name: ChannelName | None, found: tuple[Example, ...]) -> ChannelLooks:
    title, asked = ("final score", "All channels together.") if name is None else (name, QUESTIONS[name])
    if any(example.near for example in found):
        return ChannelLooks(title, asked, tuple(_own_look(example) for example in found))
    return ChannelLooks(title, f"{asked} No clip of yours scored near 0.3, 0.6 or 0.9 yet.", ())


def _own_look(example: Example) -> Look:
    if example.picture is None:
        words = "clips of yours scored near it, but none can be shown" if example.near else "no clip of yours near it"
        return Look(example.at, words, None, "")
    scored = f"scored {example.score:.2f}"
    return Look(example.at, f"{scored}:", example.picture, f"A clip of yours that {scored}", example.name)
