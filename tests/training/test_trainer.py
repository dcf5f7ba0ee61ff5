"""From choices to a serving adapter: due, trained, gated, published, told to the light tier, resumed, cancelled."""

from __future__ import annotations

import json
import math
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from dqa.config import Settings
from dqa.errors import UnavailableError
from dqa.models import device, digests, snapshot
from dqa.record import Axis, ChannelResult, Dimension, EvaluationRecord
from dqa.store import Store
from dqa.store.selections import Selection
from dqa.taste.features import Judged
from dqa.taste.heavy.config import Finished, TrainingRequest
from dqa.taste.heavy.publish import WEIGHTS, Shelf, user_folder
from dqa.taste.heavy.serve import AdapterRewards
from dqa.taste.learn import learn
from dqa.training.trainer import Trainer
from tests.taste.heavy import tiny
from tests.test_record import record

pytest.importorskip("trl")

QUICK = {
    "rank": 8,
    "learning_rate": 2e-2,
    "min_steps": 24,
    "max_steps": 24,
    "evaluations": 4,
    "batch": 4,
    "accumulation": 1,
    "warmup": 0.0,
    "distillation_steps": 0,
}
PAIRS = 70


def evaluation(name: str, motion: float, prompt: str) -> EvaluationRecord:
    base = record()
    dimension = Dimension(score=motion, raw=motion, status="ok")
    channels = {
        "semantic": ChannelResult(status="ok", score=0.5, reason="r"),
        "benchmark": ChannelResult(status="ok", score=motion, reason="r", dimensions={"motion_smoothness": dimension}),
        "visionreward": ChannelResult(
            status="ok", score=0.5, reason="r", axes={"motion": Axis(score=motion, reason="r", advice="")}
        ),
    }
    media = base.media.model_copy(update={"sha256": name.encode().hex().rjust(64, "0")})
    changes = {"id": f"ev_{name}", "channels": channels, "media": media, "prompt": prompt, "user": "mira"}
    return base.model_copy(update={**changes, "profile": "embedded"})


