"""What a verdict's page says in words of its own: obedience and taste told apart, and what each channel adds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dqa.record import ChannelName, ChannelResult, EvaluationRecord
from dqa.synthesis import WEIGHTS

_OBEYS, _PARTLY = 0.7, 0.4
_LIKES, _DISLIKES = 0.6, 0.4
_SPEAKS = re.compile(r"speaks (?P<side>for|against) it: (?P<what>.+?)(?: \([+-][0-9.]+\))?$")


@dataclass(frozen=True, slots=True)
class Share:
    """What a channel adds to the final score; None where it has no score and so no weight."""

    channel: ChannelName
    score: float | None
    plain: float
    weight: float | None
    status: str

    @property
    def adds(self) -> float | None:
        """Weight times score."""
        return None if self.score is None or self.weight is None else self.score * self.weight


def shares(record: EvaluationRecord) -> list[Share]:
    """A row for each channel, the absent ones included."""
    return [_share(record, channel) for channel in WEIGHTS]


def in_a_word(record: EvaluationRecord) -> str:
    """Whether it obeys the prompt, and whether this user will like it: two questions, never one number."""
    return f"{_obedience(record)}; {_liking(record)}."


def _share(record: EvaluationRecord, channel: ChannelName) -> Share:
    result = record.channels.get(channel)
    score = None if result is None else result.score
    status = "not asked" if result is None else result.status
    return Share(channel, score, WEIGHTS[channel], None if score is None else record.weights.get(channel), status)


def _obedience(record: EvaluationRecord) -> str:
    adherence = record.prompt_adherence
    if adherence is None:
        return "Whether it obeys the prompt was not judged"
    if adherence >= _OBEYS:
        return f"It obeys the prompt ({adherence:.2f})"
    return f"It {'obeys the prompt in part' if adherence >= _PARTLY else 'does not obey the prompt'} ({adherence:.2f})"


def _liking(record: EvaluationRecord) -> str:
    result = record.channels.get("preference")
    if result is None:
        return "whether you will like it was not asked"
    if result.score is None:
        return f"whether you will like it is not known ({result.reason.rstrip('.') or result.status})"
    if result.score >= _LIKES:
        return f"you will probably like it ({result.score:.2f}){_because(result, 'for')}"
    if result.score <= _DISLIKES:
        return f"you will probably not like it ({result.score:.2f}){_because(result, 'against')}"
    return f"you may like it or not ({result.score:.2f})"


def _because(result: ChannelResult, side: str) -> str:
    """What speaks for it, or against it, as the evidence of the preference channel has it, strongest first."""
    said = (_SPEAKS.match(evidence.text) for evidence in result.evidence)
    named = [match["what"] for match in said if match is not None and match["side"] == side]
    return f", because of {', '.join(named)}" if named else ""
