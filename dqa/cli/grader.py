"""The evaluator behind ``dqa batch``: built on the first line that needs it, a round of clips through it at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from dqa.cli import runtime
from dqa.cli.logs import crash_sentence, failed_channels
from dqa.cli.manifest import Refused, Request
from dqa.cli.output import say
from dqa.cli.progress import Progress
from dqa.cli.recorder import Recorder
from dqa.config import Settings
from dqa.errors import DQAError
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from dqa.evaluator import Evaluation

Outcome = EvaluationRecord | DQAError


class InternalFault(DQAError):
    """Something in DQA broke on one line; the traceback is in the log."""


class Grader:
    """Grades lines in their order, and keeps the records in the store.

    Args:
        settings: of the evaluator.
        progress: told of each clip that is opened, and of its stages.
    """

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings, self._progress = settings, progress
        self._evaluator: runtime.EvaluatorLike | None = None
        self._recorder = Recorder(settings)

    def grade(self, lines: Sequence[Request | Refused]) -> Iterator[tuple[Request | Refused, Outcome]]:
        """Each line with its record or its error; what stops a run is given in its place too."""
        start = 0
        while start < len(lines):
            end = start
            while end < len(lines) and isinstance(lines[end], Refused) == isinstance(lines[start], Refused):
                end += 1
            some = lines[start:end]
            asked = [line for line in some if isinstance(line, Request)]
            if asked:
                yield from zip(asked, self._graded(asked), strict=True)
            yield from ((line, line.error) for line in some if isinstance(line, Refused))
            start = end

    def _graded(self, lines: Sequence[Request]) -> Iterator[Outcome]:
        if self._evaluator is None:
            self._evaluator = runtime.make_evaluator(self._settings)
        for line, outcome in zip(lines, self._outcomes(self._evaluator, lines), strict=True):
            if isinstance(outcome, Exception):
                yield outcome if isinstance(outcome, DQAError) else _fault(outcome)
                continue
            self._recorder.save(outcome.record, line.media)
            if warning := failed_channels(outcome.record, self._settings):
                say(warning)
            yield outcome.record

    def _outcomes(self, evaluator: runtime.EvaluatorLike, lines: Sequence[Request]) -> Iterable[Evaluation | Exception]:
        if not isinstance(evaluator, runtime.ManyLike):
            return (self._one(evaluator, line) for line in lines)
        from dqa.evaluation.request import Item

        return evaluator.run_many(
            Item(line.media, line.prompt, {"user": line.user, "progress": self._told(line)}) for line in lines
        )

    def _one(self, evaluator: runtime.EvaluatorLike, line: Request) -> Evaluation | Exception:
        try:
            return evaluator.run(line.media, line.prompt, user=line.user, progress=self._told(line))
        except DQAError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a fault of ours on one clip must not end the run; _fault logs it
            return error

    def _told(self, line: Request) -> runtime.StageProgress:
        def tell(stage: str, share: float) -> None:
            self._progress.item(str(line.id))
            self._progress.stage(stage, share)

        return tell


def _fault(error: Exception) -> InternalFault:
    fault = InternalFault(crash_sentence(error).rstrip("."))
    fault.__cause__ = error
    return fault
