"""An editor without a model: it says an axis's value in the words that the axes bring."""

from __future__ import annotations

from collections.abc import Iterator

from dqa.calibrate.axes import Axes, Axis
from dqa.calibrate.editor import Edit, EditRequest, Gains, Target
from dqa.calibrate.measured import plain
from dqa.calibrate.rewrite import added, exchange, tidy, without
from dqa.calibrate.verdicts import normalised
from dqa.calibrate.wording import swaps, wordings

_NOTHING = frozenset({"none", "nothing", "no"})


class RuleEditor:
    """Exchanges the words that say another value, or adds a phrase that says the right one.

    Args:
        axes: the set; words of one axis are left alone where they are part of another's phrase.
        gains: what wordings brought before: the best are tried first.
    """

    name = "rules"

    def __init__(self, axes: Axes, gains: Gains | None = None) -> None:
        self._axes = axes
        self._gains = gains or {}

    def propose(self, request: EditRequest) -> Edit | None:
        """See :class:`~dqa.calibrate.editor.Editor`; wordings not tried yet come first."""
        options = list(self._edits(request.prompt, request.targets))
        options.sort(key=lambda edit: any(wording in request.used for wording in edit.wordings))
        return next((edit for edit in options if edit.prompt not in request.seen), None)

    def _edits(self, prompt: str, targets: tuple[Target, ...]) -> Iterator[Edit]:
        """Every edit on the first target, each with the best of the others' on top."""
        first, rest = targets[0], targets[1:]
        for edit in self._ranked(prompt, first):
            further = next(self._edits(edit.prompt, rest), None) if rest else Edit(edit.prompt, ())
            if further is not None:
                yield Edit(further.prompt, (*edit.wordings, *further.wordings))

    def _ranked(self, prompt: str, target: Target) -> list[Edit]:
        value = plain(target.ref)
        found = list(_single(prompt, target, value, self._foreign(target), self._phrases(target.axis)))
        return sorted(found, key=lambda edit: -self._gains.get((target.axis.name, value, edit.wordings[0]), 0.0))

    def _foreign(self, target: Target) -> list[str]:
        """How the prompt may say another value of the axis, or the right one already, to no effect."""
        axis = target.axis
        names = [value.name for value in axis.values] or [plain(target.gen)]
        phrases = [phrase for name in names for phrase in (*swaps(axis, name), *wordings(axis, name))]
        return [*phrases, *wordings(axis, plain(target.ref))]

    def _phrases(self, axis: Axis) -> list[str]:
        """The other axes' phrases of more than a word: "blue background" holds no colour of the subject."""
        others = [other for other in self._axes if other.name != axis.name]
        said = (phrase for other in others for v in other.values for phrase in swaps(other, v.name))
        return [phrase for phrase in said if " " in phrase]


def _single(prompt: str, target: Target, value: str, foreign: list[str], protected: list[str]) -> Iterator[Edit]:
    axis = target.axis
    if normalised(value) in _NOTHING:
        wording = f"no {axis.name.replace('_', ' ')}"
        yield Edit(added(without(prompt, foreign, protected), wording), (wording,))
        return
    own = set(swaps(axis, value))
    others = [phrase for phrase in foreign if phrase not in own]
    exchanged = [(word, exchange(prompt, others, word, protected)) for word in swaps(axis, value)]
    swapped = [Edit(text, (word,)) for word, text in exchanged if text is not None and text != tidy(prompt)]
    said = [Edit(added(without(prompt, foreign, protected), phrase), (phrase,)) for phrase in wordings(axis, value)]
    yield from (*swapped[:1], *said[:1], *swapped[1:], *said[1:])
