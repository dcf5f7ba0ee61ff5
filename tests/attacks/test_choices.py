"""Choices as a weapon (A19): floods, repeats, contradictions, other people's names, replays; and the way back."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dqa.agenthost.selections import read_selections
from dqa.config import Settings
from dqa.record import Axis, ChannelResult, Dimension, EvaluationRecord
from dqa.service.imports import import_choices
from dqa.service.limits import HttpLimits
from dqa.store import Store
from dqa.store.engine import writing
from dqa.store.selections import Selection
from dqa.store.tables import selections
from dqa.taste.features import Judged
from dqa.taste.predict import predict
from tests.service.running import RunningService, running, wait_until
from tests.store.world import engine_of
from tests.test_record import record

PROBES = [(0.9, 0.1), (0.7, 0.3), (0.55, 0.45), (0.2, 0.8)]
"""Pairs of clips, by how smoothly they move, whose prediction tells what a taste has become."""


def clip(name: str, smooth: float, prompt: str = "a wolf") -> EvaluationRecord:
    channels: dict[Any, ChannelResult] = {
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
    base = record(prompt)
    media = base.media.model_copy(update={"sha256": hashlib.sha256(name.encode()).hexdigest()})
    return base.model_copy(update={"id": f"ev_{name}", "channels": channels, "media": media})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


def furnish(store: Store, pairs: int = 30) -> None:
    """Pairs of a smooth clip ``ev_s0`` and a rough one ``ev_r0``, each of a prompt of its own."""
    rng = random.Random(3)
    for n in range(pairs):
        store.save_record(clip(f"s{n}", rng.uniform(0.6, 0.95), f"a wolf {n}"), Path("s.mp4"))
        store.save_record(clip(f"r{n}", rng.uniform(0.05, 0.4), f"a wolf {n}"), Path("r.mp4"))


def honest(store: Store, user: str, pairs: int = 30) -> None:
    """Somebody who likes smooth motion, and says so once a pair."""
    made = [Selection(user, f"honest-{n}", f"ev_s{n}", f"ev_r{n}", "a", source="cli") for n in range(pairs)]
    assert not [done for done in store.selections.add_all(made) if isinstance(done, Exception)]
    store.tuner.step(user)


def beliefs(store: Store, user: str) -> list[dict[str, Any]]:
    """Everything that is predicted of the probes, to the last bit."""
    taste = store.tuner.current(user)
    told = [predict(taste, Judged.of(clip("a", a)), Judged.of(clip("b", b))) for a, b in PROBES]
    return [prediction.model_dump(mode="json") for prediction in told]


def shares(store: Store, user: str) -> list[float]:
    return [told["p_a"] for told in beliefs(store, user)]


def attack(store: Store, user: str, votes: list[tuple[str, str, str]], source: str = "http") -> None:
    """Votes under ever new names, and a step."""
    made = [
        Selection(user, f"attack-{time.time_ns()}-{n}", a, b, chosen, source=source)  # type: ignore[arg-type]
        for n, (a, b, chosen) in enumerate(votes)
    ]
    assert not [done for done in store.selections.add_all(made) if isinstance(done, Exception)]
    store.tuner.step(user)


def test_three_hundred_votes_on_one_pair_weigh_no_more_than_three(store: Store) -> None:
    furnish(store)
    for user, times in (("three", 3), ("flood", 300)):
        honest(store, user)
        attack(store, user, [("ev_s0", "ev_r0", "b")] * times, source="cli")
    three, flood = store.tuner.version("three", 2), store.tuner.version("flood", 2)
    assert three is not None
    assert flood is not None
    assert flood.effective_choices <= three.effective_choices + 0.5
    for told, pair in zip(shares(store, "flood"), PROBES, strict=True):
        assert (told > 0.5) == (pair[0] > pair[1]), "three votes against thirty"


def test_a_script_that_votes_on_everything_is_bounded_too(store: Store) -> None:
    furnish(store)
    honest(store, "mira")
    rng = random.Random(5)
    votes = [(f"ev_s{rng.randrange(30)}", f"ev_r{rng.randrange(30)}", "b") for _ in range(600)]
    attack(store, "mira", votes)
    poisoned = store.tuner.version("mira", 2)
    assert poisoned is not None
    assert poisoned.choices == 630
    assert poisoned.effective_choices <= 30 + 120 + 1, "a minute of choices over HTTP counts as 120"


def test_the_same_choice_again_counts_once(store: Store) -> None:
    furnish(store)
    honest(store, "mira")
    before = beliefs(store, "mira")
    again = [Selection("mira", f"honest-{n}", f"ev_s{n}", f"ev_r{n}", "a") for n in range(30)] * 20
    assert not [done for done in store.selections.add_all(again) if isinstance(done, Exception) or done[1]]
    assert store.tuner.step("mira")["new_choices"] == 0
    assert beliefs(store, "mira") == before


def test_who_contradicts_himself_is_believed_neither_way(store: Store) -> None:
    furnish(store)
    votes = [(f"ev_s{n}", f"ev_r{n}", chosen) for n in range(30) for chosen in ("a", "b")]
    attack(store, "torn", votes, source="cli")
    honest(store, "sure")
    torn, sure = shares(store, "torn"), shares(store, "sure")
    assert all(abs(t - 0.5) < abs(s - 0.5) for t, s in zip(torn, sure, strict=True))
    assert abs(torn[0] - 0.5) < 0.2
    assert [json.dumps(told) for told in beliefs(store, "torn")], "numbers, not NaN"


def test_nobody_votes_for_somebody_else(store: Store) -> None:
    furnish(store)
    honest(store, "mira")
    before, rows = beliefs(store, "mira"), store.selections.page("mira", 1000)
    against = [Selection("ole", f"honest-{n}", f"ev_s{n}", f"ev_r{n}", "b", source="cli") for n in range(30)]
    assert not [done for done in store.selections.add_all(against) if isinstance(done, Exception)]
    store.tuner.step("ole")
    assert shares(store, "ole")[0] < 0.5 < shares(store, "mira")[0]
    assert beliefs(store, "mira") == before
    assert store.selections.page("mira", 1000) == rows
    assert store.tuner.step("mira")["new_choices"] == 0


def test_a_rollback_brings_every_bit_back_and_does_not_learn_the_attack_again(store: Store) -> None:
    furnish(store, 40)
    honest(store, "mira")
    before = beliefs(store, "mira")
    attack(store, "mira", [(f"ev_s{n % 40}", f"ev_r{n % 40}", "b") for n in range(120)], source="cli")
    poisoned = store.tuner.current("mira")
    assert poisoned is not None
    assert poisoned.version == 2, "an attack that comes to serve, or there is nothing to go back from"
    assert beliefs(store, "mira") != before
    store.tuner.rollback("mira", 1)
    assert beliefs(store, "mira") == before
    assert store.tuner.step("mira")["new_choices"] == 0
    assert beliefs(store, "mira") == before
    attack(store, "mira", [("ev_s31", "ev_r31", "a")], source="cli")
    after = store.tuner.current("mira")
    assert after is not None
    assert after.choices == 31, "the thirty of version 1 and the new one"
    assert shares(store, "mira")[0] >= before[0]["p_a"] - 0.02
    again = Store.open(Settings(home=store.media.folder.parent))
    again.tuner.rollback("mira", 1)
    assert beliefs(again, "mira") == before, "another process too"
    again.close()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("votes") / "home"
    store = Store.open(Settings(home=home))
    furnish(store, 5)
    store.close()
    with running(home) as started:
        yield started


def vote(service: RunningService, user: str, test_id: str, chosen: str = "a", **headers: str) -> Any:
    body = {"test_id": test_id, "a": "ev_s0", "b": "ev_r0", "chosen": chosen, "user": user}
    return service.client.post("/v1/selections", json=body, headers=headers)


def test_a_flood_is_told_to_come_back_later_and_others_go_on(service: RunningService) -> None:
    limit = HttpLimits().choices_per_minute
    assert limit == 600
    store = Store.open(Settings(home=service.home))
    row = {"a": "ev_s0", "b": "ev_r0", "chosen": "a", "source": "http", "created": "now", "why": "[]"}
    now = time.time()
    with writing(engine_of(store)) as connection:  # as many posts would take this test a minute
        rows = [{**row, "user": "flood", "test_id": f"t{n}", "received": now} for n in range(limit - 2)]
        connection.execute(selections.insert(), rows)
    store.close()
    assert [vote(service, "flood", f"new{n}").status_code for n in range(2)] == [201, 201]
    refused = vote(service, "flood", "one too many")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["type"] == "urn:dqa:problem:too-many-choices"
    assert vote(service, "flood", "new1").status_code == 200, "what is known is no flood"
    assert vote(service, "bystander", "t").status_code == 201
    found = service.client.get("/v1/selections?user=flood&limit=1000").json()["items"]
    assert len(found) == limit
    wait_until(lambda: service.client.get("/healthz").status_code == 200, 60)


def block_of(count: int, prefix: str = "t") -> str:
    return json.dumps(
        {"USER_SELECTIONS": [{"test_id": f"{prefix}{n}", "chosen": "ev_s0", "rejected": "ev_r0"} for n in range(count)]}
    )


def test_an_import_is_no_way_round_the_cap(service: RunningService) -> None:
    most = HttpLimits().imports_per_minute
    assert most == 1000

    def imported(count: int, user: str = "importer") -> Any:
        body = {"block": block_of(count), "user": user}
        return service.client.post("/v1/selections/import", json=body)

    began = time.monotonic()
    first = imported(12_000)
    assert time.monotonic() - began < 20
    assert (first.status_code, first.json()["imported"], first.json()["already_known"]) == (200, most, 0)
    (problem,) = first.json()["problems"]
    assert problem["error"].startswith("11000 new choices were not taken")
    assert problem["entry"].startswith("t1000, t1001, ")
    assert "send the block again in" in problem["fix"]
    again = imported(12_000)
    assert (again.status_code, again.json()["type"]) == (429, "urn:dqa:problem:too-many-choices")
    assert 1 <= int(again.headers["retry-after"]) <= 60
    known = imported(900)
    assert (known.status_code, known.json()["already_known"]) == (200, 900), "what is known is no flood"
    assert imported(3, "another").json()["imported"] == 3
    assert vote(service, "importer", "a vote").status_code == 201


def test_an_import_goes_on_where_it_stopped(store: Store) -> None:
    choices = read_selections(block_of(25)).selections
    assert import_choices(store, "mira", choices, 10).imported == 10
    full = import_choices(store, "mira", choices, 10)
    assert (full.imported, full.already_known, full.left) == (0, 10, 15)
    with writing(engine_of(store)) as connection:  # a minute later
        connection.execute(selections.update().values(received=time.time() - 61))
    after = import_choices(store, "mira", choices, 10)
    assert (after.imported, after.already_known, after.left) == (10, 10, 5)
    assert [kept.test_id for kept in store.selections.page("mira", 100)] == [f"t{n}" for n in range(20)]


def test_one_unfit_name_keeps_no_other_choice_out(store: Store) -> None:
    entries = [{"test_id": name, "chosen": "v1", "rejected": "v2"} for name in ("ok", "x" * 201, "\ud800", "a\x00b")]
    choices = read_selections(json.dumps({"USER_SELECTIONS": entries})).selections
    done = import_choices(store, "mira", choices)
    assert (done.imported, len(done.problems)) == (1, len(choices) - 1)
    json.dumps([problem.model_dump() for problem in done.problems]).encode()


def test_a_vote_on_a_clip_that_is_not_here_is_kept_and_says_so(service: RunningService) -> None:
    assert vote(service, "noter", "t1").json()["resolved"] is True
    body = {"test_id": "t2", "a": "ev_s0", "b": "ev_nowhere", "chosen": "a", "user": "noter"}
    for status in (201, 200):
        told = service.client.post("/v1/selections", json=body)
        assert (told.status_code, told.json()["resolved"]) == (status, False)
        assert told.json()["note"].startswith("there is no evaluation here with the id in b;")


def test_replays_with_and_without_a_key_make_nothing_new(service: RunningService) -> None:
    first = vote(service, "mira", "t1", **{"Idempotency-Key": "k1"})
    assert first.status_code == 201
    replays = [vote(service, "mira", "t1", **headers) for headers in ({"Idempotency-Key": "k1"}, {})]
    assert [answer.json() for answer in replays] == [first.json()] * 2
    assert vote(service, "mira", "t1", "b").status_code == 409, "another choice under the same name"
    assert vote(service, "mira", "t2", **{"Idempotency-Key": "k1"}).status_code == 409, "another choice under the key"
    assert vote(service, "eve", "t1", **{"Idempotency-Key": "k1"}).status_code == 409, "another user under the key"
    assert len(service.client.get("/v1/selections?user=mira").json()["items"]) == 1
    assert service.client.get("/v1/selections?user=eve").json()["items"] == []

    def step(key: str | None) -> Any:
        headers = {"Idempotency-Key": key} if key else {}
        return service.client.post("/v1/tuner/steps", json={"user": "mira"}, headers=headers).json()

    made = step("s1")
    assert (made["training_step"], made["new_choices"]) == (1, 1)
    assert step("s1") == made
    assert {**step(None), "new_choices": 1, "new_patterns": made["new_patterns"]} == made
    assert [found["training_step"] for found in service.client.get("/v1/tuner?user=mira").json()["steps"]] == [1]


def test_a_rollback_is_not_replayed(service: RunningService) -> None:
    for n, chosen in enumerate("aab"):
        assert vote(service, "rita", f"t{n}", chosen).status_code == 201
        assert service.client.post("/v1/tuner/steps", json={"user": "rita"}).status_code == 200

    def back(version: int, key: str) -> Any:
        body = {"user": "rita", "version": version}
        return service.client.post("/v1/tuner/rollback", json=body, headers={"Idempotency-Key": key})

    assert back(1, "r1").json()["version"] == 1
    assert back(2, "r2").json()["version"] == 2
    assert back(1, "r1").json()["version"] == 2, "told how it stands, not done again"
    assert back(2, "r1").status_code == 409


def test_a_vote_between_anything_but_two_clips_changes_nothing(service: RunningService) -> None:
    before = service.client.get("/v1/selections?limit=1000").json()["items"]
    for body in (
        {"test_id": "x", "a": "ev_s0", "b": "ev_s0", "chosen": "a"},
        {"test_id": "x", "a": "ev_s0", "b": "ev_r0", "chosen": "both"},
        {"test_id": "x\n", "a": "ev_s0", "b": "ev_r0", "chosen": "a"},
        {"test_id": "x", "a": "ev_s0", "b": "ev_r0", "chosen": "a", "weight": 1000},
        {"test_id": "x", "a": "ev_s0", "b": "ev_r0", "chosen": "a", "received": 0},
        {"test_id": "x", "a": "ev_s0", "b": "ev_r0", "chosen": "a", "source": "cli"},
    ):
        assert service.client.post("/v1/selections", json=body).status_code == 422, body
    assert service.client.get("/v1/selections?limit=1000").json()["items"] == before
