"""The checklist's answers in words: which questions failed, and what to change in the prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dqa.channels.visionreward.axes import MOTION_LOW
from dqa.channels.visionreward.checklist import Checklist, Question
from dqa.channels.visionreward.folding import mean, weighed
from dqa.record import Axis, AxisName, Evidence

GOOD = 0.7
"""From here on an axis gets no advice."""

_FAILED, _THERE, _NAMED = 0.5, 0.5, 3

ADVICE: Mapping[str, str] = {
    "alignment": "the prompt is not met -> say first what must be seen, in short plain clauses, and drop the rest",
    "composition": "composition weak -> name the framing, such as a centred medium shot or the rule of thirds",
    "camera movement": "camera movement flawed -> ask for one slow camera move, or a fixed camera",
    "camera motion": "camera hardly moves -> name one camera move, if you want one",
    "colours": "colour weak -> name two or three colours and the light",
    "lighting": "light flawed -> name one light source and the time of day",
    "shape at the start": "shapes wrong from the first frame -> one subject, seen whole, in a simple pose",
    "shape throughout": "shapes do not hold -> slower motion, fewer subjects, a shorter clip",
    "movement smoothness": MOTION_LOW,
    "movement realism": "movement unreal -> name a movement that bodies make, and what it acts on",
    "image stability": "picture unstable -> a fixed camera, even light, less small texture",
    "details": "details rough -> a closer shot, fewer things, more sampling steps",
    "letters": "letters wrong -> ask for no text, or add it afterwards",
    "symmetry": "unbalanced -> ask for a symmetric or centred composition",
    "main subject": "no clear subject -> name one subject and put it first in the prompt",
    "richness": "picture empty -> name a background and two or three things in it",
    "clarity": "picture unclear -> ask for sharp focus, or raise resolution or steps",
    "emotion": "leaves one cold -> name the mood and the light that carries it",
    "detail": "details rough -> a closer shot, fewer things, more sampling steps",
    "recognisable": "hard to recognise -> name the subject plainly, in front of a plain background",
    "fragmented": "picture in pieces -> one scene, one point of view",
    "body": "body wrong -> one person, whole, in a simple pose",
    "face": "face wrong -> a closer shot of the face, looking at the camera",
    "hands": "hands wrong -> keep hands at rest or out of the picture",
}
"""What to change in the prompt, by group of questions."""


class Told:
    """One clip's answers in words.

    Args:
        items: the questions, under the weights in force.
        p_yes: P(yes) to each of them; None where there is no answer.
        present: P(yes) to each gate. What hardly is there (below a half) is no fault: of it no reason, advice or
            evidence speaks.
        prompt: what the alignment questions quoted.
    """

    def __init__(
        self, items: Checklist, p_yes: Sequence[float | None], present: Mapping[str, float], prompt: str
    ) -> None:
        self._items, self._p_yes, self._present, self._prompt = items, p_yes, present, prompt

    def axis(self, name: AxisName) -> Axis:
        """One axis: weighted mean of P(yes); a question about what is hardly there weighs by how likely it is there."""
        asked = weighed(name, self._items, self._p_yes, self._present)
        score = mean(asked)
        if score is None:
            return Axis(score=None, reason="no question of this axis was answered", advice="")
        failed = [(question, p, weight) for question, p, weight in asked if self._fails(question, p)]
        failed.sort(key=lambda item: item[2] * (item[1] - 1))
        words = "; ".join(f"no ({p:.2f}): {self.words(question)}" for question, p, _ in failed[:_NAMED])
        groups = dict.fromkeys(question.group for question, _, _ in failed)
        advice = "; ".join(ADVICE[group] for group in groups if group in ADVICE) if score < GOOD else ""
        return Axis(score=score, reason=words or "no question that applies was answered with no", advice=advice)

    def failed(self) -> list[tuple[Question, float]]:
        """The questions on quality that failed worst, at most three, with P(yes)."""
        found = [
            (question, p)
            for question, p in zip(self._items.questions, self._p_yes, strict=True)
            if p is not None and question.axis is not None and self._fails(question, p)
        ]
        return sorted(found, key=lambda pair: pair[0].weight * (pair[1] - 1))[:_NAMED]

    def evidence(self) -> tuple[Evidence, ...]:
        """Those as evidence."""
        return tuple(Evidence(text=f"{q.axis}: no ({p:.2f}) to “{self.words(q)}”") for q, p in self.failed())

    def words(self, question: Question) -> str:
        """A question as a reader gets it."""
        return question.told(self._prompt)

    def _fails(self, question: Question, p: float) -> bool:
        there = question.gate is None or self._present[question.gate] >= _THERE
        return there and p < _FAILED
