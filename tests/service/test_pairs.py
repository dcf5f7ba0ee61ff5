"""The next pair and predictions over HTTP: blind, random sides, and clear refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dqa.agenthost import blocks
from dqa.config import Settings
from dqa.ids import new_id
from dqa.record import EvaluationRecord
from dqa.store import Store
from tests.service.running import CLIP, RunningService
from tests.store.test_choices import evaluation


@pytest.fixture
def store(service: RunningService) -> Iterator[Store]:
    opened = Store.open(Settings(home=service.home))
    yield opened
    opened.close()


def graded(store: Store, user: str, smooth: float, path: Path = Path("gone.mp4"), sha: str = "", **more: object) -> str:
    made: EvaluationRecord = evaluation("x", smooth)
    name = new_id("ev")
    media = made.media.model_copy(update={"sha256": sha or name.ljust(64, "0")})
    store.save_record(made.model_copy(update={"id": name, "user": user, "media": media, **more}), path)
    return name


def test_without_two_clips_there_is_no_pair(service: RunningService, store: Store) -> None:
    graded(store, "lonely", 0.5)
    answer = service.client.get("/v1/pairs/next", params={"user": "lonely", "profile": "nobody-s"})
    assert answer.status_code == 404
    assert answer.json()["type"] == "urn:dqa:problem:no-pair"
    assert "grade at least two clips, best of one prompt, then come back" in answer.json()["detail"]


def test_a_pair_is_blind_with_a_new_name_and_random_sides(service: RunningService, store: Store) -> None:
    names = {graded(store, "chooser", smooth) for smooth in (0.9, 0.2)}
    pairs = [service.client.get("/v1/pairs/next", params={"user": "chooser"}).json() for _ in range(24)]
    for pair in pairs:
        assert pair.keys() == {"test_id", "a", "b", "left", "why"}
        for side in (pair["a"], pair["b"]):
            assert side.keys() == {
                "id", "prompt", "profile", "kind", "width", "height", "fps", "frames", "duration_s"
            }  # fmt: skip
        assert {pair["a"]["id"], pair["b"]["id"]} == names
    assert len({pair["test_id"] for pair in pairs}) == 24
    assert {pair["left"] for pair in pairs} == {"a", "b"}
    chosen = {**{k: pairs[0][k] for k in ("test_id", "left")}, "user": "chooser", "chosen": "a"}
    body = {**chosen, "a": pairs[0]["a"]["id"], "b": pairs[0]["b"]["id"]}
    assert service.client.post("/v1/selections", json=body).status_code == 201
    assert "chose between them before" in service.client.get("/v1/pairs/next", params={"user": "chooser"}).json()["why"]


def test_a_pair_that_can_be_shown_goes_first_and_one_passed_over_last(service: RunningService, store: Store) -> None:
    lost = {graded(store, "shown", smooth) for smooth in (0.99, 0.01)}
    media = [service.upload(path) for path in (CLIP, CLIP.with_name("wan21_04_flex.mp4"))]
    records = [service.ended(service.ask(each, "a wolf", user="shown").json()["id"]) for each in media]
    there = {record["id"] for record in records}
    first = service.client.get("/v1/pairs/next", params={"user": "shown", "prompt": "a wolf"}).json()
    assert {first["a"]["id"], first["b"]["id"]} == there
    skip = "~".join(sorted(there))
    then = service.client.get("/v1/pairs/next", params={"user": "shown", "skip": f"{skip},nonsense"}).json()
    assert {then["a"]["id"], then["b"]["id"]} != there
    assert {then["a"]["id"], then["b"]["id"]} & lost


@pytest.mark.parametrize("params", [{"skip": "a b"}, {"skip": "x" * 9000}, {"user": "\0"}, {"prompt": "p" * 30_000}])
def test_a_malformed_question_is_refused(service: RunningService, params: dict[str, str]) -> None:
    assert service.client.get("/v1/pairs/next", params=params).status_code in (400, 422, 431)


def test_a_prediction_names_its_version_and_reasons(service: RunningService, store: Store) -> None:
    a, b = graded(store, "guess", 0.9), graded(store, "guess", 0.2)
    told = service.client.get("/v1/tuner/predictions", params={"a": a, "b": b, "user": "guess"}).json()
    assert told.keys() == {"p_a", "interval", "abstained", "more_choices", "version", "because"}
    assert (told["abstained"], told["version"]) == (True, None)
    assert told["interval"][0] <= told["p_a"] <= told["interval"][1]


def test_what_can_t_be_compared_is_refused(service: RunningService, store: Store) -> None:
    here, there = graded(store, "two", 0.9), graded(store, "two", 0.9, profile="rtx3090")
    params = {"a": here, "b": there}
    refused = service.client.get("/v1/tuner/predictions", params=params)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:dqa:problem:usage")
    assert "never compared" in refused.json()["detail"]
    assert service.client.get("/v1/tuner/predictions", params={**params, "b": new_id("ev")}).status_code == 404
    assert service.client.get("/v1/tuner/predictions", params={**params, "b": "x" * 100}).status_code == 404
    assert service.client.get("/v1/tuner/predictions", params={"a": here}).status_code == 422


def test_two_clips_can_be_asked_for_by_name(service: RunningService, store: Store) -> None:
    a, b = (graded(store, "sent", smooth) for smooth in (0.9, 0.2))
    pair = service.client.get("/v1/pairs/next", params={"user": "sent", "a": b, "b": a}).json()
    assert (pair["a"]["id"], pair["b"]["id"]) == (b, a)
    assert "opened for" in pair["why"]


def test_a_named_pair_that_is_none_is_refused(service: RunningService, store: Store) -> None:
    a, other = graded(store, "sent", 0.9), graded(store, "sent", 0.4, profile="remote-vlm")
    for b, status in ((None, 404), (a, 422), (other, 422), (new_id("ev"), 404), ("../x", 404)):
        asked = {"a": a, "b": b} if b else {"a": a}
        assert service.client.get("/v1/pairs/next", params=asked).status_code == status, b


BLOCK = "# mine\nSTUDIO: keep me\nUSER_SELECTIONS: []\n"


def test_a_test_is_announced_in_the_block_and_asked_about_under_its_name(service: RunningService, store: Store) -> None:
    a, b = (graded(store, "varied", smooth) for smooth in (0.4, 0.6))
    asked = {"block": BLOCK, "a": a, "b": b, "test_id": "test_1"}
    told = service.client.post("/v1/pairs/block", json=asked).json()
    block = blocks.parse(told["block"])
    found = {key: blocks.value(block, key) for key in ("ACTIVE_TEST", "VARIATION_A_ID", "VARIATION_B_ID", "STUDIO")}
    assert found == {"ACTIVE_TEST": "test_1", "VARIATION_A_ID": a, "VARIATION_B_ID": b, "STUDIO": "keep me"}
    assert told["block"].startswith(BLOCK), "what others wrote stays as it is"
    page = httpx.URL(told["choose"])
    assert (page.path, dict(page.params)["user"]) == ("/choose", "varied")
    pair = service.client.get("/v1/pairs/next", params=dict(page.params)).json()
    assert (pair["test_id"], pair["a"]["id"], pair["b"]["id"]) == ("test_1", a, b)
    choice = {"test_id": pair["test_id"], "a": a, "b": b, "chosen": "b", "user": "varied"}
    assert service.client.post("/v1/selections", json=choice).status_code == 201
    for wrong in ({"b": a}, {"b": "ev_00000000000000000000000000"}, {"block": '{"A": [', "test_id": "x"}):
        assert service.client.post("/v1/pairs/block", json={**asked, **wrong}).status_code in (404, 422)
