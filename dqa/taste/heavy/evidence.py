"""What an adapter's rewards may tell the light tier, and what they may not.

An adapter gives the clips it was trained on flattering rewards: it has seen who won. Learning from those would teach
the light tier to trust the reward more than it deserves. So the reward of a choice counts only where the adapter was
trained on neither of its clips: held-out pairs, and clips that came after the training.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

UNKNOWN = math.nan


@dataclass(frozen=True, slots=True)
class RewardEvidence:
    """The rewards of one adapter.

    Attributes:
        adapter: its version, as :attr:`dqa.taste.taste.Taste.adapter` names it.
        rewards: implicit reward in nats by evaluation id, of every clip that was scored.
        trained: evaluation ids of the clips that the adapter was trained on, and of other evaluations of them.
    """

    adapter: str
    rewards: Mapping[str, float] = field(default_factory=dict[str, float])
    trained: frozenset[str] = frozenset()

    def for_choice(self, a: str, b: str) -> tuple[float, float]:
        """The rewards of the clips of a choice, in nats; NaN for both unless both are known and neither was trained on.

        >>> seen = RewardEvidence("ad_1", {"ev_1": 0.4, "ev_2": -0.1, "ev_3": 2.0}, frozenset({"ev_3"}))
        >>> seen.for_choice("ev_1", "ev_2"), seen.for_choice("ev_1", "ev_3")
        ((0.4, -0.1), (nan, nan))
        """
        pair = self.for_clip(a), self.for_clip(b)
        return (UNKNOWN, UNKNOWN) if any(math.isnan(reward) for reward in pair) else pair

    def for_clip(self, evaluation: str) -> float:
        """The reward of one clip, in nats; NaN when it is not known, not finite, or the adapter was trained on it."""
        reward = UNKNOWN if evaluation in self.trained else self.rewards.get(evaluation, UNKNOWN)
        return reward if math.isfinite(reward) else UNKNOWN
