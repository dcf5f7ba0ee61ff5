"""What a running training hears from outside, and tells."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from dqa.errors import Cancelled, DQAError
from dqa.store.trainings import Facts, Training, Trainings
from dqa.taste.heavy.config import Progress

log = structlog.get_logger(__name__)

Told = Callable[[Progress | None], None]
"""Hears how far a training is; None while it waits for evaluations to end."""

_LOOK_S = 1.0


class Stopped(Cancelled):
    """The runner is being stopped: the training is given back, to go on later."""

    type = "training-stopped"
    title = "The training was interrupted"


class Watch:
    """Passes progress on, and looks every second whether the training was cancelled or is no longer this runner's.

    Args:
        rows: the trainings.
        training: which.
        owner: who runs it.
        told: hears how far it is.
        stopping: whether the runner is being stopped.
    """

    def __init__(
        self, rows: Trainings, training: Training, owner: str, told: Told, stopping: Callable[[], bool]
    ) -> None:
        self._rows = rows
        self._training = training
        self._owner = owner
        self._told = told
        self._stopping = stopping
        self._news: Facts = {}
        self._looked = 0.0
        self._state = "held"

    def waiting(self) -> None:
        """Called while evaluations hold the device; raises ``Cancelled`` to give up."""
        self._told(None)
        self._news = {"stage": "waiting"}
        if self.stops():
            raise self.reason()

    def hears(self, progress: Progress) -> None:
        """A line of the process."""
        self._told(progress)
        news: Facts = progress.model_dump(mode="json", exclude={"event"}, exclude_none=True)
        self._news |= news

    def stops(self) -> bool:
        """Whether to end the process now."""
        if self._stopping():
            self._state = "stopping"
        elif time.monotonic() - self._looked >= _LOOK_S:
            self._looked = time.monotonic()
            self._look()
        return self._state != "held"

    def check(self) -> None:
        """Looks once more; raises ``Cancelled`` when the training should not go on."""
        self._looked = 0.0
        if self.stops():
            raise self.reason()

    def reason(self) -> Cancelled:
        """Why it stops."""
        if self._state == "cancel":
            return Cancelled("the training was cancelled", fix="start it again with dqa tuner train")
        return Stopped("the training was interrupted", fix="it goes on when the service runs again")

    def _look(self) -> None:
        try:
            self._state = self._rows.tell(self._training.id, self._owner, self._news)
        except DQAError as error:  # the database may come back; the training itself is not worth less
            log.warning("progress not told", training=self._training.id, error=error.sentence())
