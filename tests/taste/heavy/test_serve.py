"""The adapter that speaks while clips are judged: where its base lies, and that it can be made to let go."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from dqa.models.snapshot import fingerprint
from dqa.taste.features import Judged
from dqa.taste.heavy.machine import Machine
from dqa.taste.heavy.publish import CONFIG, WEIGHTS, Shelf
from dqa.taste.heavy.rendering import RENDERING_VERSION
from dqa.taste.heavy.serve import AdapterRewards
from dqa.taste.learn import learn
from dqa.taste.style import NO_STYLE
from dqa.taste.taste import Taste
from tests.taste.heavy.conftest import Trained
from tests.test_record import record

pytest.importorskip("trl")

PROFILE = "embedded"


@pytest.fixture
def taste(trained: Trained, base: Path, tmp_path: Path) -> Taste:
    """A taste whose adapter is published in ``tmp_path``."""
    told: dict[str, Any] = {
        "rendering": RENDERING_VERSION,
        "style": NO_STYLE.model_dump(mode="json"),
        "config": {"beta": 0.1},
        "base": {"sha256": fingerprint(base)},
        "trained_videos": [],
    }
    shelf = Shelf(tmp_path, "mira", PROFILE)
    adapter = shelf.publish(trained.candidate / WEIGHTS, trained.candidate / CONFIG, told)
    return learn([], 0).model_copy(update={"adapter": adapter.version, "profile": PROFILE})


def reward(rewards: AdapterRewards, taste: Taste) -> float | None:
    return rewards.reward("mira", taste, Judged.of(record()), "0" * 64)


def test_it_lets_go_of_its_models_and_loads_them_again(base: Path, tmp_path: Path, taste: Taste) -> None:
    rewards = AdapterRewards(tmp_path, str(base))
    rewards.release()
    before = reward(rewards, taste)
    assert before is not None, rewards.why()
    model: Any = rewards._base.model  # pyright: ignore[reportPrivateUsage]
    gone = weakref.ref(model)
    del model
    gc.disable()
    try:
        rewards.release()
        assert gone() is None
    finally:
        gc.enable()
    assert not rewards.on_device
    assert reward(rewards, taste) == before


def test_what_was_on_a_gpu_is_given_back_to_it(
    base: Path, tmp_path: Path, taste: Taste, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    emptied: list[bool] = []
    rewards = AdapterRewards(tmp_path, str(base))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(rewards.on_device))
    reward(rewards, taste)
    assert not rewards.on_device
    rewards.release()
    assert emptied == []
    reward(rewards, taste)
    rewards._base.identity["device"] = "cuda"  # pyright: ignore[reportPrivateUsage]
    assert rewards.on_device
    rewards.release()
    assert emptied == [False], "after the models are gone"


def test_a_gpu_is_used_where_there_is_one_whatever_the_profile(
    base: Path, tmp_path: Path, taste: Taste, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dqa.taste.heavy.machine as module

    chosen: list[Machine] = []
    choose = module.choose

    def watched(config: Any, machine: Machine) -> Any:
        chosen.append(machine)
        return choose(config, Machine())

    monkeypatch.setattr(Machine, "here", lambda: Machine(cuda=True))
    monkeypatch.setattr(module, "choose", watched)
    assert reward(AdapterRewards(tmp_path, str(base)), taste) is not None
    assert chosen == [Machine(cuda=True)]
