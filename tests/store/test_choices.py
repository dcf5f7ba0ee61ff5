"""Choices and training steps: nothing twice, nothing lost, each user for himself."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.errors import Conflict, UsageError
from dqa.record import Axis, ChannelResult, Dimension, EvaluationRecord
from dqa.store import Store
from dqa.store import tuner as tuner_module
from dqa.store.selections import Selection
from tests.test_record import record


def evaluation(name: str, smooth: float) -> EvaluationRecord:
    base = record()
    channels = {
        "semantic": ChannelResult(status="ok", score=0.5, reason="r"),
        "benchmark": ChannelResult(
            status="ok",
            score=smooth,
            reason="r",
            dimensions={"motion_smoothness": Dimension(score=smooth, raw=smooth, status="ok")},
        ),
        "visionreward": ChannelResult(
            status="ok", score=0.5, reason="r", axes={"motion": Axis(score=smooth, reason="r", advice="")}
        ),
    }
    media = base.media.model_copy(update={"sha256": sha256(name.encode()).hexdigest()})
    return base.model_copy(update={"id": f"ev_{name}", "channels": channels, "media": media})


def fill(store: Store, n: int, user: str = "u") -> None:
    """n choices of someone who likes smooth motion."""
    for i in range(n):
        store.save_record(evaluation(f"{user}{i}a", 0.9), Path("a.mp4"))
        store.save_record(evaluation(f"{user}{i}b", 0.3), Path("b.mp4"))
        store.selections.add(Selection(user, f"t{i}", f"ev_{user}{i}a", f"ev_{user}{i}b", "a"))


def test_a_choice_is_kept_once(store: Store) -> None:
    first, new = store.selections.add(Selection("u", "t", "ev_a", "ev_b", "a"))
    again, new_again = store.selections.add(Selection("u", "t", "ev_a", "ev_b", "a", source="block"))
    assert (new, new_again) == (True, False)
    assert again == first
    assert first.created
    with pytest.raises(Conflict):
        store.selections.add(Selection("u", "t", "ev_a", "ev_b", "b"))
    _, other = store.selections.add(Selection("somebody else", "t", "ev_a", "ev_b", "b"))
    assert other


@pytest.mark.parametrize(("b", "chosen"), [("ev_a", "a"), ("ev_b", "c"), ("ev_b", "A")])
def test_what_is_no_choice_is_refused(store: Store, b: str, chosen: str) -> None:
    with pytest.raises(UsageError):
        store.selections.add(Selection("u", "t", "ev_a", b, chosen))  # type: ignore[arg-type]


def test_a_step_learns_and_a_second_one_finds_nothing_new(store: Store) -> None:
    fill(store, 10)
    output = store.tuner.step("u")
    assert output["training_step"] == 1
    assert output["choices_seen"] == output["new_choices"] == 10
    assert any("motion smoothness" in str(pattern) for pattern in output["new_patterns"])  # type: ignore[union-attr]
    again = store.tuner.step("u")
    assert again == {**output, "new_choices": 0, "new_patterns": []}
    assert len(store.tuner.history("u")) == 1
    fill_more = Selection("u", "more", "ev_u0a", "ev_u1b", "a")
    store.selections.add(fill_more)
    third = store.tuner.step("u")
    assert third["training_step"] == 2
    assert third["new_choices"] == 1
    assert third["loss_trend"] == [output["loss"], third["loss"]]


def test_without_choices_a_step_says_so(store: Store) -> None:
    output = store.tuner.step("nobody")
    assert output["training_step"] == 0
    assert output["loss"] is None
    assert output["model_confidence"] == 0
    assert store.tuner.current("nobody") is None


def test_users_are_apart(store: Store) -> None:
    fill(store, 5, "one")
    assert store.tuner.step("two")["choices_seen"] == 0
    assert store.tuner.step("one")["choices_seen"] == 5


def test_choices_between_unknown_clips_are_named_and_the_others_count(store: Store) -> None:
    fill(store, 3)
    store.selections.add(Selection("u", "stranger", "video-1", "video-2", "a"))
    output = store.tuner.step("u")
    assert output["unresolved"] == ["stranger"]
    assert output["choices_seen"] == 3


def test_any_version_can_be_had_again(store: Store) -> None:
    fill(store, 4)
    store.tuner.step("u")
    first = store.tuner.current("u")
    store.selections.add(Selection("u", "more", "ev_u0b", "ev_u1a", "a"))
    store.tuner.step("u")
    assert store.tuner.version("u", 1) == first
    assert store.tuner.current("u") != first
    assert store.tuner.version("u", 9) is None


def test_overlapping_triggers_consume_each_choice_once(store: Store) -> None:
    fill(store, 5)
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda _: store.tuner.step("u"), range(8)))
    assert sorted(int(str(o["new_choices"])) for o in outputs) == [0] * 7 + [5]
    assert len(store.tuner.history("u")) == 1


def _step_and_hang(settings: Settings) -> None:
    def hang(*_: object) -> None:
        (settings.home / "in-step").touch()
        time.sleep(60)

    tuner_module._keep = hang  # type: ignore[assignment]
    Store.open(settings).tuner.step("u")


def test_a_process_killed_in_a_step_leaves_nothing_behind(store: Store, settings: Settings) -> None:
    fill(store, 5)
    child = multiprocessing.get_context("fork").Process(target=_step_and_hang, args=(settings,))
    child.start()
    while not (settings.home / "in-step").exists():
        time.sleep(0.02)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert store.tuner.history("u") == []
    output = store.tuner.step("u")
    assert output["new_choices"] == 5
    json.dumps(output)
