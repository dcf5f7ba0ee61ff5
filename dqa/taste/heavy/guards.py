"""When a training should stop, and which of its states is the best so far."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dqa.taste.heavy.checkpoints import write_atomically


class Best(BaseModel):
    """The evaluation with the least held-out loss; step 0 is what a training began with."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    step: int
    loss: float


@dataclass(slots=True)
class Rules:
    """The rules of one training, told of every loss.

    Attributes:
        patience: evaluations without a gain after which to stop.
        spike: a held-out loss this many times the best stops at once.
        best: so far.
        stopped: why to stop; None to go on.
    """

    patience: int
    spike: float
    best: Best | None = None
    stopped: str | None = None
    _worse: int = 0

    def trained(self, step: int, values: Mapping[str, float]) -> None:
        """After a step: its loss and gradient norm must be finite."""
        for name in ("loss", "grad_norm"):
            value = values.get(name)
            if value is not None and not math.isfinite(value):
                self.stopped = f"the {name.replace('_', ' ')} at step {step} is not finite"

    def weighed(self, step: int, *, finite: bool) -> None:
        """After a look at the adapter's weights."""
        if not finite:
            self.stopped = f"the adapter's weights at step {step} are not finite"

    def evaluated(self, step: int, loss: float) -> bool:
        """After an evaluation; says whether this is the best so far."""
        if self.stopped is not None:
            return False
        if not math.isfinite(loss):
            self.stopped = f"the held-out loss at step {step} is not finite"
            return False
        if self.best is None or loss < self.best.loss:
            self.best, self._worse = Best(step=step, loss=loss), 0
            return True
        self._worse += 1
        if loss > self.spike * self.best.loss:
            self.stopped = f"the held-out loss rose to {loss:.3f} at step {step}, from {self.best.loss:.3f}"
        elif self._worse >= self.patience:
            self.stopped = f"no gain on the held-out pairs since step {self.best.step}"
        return False

    def keep(self, folder: Path, weights: bytes) -> None:
        """Keeps the best state: the weights first, then the note that they are there and whose they are."""
        if self.best is not None:
            name = f"best-{self.best.step}.safetensors"
            write_atomically(folder / name, weights)
            note = {"file": name, "worse": self._worse, **self.best.model_dump()}
            write_atomically(folder / "best.json", json.dumps(note).encode())
            for old in folder.glob("best-*.safetensors"):
                if old.name != name:
                    old.unlink()

    def resume(self, folder: Path, step: int) -> Path | None:
        """The best weights that an earlier process kept, up to ``step``; None when there are none."""
        try:
            note = json.loads((folder / "best.json").read_bytes())
            best, path = Best(step=note["step"], loss=note["loss"]), folder / str(note["file"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if best.step > step or not path.is_file():
            return None
        self.best, self._worse = best, 0
        return path
