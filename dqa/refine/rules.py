"""The writer that needs no model: the brief's own words, with the advice of every verdict so far worked in."""

from __future__ import annotations

from dqa.prompt import check_prompt
from dqa.refine.ports import WriteRequest
from dqa.refine.wording import MOVES, SMOOTH, missing_in, phrases_for, subject_of, together

_MOST_PHRASES, _MOST_NAMES, _LONGEST_NAME = 4, 4, 60


class RuleWriter:
    """Writes the same prompt for the same request.

    What the last verdict did not find moves to the front; a phrase stands at the end for what verdicts found weak, the
    newest finding first. What helped once is kept: advice of earlier verdicts stays worked in.
    """

    name = "rules"

    def write(self, request: WriteRequest) -> str:
        """See :class:`~dqa.refine.ports.Writer`; raises ``InvalidPrompt`` for a brief that is none."""
        subject = subject_of(check_prompt(request.brief))
        if not any(character.isalnum() for character in subject):
            subject = request.brief.strip()
        missing = [name[:_LONGEST_NAME] for name in missing_in("; ".join(request.advice))][:_MOST_NAMES]
        return check_prompt(together(dict.fromkeys(missing), subject, _phrases(request)))


def _phrases(request: WriteRequest) -> list[str]:
    newest_first = [phrase for tried in reversed(request.tried) for phrase in phrases_for("; ".join(tried.advice))]
    phrases = list(dict.fromkeys(newest_first))
    if MOVES in phrases and SMOOTH in phrases:  # opposite advice of two verdicts: the newer one counts
        phrases.remove(max(MOVES, SMOOTH, key=phrases.index))
    return phrases[:_MOST_PHRASES]
