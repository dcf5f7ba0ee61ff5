"""Killed at any moment while it learns and publishes: every taste that is there loads, and no choice is lost."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.store import Store
from dqa.store.selections import Selection
from tests.store.test_choices import evaluation

KILLS, CLIPS = 20, 12


def _learn_for_ever(settings: Settings, life: int) -> None:
    store = Store.open(settings)
    rng = random.Random(life)
    for number in range(100_000):
        a, b = rng.sample(range(CLIPS), 2)
        store.selections.add(Selection("u", f"{life}-{number}", f"ev_{a}", f"ev_{b}", "a" if a > b else "b"))
        output = store.tuner.step("u")
        if number % 7 == 6:
            store.tuner.rollback("u", max(1, int(str(output["training_step"])) - 2))
        with (settings.home / "steps").open("a") as file:
            file.write(".")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_kills_leave_no_bad_taste_and_lose_no_choice(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home", taste_versions=5)
    store = Store.open(settings)
    for i in range(CLIPS):
        judged = evaluation(str(i), (i + 1) / (CLIPS + 1)).model_copy(update={"prompt": f"prompt {i % 4}"})
        store.save_record(judged, Path("a.mp4"))
    rng, done = random.Random(0), settings.home / "steps"
    loads = 0
    for life in range(KILLS):
        before = done.stat().st_size if done.exists() else 0
        child = multiprocessing.get_context("fork").Process(target=_learn_for_ever, args=(settings, life))
        child.start()
        while not done.exists() or done.stat().st_size == before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        loads += _load_all(store)
    assert loads >= 5 * KILLS - 10
    _consumed_once(store)


def _load_all(store: Store) -> int:
    """Every version that says it is kept loads, and the serving one is one of them."""
    state = store.tuner.state("u")
    kept = [v.version for v in state.versions if v.kept]
    assert all(store.tuner.version("u", version) is not None for version in kept), "a bad load"
    assert state.serving in kept
    assert state.taste is not None
    assert state.taste.version == state.serving, "no earlier one had to stand in"
    return len(kept)


def _consumed_once(store: Store) -> None:
    """No choice was counted as new by two versions, and none is left when one more step is through."""
    store.tuner.step("u")
    assert store.tuner.step("u")["new_choices"] == 0
    versions = store.tuner.state("u", limit=10_000).versions
    numbers = [v.version for v in versions]
    assert numbers == list(range(len(versions), 0, -1)), "no gap and no number twice"
    new = sum(int(str(v.output["new_choices"])) for v in versions)
    assert new <= len(store.selections.page("u", 100_000))
    consumed = [v.consumed for v in reversed(versions)]
    assert consumed == sorted(consumed)
