"""The writer that needs no model: the brief's own words, with the advice of every verdict so far worked in."""

from __future__ import annotations

from collections.abc import Sequence

from dqa.prompt import check_prompt
from dqa.refine.ports import WriteRequest
from dqa.refine.wording import MOVES, SMOOTH, missing_in, phrases_for, subject_of, together

_MOST_PHRASES, _MOST_NAMES, _LONGEST_NAME = 4, 4, 60


class RuleWriter:
    """Writes the same prompt for the same request.

    What verdicts did not find moves to the front, and a phrase stands at the end for what they found weak, the newest
    finding first. What was worked in stays: it may be what helped.
    """

    name = "rules"

    def write(self, request: WriteRequest) -> str:
        """See :class:`~dqa.refine.ports.Writer`; raises ``InvalidPrompt`` for a brief that is none."""
        subject = subject_of(check_prompt(request.brief))
        if not any(character.isalnum() for character in subject):
            subject = request.brief.strip()
        newest_first = ["; ".join(tried.advice) for tried in reversed(request.tried)]
        names = dict.fromkeys(name[:_LONGEST_NAME] for advice in newest_first for name in missing_in(advice))
        return check_prompt(together(list(names)[:_MOST_NAMES], subject, _phrases(newest_first)))


def _phrases(newest_first: Sequence[str]) -> list[str]:
    phrases = list(dict.fromkeys(phrase for advice in newest_first for phrase in phrases_for(advice)))
    if MOVES in phrases and SMOOTH in phrases:  # opposite advice of two verdicts: the newer one counts
        phrases.remove(max(MOVES, SMOOTH, key=phrases.index))
    return phrases[:_MOST_PHRASES]
