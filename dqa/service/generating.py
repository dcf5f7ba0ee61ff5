"""Makes the clips that were asked for, one after the other, on the operator's ComfyUI (docs/design/refine-service.md).

A thread of the service's own, which mostly waits: generation needs no model of ours, and the workers' device is often
the very one that ComfyUI computes on.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import structlog

from dqa.clip.container import sniff
from dqa.comfy.client import Comfy
from dqa.config import Settings
from dqa.errors import Cancelled, DQAError
from dqa.service.generator import generator
from dqa.service.lineage import identity, is_gone
from dqa.service.problems import internal, problem_of
from dqa.store import Store
from dqa.store.generations import Generation

log = structlog.get_logger(__name__)

LOOK_S = 1.0
"""How often it looks for what other processes queued; its own service wakes it."""

_CHUNK = 1 << 20


class _Stopping(Exception):
    """The service stops: the run stays on the server, and is taken up when the service is back."""


class Generating(threading.Thread):
    """Runs what waits until it is stopped.

    Args:
        settings: where ComfyUI is, and which workflows it may run.
        store: the queue, and where clips go.
        comfy: makes the client; for tests.
    """

    def __init__(self, settings: Settings, store: Store, comfy: Callable[[str], Comfy] = Comfy) -> None:
        super().__init__(name="generating", daemon=True)
        self._settings = settings
        self._store = store
        self._comfy = comfy
        self._owner = identity(os.getpid())
        self._stopping = threading.Event()
        self._woken = threading.Event()

    def wake(self) -> None:
        """Has it look now."""
        self._woken.set()

    def stop(self) -> None:
        """Ends the wait for a run under way, and leaves that run to the next service."""
        self._stopping.set()
        self._woken.set()
        if self.is_alive():
            self.join(timeout=5)

    def run(self) -> None:
        """The thread: take one, make it, take the next."""
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self._store.generations.release_lost(is_gone)
                while not self._stopping.is_set() and (taken := self._store.generations.take(self._owner)) is not None:
                    self._one(taken)
            except (DQAError, OSError) as error:  # the database or disk may come back
                log.warning("generations not looked after", error=str(error))
            self._woken.wait(LOOK_S)

    def _one(self, taken: Generation) -> None:
        """Ends one generation, whatever happens; a run left on the server goes with it."""
        generations, comfy = self._store.generations, self._comfy(self._settings.comfy_url)
        try:
            with comfy:
                media_id = self._make(taken, comfy)
            generations.complete(taken.id, self._owner, media_id)
        except _Stopping:
            return
        except Cancelled as error:
            if generations.cancelling(taken.id):
                generations.cancelled(taken.id, self._owner)
            else:
                generations.fail(taken.id, self._owner, problem_of(error))
        except DQAError as error:
            log.warning("generation failed", generation=taken.id, error=error.sentence())
            generations.fail(taken.id, self._owner, problem_of(error))
        except Exception:  # one clip's fault must not end the thread that makes the others
            log.exception("generation failed", generation=taken.id)
            generations.fail(taken.id, self._owner, internal())

    def _make(self, taken: Generation, comfy: Comfy) -> str:
        asked: dict[str, Any] = taken.request
        made_by = generator(self._settings, comfy, asked["workflow"])
        comfy.ping()
        if not self._store.generations.submitting(taken.id, self._owner):
            self._take_off(taken, comfy)
        target = self._store.media.temporary()
        try:
            made = made_by.make(
                asked["prompt"],
                asked["negative"],
                asked["seed"] if made_by.slots.seed else None,
                target,
                taken.run,
                progress=lambda stage, share: self._watch(taken, comfy),
                taken_up=taken.submitted,
            )
            return self._keep(made, cast("int", asked["attempt"]))
        finally:
            for left in target.parent.glob(f"{target.name}*"):
                left.unlink(missing_ok=True)

    def _watch(self, taken: Generation, comfy: Comfy) -> None:
        """Called while the run is waited for."""
        if threading.current_thread() is not self:  # the websocket's reader: it may not decide, nor raise
            return
        if self._stopping.is_set():
            raise _Stopping
        if self._store.generations.cancelling(taken.id):
            self._take_off(taken, comfy)

    def _take_off(self, taken: Generation, comfy: Comfy) -> None:
        comfy.cancel(taken.run)
        raise Cancelled("the generation was cancelled", fix="ask again if you need it")

    def _keep(self, made: Path, attempt: int) -> str:
        """Puts a clip on the shelf as an upload would be: by its bytes and its hash."""
        suffix = f".{sniff(made).value}"
        digest = hashlib.sha256()
        with made.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            os.fsync(file.fileno())
        kept, _ = self._store.media.add(made, digest.hexdigest(), suffix, f"attempt-{attempt}{suffix}")
        return kept.id
