"""Runs the trainings that are asked for, and says when one is due."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import JsonValue, ValidationError

from dqa.config import Settings
from dqa.errors import Cancelled, DQAError, UnavailableError
from dqa.ids import user_key
from dqa.models import device
from dqa.store import Store
from dqa.store.trainings import Facts, Training, TrainingState
from dqa.taste.heavy.checkpoints import write_atomically
from dqa.taste.heavy.config import CANDIDATE, Finished
from dqa.taste.heavy.pairs import MIN_HELD_OUT, Clean, clean, split
from dqa.taste.heavy.publish import CONFIG, WEIGHTS, Adapter, Shelf, sweep
from dqa.taste.heavy.tier import Decision, decide, metadata, run_process
from dqa.training.job import Job, assemble, configured, recognised
from dqa.training.watch import Stopped, Told, Watch

log = structlog.get_logger(__name__)

_SCRATCH = ".training-"
_FINISHED = "finished.json"
_FEW = f"too few pairs: {MIN_HELD_OUT} that share no clip or prompt with the rest must be held out"


@dataclass(frozen=True, slots=True)
class Due:
    """Whether a training should start.

    Attributes:
        pairs: clean pairs there are.
        new: those since the last training.
        due: enough of both, and of different prompts.
        why: what is missing, or what there is, in words.
        dropped: choices left out, by reason.
    """

    pairs: int
    new: int
    due: bool
    why: str
    dropped: dict[str, int]


class Trainer:
    """Trains users' adapters, one at a time.

    Args:
        settings: which model, how many pairs, how many versions to keep.
        store: choices, trainings, tastes.
        owner: names this process; no later process has the same name.
        changes: to the recipe (:class:`~dqa.taste.heavy.config.TrainingConfig`).
    """

    def __init__(
        self, settings: Settings, store: Store, owner: str, changes: Mapping[str, JsonValue] | None = None
    ) -> None:
        self._settings = settings
        self._store = store
        self._owner = owner
        self._changes = dict(changes or {})

    @property
    def enabled(self) -> bool:
        """Whether a language model is set."""
        return self._settings.taste_model is not None

    def due(self, user: str, profile: str) -> Due:
        """Whether there are enough clean pairs, and enough new ones, for a training."""
        return self._due(user, profile, clean(self._store.trainings.choices(user, profile)))

    def ask(self, user: str, profile: str, *, anyway: bool = False) -> Training:
        """Queues a training, or returns the one under way.

        Args:
            user, profile: whose, and for which profile's scores.
            anyway: with fewer new pairs than the setting asks for too (never with too few to judge it).

        Raises:
            UnavailableError: no language model is set, or too few pairs.
        """
        if not self.enabled:
            raise UnavailableError("no language model is set", fix="set DQA_TASTE_MODEL to a model folder")
        tidy = clean(self._store.trainings.choices(user, profile))
        due = self._due(user, profile, tidy)
        if not due.due and not (anyway and self._enough(tidy)):
            raise UnavailableError(f"no training now: {due.why}", fix="choose between more clips of the same prompt")
        request: Facts = {"pairs": due.pairs, "until": tidy.pairs[-1].seq}
        return self._store.trainings.queue(user, profile, request)[0]

    def run_next(self, told: Told, stopping: Callable[[], bool], training_id: str | None = None) -> Training | None:
        """Runs a waiting training, the oldest or that one, to its end; returns it, or None when there is none to run.

        Args:
            told: hears how far it is.
            stopping: asked several times a second; True gives the training back, to go on where it was.
            training_id: that one only.
        """
        training = self._store.trainings.lease(self._owner, training_id)
        if training is None:
            return None
        try:
            self._run(training, Watch(self._store.trainings, training, self._owner, told, stopping))
        except Stopped:
            self._store.trainings.release(self._owner, blameless=True)
        except Cancelled as error:
            self._end(training, "cancelled", {"reason": error.public()})
        except DQAError as error:
            log.warning("training failed", training=training.id, error=error.sentence())
            self._end(training, "failed", {"reason": error.public()})
        except Exception as error:  # whatever it is, the row must not stay as if somebody worked on it
            log.exception("training crashed", training=training.id)
            self._end(training, "failed", {"reason": f"{type(error).__name__}; see the log"})
        return self._store.trainings.get(training.id)

    def tidy(self) -> None:
        """Removes what killed trainings and publishers left behind, unless somebody uses the device now."""
        home = self._settings.home
        with device.alone_if_free(home) as free:
            if not free:
                return
            active = self._store.trainings.active_ids()
            for folder in home.glob(f"adapters/*/{_SCRATCH}*"):
                if folder.name.removeprefix(_SCRATCH) not in active:
                    shutil.rmtree(folder, ignore_errors=True)
            sweep(home)

    def _due(self, user: str, profile: str, tidy: Clean) -> Due:
        last = self._store.trainings.latest(user, profile, "done", "refused")
        until = last.request.get("until") if last is not None else None
        pairs = len(tidy.pairs)
        new = sum(p.seq > until for p in tidy.pairs) if isinstance(until, int) else pairs
        least, every = self._settings.taste_min_pairs, self._settings.taste_every
        if pairs < least:
            return Due(pairs, new, False, f"{pairs} clean pairs of {least}", tidy.dropped)
        if last is not None and new < every:
            return Due(pairs, new, False, f"{new} new pairs of {every} since the last training", tidy.dropped)
        if not self._enough(tidy):
            return Due(pairs, new, False, _FEW, tidy.dropped)
        return Due(pairs, new, True, f"{pairs} clean pairs, {new} of them new", tidy.dropped)

    def _enough(self, tidy: Clean) -> bool:
        return split(tidy.pairs, self._settings.seed).enough

    def _run(self, training: Training, watch: Watch) -> None:
        config = configured(self._settings, self._changes)
        base = recognised(config, self._settings.home)  # may read gigabytes: before evaluations have to wait
        with device.alone(self._settings.home, waiting=watch.waiting) as descriptor:
            scratch, shelf = self._scratch(training), self._shelf(training)
            job = assemble(self._store, training, config, scratch, shelf.current(), base)
            if job is None:
                self._end(training, "refused", {"reason": _FEW})
                return
            finished = _finished_before(scratch)
            if finished is None:
                finished = self._process(job, watch, descriptor)
                write_atomically(scratch / _FINISHED, finished.model_dump_json().encode())
            decision = decide(finished)
            facts: Facts = {"reason": decision.reason, "loss": finished.loss, "steps": finished.steps}
            if not decision.promoted:
                self._end(training, "refused", facts)
                return
            watch.check()  # the last moment to cancel: from here on it is published
            adapter = _published(shelf, training) or self._publish(shelf, training, job, finished, decision)
            self._keep(training, adapter, facts, job, finished)
        self._teach(training)

    def _process(self, job: Job, watch: Watch, descriptor: int) -> Finished:
        try:
            return run_process(job.request, watch.hears, watch.stops, (descriptor,))
        except Cancelled:
            raise watch.reason() from None

    def _publish(self, shelf: Shelf, training: Training, job: Job, finished: Finished, decision: Decision) -> Adapter:
        made = Path(job.request.scratch) / CANDIDATE
        told = metadata(job.request, job.parts, job.style, finished, decision)
        return shelf.publish(made / WEIGHTS, made / CONFIG, {**told, "training": training.id})

    def _keep(self, training: Training, adapter: Adapter, facts: Facts, job: Job, finished: Finished) -> None:
        seqs: list[Any] = sorted(p.seq for p in job.parts.train)
        videos = adapter.metadata["trained_videos"]
        outcome: Facts = {**facts, "adapter": adapter.version, "videos": videos, "seqs": seqs}
        self._end(training, "done", outcome, (adapter.version, finished.rewards))

    def _teach(self, training: Training) -> None:
        """Has the light tier look at the new reward; whether it may speak is for held-out choices to say."""
        try:
            self._store.tuner.step(training.user, again=True)
        except DQAError as error:
            log.warning("the light tier does not know the adapter yet", error=error.sentence())

    def _end(
        self,
        training: Training,
        status: TrainingState,
        outcome: Facts,
        rewards: tuple[str, Mapping[str, float]] | None = None,
    ) -> None:
        self._store.trainings.end(training.id, self._owner, status, outcome, rewards)
        shutil.rmtree(self._scratch(training), ignore_errors=True)

    def _scratch(self, training: Training) -> Path:
        # Inside the user's own folder: deleting the user deletes it too.
        return self._settings.home / "adapters" / user_key(training.user) / f"{_SCRATCH}{training.id}"

    def _shelf(self, training: Training) -> Shelf:
        return Shelf(self._settings.home, training.user, training.profile, self._settings.adapter_versions)


def _finished_before(scratch: Path) -> Finished | None:
    """How the process ended for a runner that was killed before it could tell; None when it did not."""
    try:
        return Finished.model_validate_json((scratch / _FINISHED).read_bytes())
    except (OSError, ValidationError):
        return None


def _published(shelf: Shelf, training: Training) -> Adapter | None:
    """What an earlier runner of this training published before it was killed."""
    current = shelf.current()
    return current if current is not None and current.metadata.get("training") == training.id else None
