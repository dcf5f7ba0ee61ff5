"""What all tests share: the real clips, a state folder of their own, one thread per process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import sharing

os.environ.setdefault("OMP_NUM_THREADS", "1")
for name in [n for n in os.environ if n.startswith("DQA_") and not n.startswith("DQA_TEST_")]:
    del os.environ[name]  # the settings of whoever runs the tests are not the tests' settings

# A run repeats exactly, whatever ran before it, and no example fails for having been slow on a busy machine.
settings.register_profile(
    "dqa",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=int(os.environ.get("DQA_TEST_EXAMPLES", "50")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("dqa")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return sharing.by_folder(config, log)


# Outermost, so that a test's time limit begins with its turn.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    alone = item.get_closest_marker("alone") is not None
    with sharing.turn(sharing.common_folder(item.config), alone):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked gpu run where there is one."""
    if item.get_closest_marker("gpu") is None:
        return
    import torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")


CLIPS = Path(__file__).parent / "data" / "clips"


@dataclass(frozen=True)
class RealClip:
    """A real AI-generated clip with the prompt it was made from."""

    id: str
    path: Path
    prompt: str


def real_clips() -> list[RealClip]:
    """The clips in tests/data, or those in $DQA_TEST_CLIPS (a folder with a manifest.jsonl)."""
    folder = Path(os.environ.get("DQA_TEST_CLIPS", CLIPS))
    manifest = next(p for p in (folder / "manifest.jsonl", folder.parent / "manifest.jsonl") if p.is_file())
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    return [RealClip(row["id"], folder / row["file"], row["prompt"]) for row in rows]


@pytest.fixture(scope="session")
def clips() -> list[RealClip]:
    return real_clips()


@pytest.fixture(scope="session")
def short_clips(clips: list[RealClip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the first second of each real clip, under its own name: to be read only."""
    from tests.shortening import shortened

    folder = tmp_path_factory.mktemp("short-clips")
    for clip in clips:
        shortened(clip.path, folder / clip.path.name)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own for one test, set as DQA_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("DQA_HOME", str(folder))
    return folder
