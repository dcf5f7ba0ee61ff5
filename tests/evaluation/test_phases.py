"""Clips through the phases: the same verdicts however many at once and under any budget, few loads, little held."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dqa.config import Settings
from dqa.errors import Cancelled, InsufficientMemory, InvalidPrompt, MediaNotFound
from dqa.evaluation import rounds as rounds_module
from dqa.evaluation.request import Item, Underway
from dqa.evaluation.rounds import held_by, rounds
from dqa.evaluator import Evaluation, Evaluator
from dqa.measure.observation import Observation
from dqa.models import device
from dqa.models.plan import plan_profile
from dqa.taste.features import Judged
from dqa.taste.taste import Taste
from tests.evaluation import fakes
from tests.observing import observed, texture

NAMES = ["wan21_04_base.mp4", "wan21_07_base.mp4"]


def evaluator(home: Path, budget: float) -> Evaluator:
    return Evaluator(Settings(home=home, budget_gb=budget), fakes.profile())


def bits(result: Evaluation | Exception) -> dict[str, Any]:
    assert isinstance(result, Evaluation), result
    data = json.loads(result.record.to_json())
    return {key: value for key, value in data.items() if key not in ("id", "created", "timings_s", "memory")}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Observation]:
    """Clips that need no decode: a name's number is how bright it is."""
    known = {f"{n}.mp4": observed([texture(seed=n) // (n + 1)] * 9) for n in range(5)}
    known = {
        name: replace(seen, media=seen.media.model_copy(update={"sha256": name * 8})) for name, seen in known.items()
    }

    def observe(_: Evaluator, request: Any, tell: Any) -> Observation:
        del tell
        if request.media.name not in known:
            raise MediaNotFound("no such file", fix="check the path")
        return known[request.media.name]

    monkeypatch.setattr(Evaluator, "_observe", observe)
    return known


def items(*names: str) -> list[Item]:
    return [Item(Path(name), f"prompt of {name}") for name in names]


ALL = ("0.mp4", "1.mp4", "2.mp4")


@pytest.mark.parametrize("budget", [6.2, 8, 24])
def test_many_at_once_get_the_verdicts_they_get_one_by_one(
    budget: float, seen: dict[str, Observation], tmp_path: Path
) -> None:
    alone = [bits(evaluator(tmp_path / "a", 24).run(item.media, item.prompt)) for item in items(*ALL)]
    together = [bits(result) for result in evaluator(tmp_path / "b", budget).run_many(items(*ALL))]
    assert together == alone
    assert [record["prompt"] for record in together] == [item.prompt for item in items(*ALL)]


def test_a_round_goes_through_a_phase_before_the_next_loads(seen: dict[str, Observation], tmp_path: Path) -> None:
    grader = evaluator(tmp_path, 8)
    assert len(grader.plan.evaluation) > 1
    assert len(list(grader.run_many(items(*ALL)))) == 3
    loads = [event[1] for event in fakes.EVENTS if event[0] == "load"]
    assert sorted(loads) == sorted(fakes.SIZES), "each model is loaded once for three clips"
    asked = [event[1:] for event in fakes.EVENTS if event[0] == "ask"]
    first = grader.plan.evaluation[0].channels
    assert [name for name, _ in asked[: 3 * len(first)]] == [*first] * 3


@pytest.mark.parametrize(("lost", "told"), [(0, []), (1, ["1 of its packets was"]), (7, ["7 of its packets were"])])
def test_a_damaged_file_is_named_in_the_notes(
    lost: int, told: list[str], seen: dict[str, Observation], tmp_path: Path
) -> None:
    whole = seen["0.mp4"]
    seen["0.mp4"] = replace(whole, media=whole.media.model_copy(update={"corrupt_packets": lost}))
    notes = bits(evaluator(tmp_path, 24).run(Path("0.mp4"), "a wolf"))["notes"]
    assert [note for note in notes if "damaged" in note] == [
        f"the file is damaged: {words} lost or corrupt; what could be decoded was judged" for words in told
    ]


def test_resident_models_take_clips_one_by_one(seen: dict[str, Observation], tmp_path: Path) -> None:
    grader = evaluator(tmp_path, 24)
    assert grader.plan.mode == "resident"
    results = grader.run_many(items(*ALL))
    next(results)
    asked = {event[2] for event in fakes.EVENTS if event[0] == "ask"}
    assert len(asked) == 1, "nothing of the second clip is begun before the first verdict is out"


def test_one_clip_s_fault_is_given_in_its_place(seen: dict[str, Observation], tmp_path: Path) -> None:
    some = [*items("0.mp4", "gone.mp4"), Item(Path("1.mp4"), "  "), *items("2.mp4")]
    for budget in (8, 24):
        kinds = [type(result) for result in evaluator(tmp_path, budget).run_many(some)]
        assert kinds == [Evaluation, MediaNotFound, InvalidPrompt, Evaluation]


def test_who_asks_to_stop_is_heard_in_the_middle_of_a_round(seen: dict[str, Observation], tmp_path: Path) -> None:
    def stop(stage: str, share: float) -> None:
        if stage == "benchmark":
            raise Cancelled("stopped")

    some = [*items("0.mp4"), Item(Path("1.mp4"), "x", {"progress": stop})]
    with pytest.raises(Cancelled):
        list(evaluator(tmp_path, 8).run_many(some))


def test_a_channel_is_given_what_it_reads_and_no_more(seen: dict[str, Observation], tmp_path: Path) -> None:
    record = evaluator(tmp_path, 8).run(Path("0.mp4"), "x").record
    read = {name: sorted(result.raw["read"]) for name, result in record.channels.items()}  # type: ignore[arg-type]
    everyone = sorted(["semantic", "spatial", "benchmark", "visionreward"])
    assert read == {
        "semantic": [],
        "spatial": [],
        "benchmark": [],
        "visionreward": ["semantic"],
        "preference": everyone,
    }
    assert list(record.channels) == ["semantic", "spatial", "benchmark", "visionreward", "preference"]


def test_the_record_s_plan_is_the_declared_one_whatever_was_measured(
    seen: dict[str, Observation], tmp_path: Path
) -> None:
    first, again = (evaluator(tmp_path, 8).run(Path("0.mp4"), "x").record for _ in range(2))
    assert first.memory == again.memory
    assert first.memory["budget_gb"] == 8
    planned = first.memory["planned_gb"]
    assert isinstance(planned, dict)
    assert max(planned.values()) <= 8  # type: ignore[type-var, operator]


def test_a_phase_that_nobody_asks_for_moves_nothing(seen: dict[str, Observation], tmp_path: Path) -> None:
    grader = evaluator(tmp_path, 8)
    grader.run(Path("0.mp4"), "x", channels=["semantic"])
    assert [event for event in fakes.EVENTS if event[0] == "load"] == [("load", "vlm")]


def test_models_can_be_loaded_before_and_let_go(tmp_path: Path) -> None:
    grader = evaluator(tmp_path, 24)
    grader.load()
    assert set(grader.pool.resident) == set(fakes.SIZES)
    grader.release()
    assert grader.pool.resident == ()
    small = evaluator(tmp_path, 8)
    small.load()
    assert set(small.pool.resident) == set(small.plan.evaluation[0].components)


class Rewards:
    """A user's adapter on a GPU; one that knows of no device has only what :class:`RewardSource` asks for."""

    def __init__(self) -> None:
        self.on_device = True
        self.released = 0

    def reward(self, user: str, taste: Taste, judged: Judged, sha256: str) -> float | None:
        return None

    def why(self) -> str | None:
        return None

    def release(self) -> None:
        self.on_device, self.released = False, self.released + 1


class Deviceless:
    reward, why = Rewards.reward, Rewards.why


def test_who_waits_for_a_training_lets_go_of_the_device(seen: dict[str, Observation], tmp_path: Path) -> None:
    rewards = Rewards()
    grader = Evaluator(Settings(home=tmp_path, budget_gb=24), fakes.profile(), rewards=rewards)
    grader.pool.device = "cuda"
    grader.run(Path("0.mp4"), "x")
    assert grader.pool.resident
    held: list[tuple[str, ...]] = []

    def progress(stage: str, share: float) -> None:
        if stage == device.WAITING:
            held.append(grader.pool.resident)
            if len(held) == 2:
                training.close()

    with ExitStack() as training:
        training.enter_context(device.alone(tmp_path))
        record = grader.run(Path("0.mp4"), "x", progress=progress).record
    assert held == [(), ()]
    assert rewards.released == 1
    assert record.channels["semantic"].status == "ok", "its models come back"


def test_on_a_cpu_nothing_goes_while_it_waits(seen: dict[str, Observation], tmp_path: Path) -> None:
    grader = evaluator(tmp_path, 24)
    grader.run(Path("0.mp4"), "x")

    def progress(stage: str, share: float) -> None:
        if stage == device.WAITING:
            training.close()

    with ExitStack() as training:
        training.enter_context(device.alone(tmp_path))
        grader.run(Path("0.mp4"), "x", progress=progress)
    assert fakes.EVENTS.count(("load", "vlm")) == 1


def test_the_language_model_of_taste_counts_as_on_the_device_and_goes_with_the_rest(tmp_path: Path) -> None:
    rewards = Rewards()
    grader = Evaluator(Settings(home=tmp_path, budget_gb=24), fakes.profile(), rewards=rewards)
    assert grader.on_device
    grader.release()
    assert (grader.on_device, rewards.released) == (False, 1)
    plain = Evaluator(Settings(home=tmp_path, budget_gb=24), fakes.profile(), rewards=Deviceless())
    plain.release()
    assert not plain.on_device


def test_what_does_not_fit_is_refused_before_anything_loads(tmp_path: Path) -> None:
    with pytest.raises(InsufficientMemory, match="vlm"):
        evaluator(tmp_path, 4)
    assert fakes.EVENTS == []


def test_a_round_is_bounded_in_clips_and_in_bytes(
    seen: dict[str, Observation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(item: Item) -> Underway | Exception:
        if item.media.name not in seen:
            return MediaNotFound("no such file", fix="")
        return Underway(None, seen[item.media.name], lambda _a, _b: None, {})  # type: ignore[arg-type]

    many = items(*(f"{n % 5}.mp4" for n in range(40)), "gone.mp4")
    assert [len(some) for some in rounds(many, opened)] == [16, 16, 9]
    monkeypatch.setattr(rounds_module, "MOST_BYTES", 2 * held_by(seen["0.mp4"]))
    assert {len(some) for some in rounds(many[:10], opened)} == {2}
    assert [len(some) for some in rounds(many[:3], opened, 1)] == [1, 1, 1]


@pytest.mark.slow
def test_real_clips_in_rounds_are_judged_as_alone(short_clips: Path, tmp_path: Path) -> None:
    grader = Evaluator(Settings(home=tmp_path))
    grader.plan = plan_profile(grader.profile, "sequential", 1.2)
    assert len(grader.plan.evaluation) == 2
    some = [Item(short_clips / name, "a hen next to an electric guitar") for name in NAMES]
    together = [bits(result) for result in grader.run_many(some)]
    usual = Evaluator(Settings(home=tmp_path / "other"))
    assert together == [bits(usual.run(item.media, item.prompt)) for item in some]
