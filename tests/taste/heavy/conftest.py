"""One tiny base model and one training of it, for all tests that only look at what came out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from dqa.taste.heavy.config import Finished, TrainingRequest
from tests.taste.heavy import tiny


@dataclass(frozen=True)
class Trained:
    """A finished training: what was asked, every line that was told, and the last of them."""

    request: TrainingRequest
    told: list[BaseModel]
    finished: Finished

    @property
    def candidate(self) -> Path:
        return Path(self.request.scratch) / "candidate"


def run_here(request: TrainingRequest) -> Trained:
    """Trains in this process."""
    from dqa.taste.heavy.train import run

    told: list[BaseModel] = []
    assert run(request, told.append) == 0, told[-1]
    assert isinstance(told[-1], Finished)
    return Trained(request, told, told[-1])


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("trl")
    return tiny.save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    from dqa.taste.heavy.config import Sample

    samples = [
        Sample(
            id=f"{kind}{i}",
            prompt=f'brief: "s{i}"\nclip:\n',
            response=f"semantic {i} motion {motion} contrast 5 tags nature",
        )
        for i in range(8)
        for kind, motion in (("high", 9), ("low", 0))
    ]
    config = tiny.quick(base, min_steps=24, max_steps=24)
    return run_here(tiny.request(tmp_path_factory.mktemp("scratch"), config, samples, train=tiny.examples(64)))