def choose(store: Store, numbers: range) -> None:
    for i in numbers:
        good, bad = 0.55 + 0.4 * (i % 7) / 7, 0.05 + 0.3 * (i % 5) / 5
        store.save_record(evaluation(f"{i}a", good, f"a wolf, take {i}"), Path("a.mp4"))
        store.save_record(evaluation(f"{i}b", bad, f"a wolf, take {i}"), Path("b.mp4"))
        store.selections.add(Selection("mira", f"t{i}", f"ev_{i}a", f"ev_{i}b", "a"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with the choices, to be copied."""
    home = tmp_path_factory.mktemp("chosen")
    store = Store.open(Settings(home=home))
    choose(store, range(PAIRS))
    store.close()
    return home


@pytest.fixture
def settings(tmp_path: Path, base: Path, chosen: Path) -> Settings:
    shutil.copytree(chosen, tmp_path / "home")
    return Settings(home=tmp_path / "home", user="mira", taste_model=str(base), taste_min_pairs=60, taste_every=25)


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store.open(settings)


def trainer(settings: Settings, store: Store, owner: str = "me") -> Trainer:
    return Trainer(settings, store, owner, QUICK)


def nothing(_: object) -> None:
    return


def never() -> bool:
    return False


def test_it_is_due_with_enough_pairs_and_again_with_enough_new_ones(settings: Settings, store: Store) -> None:
    few = trainer(settings.model_copy(update={"taste_min_pairs": 71}), store)
    assert few.due("mira", "embedded").why == "70 clean pairs of 71"
    with pytest.raises(UnavailableError, match="70 clean pairs of 71"):
        few.ask("mira", "embedded")
    enough = trainer(settings, store)
    assert enough.due("mira", "embedded").due
    asked = enough.ask("mira", "embedded")
    assert asked.request == {"pairs": 70, "until": 70}
    store.trainings.lease("me")
    store.trainings.end(asked.id, "me", "refused", {"reason": "x"})
    choose(store, range(PAIRS, PAIRS + 24))
    assert enough.due("mira", "embedded").why == "24 new pairs of 25 since the last training"
    choose(store, range(PAIRS + 24, PAIRS + 25))
    assert enough.due("mira", "embedded").due
    assert not enough.due("ana", "embedded").due
    assert not enough.due("mira", "rtx3090").due


def test_without_a_model_nothing_is_trained(settings: Settings, store: Store) -> None:
    off = trainer(settings.model_copy(update={"taste_model": None}), store)
    assert not off.enabled
    with pytest.raises(UnavailableError, match="no language model is set"):
        off.ask("mira", "embedded")


@pytest.mark.slow
def test_a_training_serves_and_its_rewards_are_honest(settings: Settings, store: Store) -> None:
    store.tuner.step("mira")
    told: list[Any] = []
    made = trainer(settings, store)
    asked = made.ask("mira", "embedded")
    done = made.run_next(told.append, never)
    assert done is not None
    assert (done.id, done.status) == (asked.id, "done"), done.outcome
    assert done.outcome is not None
    adapter = Shelf(settings.home, "mira", "embedded").current()
    assert adapter is not None
    assert adapter.version == done.outcome["adapter"]
    assert adapter.metadata["loss"] < math.log(2)
    held, trained = adapter.metadata["split"]["held_out"], adapter.metadata["split"]["train"]
    assert len(held) >= 20
    assert len(held) + len(trained) == PAIRS
    assert not list(user_folder(settings.home, "mira").glob(".training-*")), "the scratch and its pickles are gone"

    evidence = store.trainings.evidence("mira", "embedded")
    assert evidence is not None
    a, b = evidence.for_choice(held[0][0], held[0][1])
    assert math.isfinite(a)
    assert math.isfinite(b)
    assert all(math.isnan(x) for x in evidence.for_choice(trained[0][0], trained[0][1]))
    assert len(evidence.rewards) == 2 * PAIRS

    latest = store.tuner.history("mira", 1)[0]
    assert latest["training_step"] == 2, "the light tier was asked to look"
    rewards = AdapterRewards(settings.home, settings.taste_model)
    taste = learn([], 0).model_copy(update={"adapter": adapter.version})
    seen = evaluation("x", 0.9, "a wolf, take 3")
    first = rewards.reward("mira", taste, Judged.of(seen), seen.media.sha256)
    assert first is not None
    low = evaluation("y", 0.1, "a wolf, take 3")
    second = rewards.reward("mira", taste, Judged.of(low), low.media.sha256)
    assert second is not None
    assert first > second
    known = store.get_record(held[0][0])
    again = rewards.reward("mira", taste, Judged.of(known), known.media.sha256)
    assert again == pytest.approx(evidence.rewards[known.id], abs=1e-4), "judged live as it was scored in training"

    flattered = store.get_record(trained[0][0])
    assert rewards.reward("mira", taste, Judged.of(flattered), flattered.media.sha256) is None
    assert "trained on this clip" in (rewards.why() or "")
    weights = adapter.folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1])
    fresh = AdapterRewards(settings.home, settings.taste_model)
    assert fresh.reward("mira", taste, Judged.of(seen), "0" * 64) is None
    assert "altered" in (fresh.why() or "")
    assert AdapterRewards(settings.home, None).reward("mira", taste, Judged.of(seen), "0" * 64) is None

    store.tuner.reset("mira", "embedded")
    assert store.trainings.evidence("mira", "embedded") is None, "what was set aside is not learned back through it"


@pytest.mark.slow
def test_a_training_that_was_stopped_goes_on_where_it_was(settings: Settings, store: Store) -> None:
    made = trainer(settings, store)
    made.ask("mira", "embedded")
    steps: list[int] = []

    def hears(progress: Any) -> None:
        if progress is not None and progress.stage == "training":
            steps.append(progress.step)

    stopped = made.run_next(hears, lambda: bool(steps) and steps[-1] >= 14)
    assert stopped is not None
    assert stopped.status == "queued"
    assert Shelf(settings.home, "mira", "embedded").current() is None
    scratch = next(user_folder(settings.home, "mira").glob(".training-*"))
    assert list(scratch.glob("checkpoints/checkpoint-*"))
    before = len(steps)
    ended = trainer(settings, store, "another").run_next(hears, never)
    assert ended is not None
    assert ended.status == "done", ended.outcome
    assert min(steps[before:], default=24) > 6, "it did not begin anew"
    assert not scratch.exists()


@pytest.mark.slow
def test_a_cancelled_training_leaves_nothing(settings: Settings, store: Store) -> None:
    made = trainer(settings, store)
    made.ask("mira", "embedded")

    def cancel(progress: Any) -> None:
        if progress is not None and progress.step == 2:
            store.trainings.ask_to_cancel("mira", "embedded")

    ended = made.run_next(cancel, never)
    assert ended is not None
    assert ended.status == "cancelled"
    assert Shelf(settings.home, "mira", "embedded").current() is None
    assert not list(user_folder(settings.home, "mira").glob(".training-*"))
    assert store.trainings.evidence("mira", "embedded") is None


def test_a_model_that_is_gone_fails_the_training_with_a_reason(
    settings: Settings, store: Store, tmp_path: Path
) -> None:
    lost = trainer(settings.model_copy(update={"taste_model": str(tmp_path / "gone")}), store)
    lost.ask("mira", "embedded")
    ended = lost.run_next(nothing, never)
    assert ended is not None
    assert ended.status == "failed"
    assert "is not on this machine" in json.dumps(ended.outcome)


def test_the_base_is_read_once_and_not_while_evaluations_wait(
    settings: Settings, store: Store, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = shutil.copytree(base, tmp_path / "base")
    for path in own.iterdir():
        os.utime(path, (1e9, 1e9))
    read: list[bool] = []
    requests: list[TrainingRequest] = []

    def counted(path: Path) -> str:
        if path.suffix == ".safetensors":
            with device.alone_if_free(settings.home) as free:
                read.append(free)
        return taken(path)

    def refused(request: TrainingRequest, *_: object) -> Finished:
        requests.append(request)
        return Finished(steps=1, best_step=None, best_loss=None, loss=None)

    taken = digests.digest
    monkeypatch.setattr(digests, "digest", counted)
    monkeypatch.setattr(digests, "_WORTH", 0)  # this base is small enough to be read each time
    monkeypatch.setattr("dqa.training.trainer.run_process", refused)
    made = trainer(settings.model_copy(update={"taste_model": str(own)}), store)
    for _ in range(2):
        made.ask("mira", "embedded", anyway=True)
        ended = made.run_next(nothing, never)
        assert ended is not None
        assert ended.status == "refused"
    assert read == [True], "once, and the device was free"
    assert [r.known is not None and r.known.sha256 == snapshot.fingerprint(own) for r in requests] == [True, True]


def test_it_waits_for_evaluations_and_can_be_stopped_while_it_waits(settings: Settings, store: Store) -> None:
    made = trainer(settings, store)
    made.ask("mira", "embedded")
    told: list[object] = []
    waited = threading.Event()

    def hears(progress: object) -> None:
        told.append(progress)
        waited.set()

    with device.shared(settings.home):
        ended = made.run_next(hears, waited.is_set)
    assert told == [None]
    assert ended is not None
    assert ended.status == "queued"


def test_tidying_removes_what_no_training_owns(settings: Settings, store: Store) -> None:
    made = trainer(settings, store)
    asked = made.ask("mira", "embedded")
    folder = user_folder(settings.home, "mira")
    for name in (asked.id, "tr_gone"):
        (folder / f".training-{name}").mkdir(parents=True)
    with device.shared(settings.home):
        made.tidy()
    assert len(list(folder.iterdir())) == 2, "somebody uses the device"
    made.tidy()
    assert [p.name for p in folder.iterdir()] == [f".training-{asked.id}"]


def test_a_user_that_chose_on_one_prompt_only_is_told_so(settings: Settings, tmp_path: Path) -> None:
    store = Store.open(settings.model_copy(update={"home": tmp_path / "other"}))
    for i in range(60):
        for side, motion in (("a", 0.9), ("b", 0.1)):
            store.save_record(evaluation(f"{i}{side}", motion - i / 1000, "a wolf"), Path("a.mp4"))
        store.selections.add(Selection("mira", f"t{i}", f"ev_{i}a", f"ev_{i}b", "a"))
    due = trainer(settings, store).due("mira", "embedded")
    assert not due.due
    assert due.why.startswith("too few pairs")
