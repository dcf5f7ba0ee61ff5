"""What a taste's figures mean, in words that hold for the figures at hand."""

from __future__ import annotations

from dataclasses import dataclass

from dqa.store.trainings import Training
from dqa.taste.enough import KNOWN_ENOUGH, LEAST_PAIRS
from dqa.taste.taste import HeldOut, Position


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure: what it is, the figure, what it means."""

    name: str
    figure: str
    meaning: str


def held_out_tiles(held_out: HeldOut) -> list[Tile]:
    """How well unseen choices are predicted, and how honest the predictions are."""
    return [
        Tile(
            "Held-out accuracy",
            _percent(held_out.accuracy),
            f"of {held_out.pairs} choices were predicted right by a model that had not seen them. Guessing gets 50 %.",
        ),
        Tile(
            "Calibration error",
            _percent(held_out.ece),
            f"is how far its chances lie from what happened, on average: {_calibration(held_out.ece)}.",
        ),
        Tile("Brier score", f"{held_out.brier:.3f}", f"{_brier(held_out.brier)}; 0.250 is guessing, 0 is certainty."),
        Tile(
            "Would have abstained",
            _percent(held_out.abstained),
            "of those choices lie too far from what it has learned; there it says so instead of guessing.",
        ),
    ]


def learned_tiles(choices: int, confidence: float, half_life: float | None) -> list[Tile]:
    """How much was learned, and how fast it is forgotten."""
    forgets = (
        Tile("Forgetting", f"{half_life:.0f}", "further choices make a choice count half: your taste has moved.")
        if half_life is not None
        else Tile("Forgetting", "none", "all choices count alike: no change of taste was found.")
    )
    return [
        Tile("Choices", f"{choices}", "were made by this user in all."),
        Tile(
            "Uncertainty removed",
            _percent(confidence),
            f"of what was unknown about pairs like yours is known now. It abstains where that is below "
            f"{_percent(KNOWN_ENOUGH)}, and until you have chosen between {LEAST_PAIRS:.0f} different pairs.",
        ),
        forgets,
    ]


def position_words(position: Position) -> str:
    """Whether the side decides."""
    share = f"{position.left} of {position.of}"
    interval = f"90 % interval {_percent(position.low)} to {_percent(position.high)}"
    if position.biased:
        side = "left" if position.low > 0.5 else "right"
        return (
            f"The {side} side draws your choices, whatever is shown there: the left clip was chosen {share} times "
            f"({interval}). Sides are random, so the taste is not bent by it, but choices are lost; look at both again."
        )
    return f"The left clip was chosen {share} times ({interval}): no sign that the side decides."


def training_words(training: Training | None) -> str:
    """How the newest training of a language-model adapter stands; empty when there was none."""
    if training is None:
        return ""
    if training.status == "queued":
        return "A training is queued."
    if training.status == "running":
        step, of = training.progress.get("step"), training.progress.get("of")
        far = f", step {step} of {of}" if isinstance(step, int) and isinstance(of, int) else ""
        return f"A training runs{far}."
    reason = (training.outcome or {}).get("reason")
    why = f": {reason}" if isinstance(reason, str) and reason else ""
    return f"The last training was {_ENDS[training.status]}{why.rstrip('.')}."


_ENDS = {"done": "published", "refused": "refused", "failed": "ended by a failure", "cancelled": "cancelled"}


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _calibration(ece: float) -> str:
    if ece <= 0.05:
        return "when it says 70 %, about 70 of 100 turn out so"
    return "fairly honest" if ece <= 0.12 else "take its chances with care"


def _brier(brier: float) -> str:
    if brier < 0.2:
        return "clearly better than guessing"
    return "a little better than guessing" if brier < 0.245 else "no better than guessing"
