"""The child process that evaluates: leases jobs from the store, one at a time, and dies with its parent.

Whatever happens to it (a crash of native code, the kernel's out-of-memory killer), the service lives on and
the job is given to the next worker, or ends with a reason.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Unpack, cast, runtime_checkable

import structlog
from pydantic import JsonValue

from dqa.config import Settings
from dqa.errors import Cancelled, DQAError, InsufficientMemory
from dqa.models import device
from dqa.models.exhausted import ran_out
from dqa.models.residency.meter import GB, Reading
from dqa.record import ChannelName, EvaluationRecord
from dqa.service import logs
from dqa.service.lease import LEASE_S, Lease
from dqa.service.lineage import die_with_parent, identity
from dqa.service.messages import Held, LoadFailed, Ran, Ready, WorkerConfig
from dqa.service.problems import internal, problem_of
from dqa.store import LeasedJob, Store

if TYPE_CHECKING:
    from dqa.evaluator import Options

log = structlog.get_logger(__name__)

_IDLE_S = 0.1
"""How often an idle worker looks for a job."""

_FULL = InsufficientMemory(
    "there is not enough memory to load the models", fix="free the device, or take a smaller profile; see dqa plan"
)


class EvaluatorLike(Protocol):
    """What a worker needs of :class:`dqa.evaluator.Evaluator`."""

    def load(self) -> None: ...

    def evaluate(self, media: Path, prompt: str, **options: Unpack[Options]) -> EvaluationRecord: ...


@runtime_checkable
class MeasuringLike(Protocol):
    """An evaluator that knows what the device holds, and can let go of it."""

    @property
    def readings(self) -> dict[ChannelName, Reading]: ...

    @property
    def on_device(self) -> bool: ...

    def release(self) -> None: ...


class Worker:
    """Runs jobs until told to stop.

    Args:
        settings: as the service's.
        make: builds an evaluator for some settings.
        tell: sends a message to the supervisor.
    """

    def __init__(
        self, settings: Settings, make: Callable[[Settings], EvaluatorLike], tell: Callable[[Any], None]
    ) -> None:
        self.settings = settings
        self.store = Store.open(settings)
        self.owner = identity(os.getpid())
        self._make = make
        self._tell = tell
        self._profile = ""
        self._evaluator: EvaluatorLike | None = None

    def run(self) -> int:
        """Loads the models, then works for ever; returns only when the models can't be loaded."""
        try:
            self._evaluator_for(self.settings.profile)
        except DQAError as error:
            log.warning("models not loaded", error=error.sentence())
            self._tell(LoadFailed(problem=problem_of(error)))
            return error.exit_code
        except Exception as error:
            if not ran_out(error):
                raise
            log.warning("models not loaded for want of memory", error=str(error)[:200])
            self._tell(LoadFailed(problem=problem_of(_FULL)))
            return _FULL.exit_code
        self._tell(Ready(peak_rss_bytes=_peak_rss()))
        while True:
            job = self._next()
            if job is None:
                self._give_way()
                time.sleep(_IDLE_S)
            else:
                self._work(job)

    def _next(self) -> LeasedJob | None:
        try:
            return self.store.jobs.lease(self.owner, LEASE_S)
        except DQAError as error:
            log.warning("no job can be leased", error=error.sentence())
            time.sleep(1)
            return None

    def _work(self, job: LeasedJob) -> None:
        began = time.perf_counter()
        with Lease(self.store.jobs, job.id, self.owner) as lease:
            try:
                self._do(job, lease.progress)
            except Cancelled:
                self.store.jobs.cancelled(job.id, self.owner)
            except DQAError as error:
                log.info("evaluation failed", job=job.id, error=error.sentence())
                self.store.jobs.fail(job.id, self.owner, problem_of(error))
            except Exception as error:
                if ran_out(error):
                    full = InsufficientMemory(
                        "the evaluation needs more memory than there is", fix="use a smaller clip"
                    )
                    self.store.jobs.fail(job.id, self.owner, problem_of(full))
                else:
                    log.exception("evaluation crashed", job=job.id)
                    self.store.jobs.fail(job.id, self.owner, internal())
        seconds = time.perf_counter() - began
        self._tell(Ran(job=job.id, seconds=seconds, peak_rss_bytes=_peak_rss(), memory=self._memory()))

    def _memory(self) -> dict[ChannelName, Held]:
        """What the device held, for an evaluator that measures it."""
        if not isinstance(self._evaluator, MeasuringLike):
            return {}
        readings = self._evaluator.readings.items()
        return {
            name: Held(
                allocated=round(one.allocated * GB), reserved=round(one.reserved * GB), peak=round(one.peak * GB)
            )
            for name, one in readings
        }

    def _give_way(self) -> None:
        """A training that has begun has the device alone: models that idle on a GPU would take its memory."""
        if (
            isinstance(self._evaluator, MeasuringLike)
            and self._evaluator.on_device
            and device.training(self.settings.home)
        ):
            log.info("the device is given to the training")
            self._evaluator.release()

    def _do(self, job: LeasedJob, progress: Callable[[str, float], None]) -> None:
        if "calibration" in job.request:
            from dqa.service import calibrating

            evaluator = self._evaluator_for(str(job.request["profile"]))
            report = calibrating.calibrate(job.request, job.id, self.settings, evaluator, progress)
            self.store.jobs.answer(job.id, self.owner, report)
            return
        record = self._evaluate(job.request, job.id, progress)
        self.store.jobs.complete(job.id, self.owner, record, str(job.request["path"]))

    def _evaluate(
        self, request: dict[str, JsonValue], evaluation_id: str, progress: Callable[[str, float], None]
    ) -> EvaluationRecord:
        asked: dict[str, Any] = request
        return self._evaluator_for(asked["profile"]).evaluate(
            Path(asked["path"]),
            asked["prompt"],
            user=asked["user"],
            channels=cast("Sequence[ChannelName] | None", asked["channels"]),
            evaluation_id=evaluation_id,
            media_name=asked["media"],
            roots=[Path(root) for root in asked["roots"]],
            progress=progress,
        )

    def _evaluator_for(self, profile: str) -> EvaluatorLike:
        if self._evaluator is None or profile != self._profile:
            self._evaluator = None  # the old models go before the new ones come
            evaluator = self._make(self.settings.model_copy(update={"profile": profile}))
            evaluator.load()
            self._evaluator, self._profile = evaluator, profile
        return self._evaluator


def main() -> int:
    """Entry point of the child process (``python -m dqa.service.worker``)."""
    config = WorkerConfig.model_validate_json(sys.stdin.buffer.readline())
    die_with_parent(config.parent)
    tell = _own_stdout()
    settings = Settings(**config.settings)
    logs.configure(settings)
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    module, _, name = config.evaluator.partition(":")
    return Worker(settings, getattr(importlib.import_module(module), name), tell).run()


def _own_stdout() -> Callable[[Any], None]:
    """Keeps stdout for messages; what a library prints goes to stderr."""
    pipe = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def tell(message: Any) -> None:
        pipe.write(message.model_dump_json().encode() + b"\n")

    return tell


def _end_with_stdin() -> None:
    while sys.stdin.buffer.readline():
        pass
    os._exit(0)  # at once: a job under way goes back into the queue


def _peak_rss() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
