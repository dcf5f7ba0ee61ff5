"""What grades the lines of ``dqa batch``: an evaluator here, or evaluators on a cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

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


class Engine(Protocol):
    """What grades: evaluators here, or on a cluster."""

    def outcomes(self, lines: Sequence[Request]) -> Iterator[tuple[Request, EvaluationRecord | Exception]]:
        """Each line with its record, or what was raised in its place; in any order."""
        ...


class Grader:
    """Grades lines, and keeps the records in the store.

    Args:
        settings: of the evaluators.
        engine: what grades.
    """

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings, self._engine = settings, engine
        self._recorder = Recorder(settings)

    def grade(self, lines: Sequence[Request | Refused]) -> Generator[tuple[Request | Refused, Outcome]]:
        """Each line with its record or its error, as they are done; what stops a run is given in its place too.

        A line that can't be run is given before the first that stands behind it.
        """
        refused = deque(line for line in lines if isinstance(line, Refused))
        for line, outcome in self._engine.outcomes([line for line in lines if isinstance(line, Request)]):
            while refused and refused[0].line < line.line:
                yield _given(refused.popleft())
            yield line, self._kept(line, outcome)
        while refused:
            yield _given(refused.popleft())

    def _kept(self, line: Request, outcome: EvaluationRecord | Exception) -> Outcome:
        if isinstance(outcome, Exception):
            return outcome if isinstance(outcome, DQAError) else _fault(outcome)
        self._recorder.save(outcome, line.media)
        if warning := failed_channels(outcome, self._settings):
            say(warning)
        return outcome


class Local:
    """One evaluator in this process, built on the first line that needs it; lines in their order.

    Args:
        settings: of the evaluator.
        progress: told of each clip that is opened, and of its stages.
    """

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._settings, self._progress = settings, progress

    def outcomes(self, lines: Sequence[Request]) -> Iterator[tuple[Request, EvaluationRecord | Exception]]:
        """See :class:`Engine`."""
        if not lines:
            return
        evaluator = runtime.make_evaluator(self._settings)
        for line, outcome in zip(lines, self._evaluations(evaluator, lines), strict=True):
            yield line, outcome if isinstance(outcome, Exception) else outcome.record

    def _evaluations(
        self, evaluator: runtime.EvaluatorLike, lines: Sequence[Request]
    ) -> Iterable[Evaluation | Exception]:
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


class OnRay:
    """Evaluators on a Ray cluster; lines as they are done.

    Args:
        settings: of the evaluators, and where the cluster is.
        size: evaluators at once; None: as many as there is room for.
        progress: told of the start.
    """

    def __init__(self, settings: Settings, size: int | None, progress: Progress) -> None:
        self._settings, self._size, self._progress = settings, size, progress

    def outcomes(self, lines: Sequence[Request]) -> Iterator[tuple[Request, EvaluationRecord | Exception]]:
        """See :class:`Engine`."""
        from dqa.cluster import engine
        from dqa.graders import StoredTastes

        settings, tastes = self._settings, StoredTastes(self._settings)
        self._progress.item("evaluators")
        asked = [engine.Line(str(line.media), line.prompt, line.user or settings.user) for line in lines]
        graded = engine.grade(
            settings,
            asked,
            factory=runtime.CLUSTER_EVALUATOR,
            taste=lambda user: tastes.find(user, settings.profile, None),
            say=say,
            size=self._size,
        )
        for index, outcome in graded:
            yield lines[index], outcome


def _given(line: Refused) -> tuple[Refused, Outcome]:
    return line, line.error


def _fault(error: Exception) -> InternalFault:
    fault = InternalFault(crash_sentence(error).rstrip("."))
    fault.__cause__ = error
    return fault
