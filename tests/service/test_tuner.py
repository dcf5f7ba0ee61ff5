"""Choices and tastes over HTTP: sides and reasons, learning, going back, floods, keys."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dqa.config import Settings
from dqa.store import Store
from tests.service.running import RunningService
from tests.store.test_versions import choose


@pytest.fixture
def store(service: RunningService) -> Iterator[Store]:
    opened = Store.open(Settings(home=service.home))
    yield opened
    opened.close()


def post(service: RunningService, path: str, body: dict[str, Any], key: str | None = None) -> Any:
    return service.client.post(path, json=body, headers={"Idempotency-Key": key} if key else {})


def choice(user: str, test_id: str = "t", **more: Any) -> dict[str, Any]:
    return {"user": user, "test_id": test_id, "a": "ev_x", "b": "ev_y", "chosen": "a", **more}


def test_a_choice_keeps_its_side_and_reasons(service: RunningService) -> None:
    why = ["motion", "it flickers less", "motion"]
    kept = post(service, "/v1/selections", choice("sides", left="b", why=why))
    assert kept.status_code == 201
    assert (kept.json()["left"], kept.json()["why"]) == ("b", ["motion", "it flickers less"])
    listed = service.client.get("/v1/selections", params={"user": "sides"}).json()["items"]
    told = kept.json()
    assert (told.pop("resolved"), told.pop("note")[:22]) == (False, "there is no evaluation")
    assert listed == [told]
    plain = post(service, "/v1/selections", choice("sides", "t2")).json()
    assert (plain["left"], plain["why"]) == (None, [])


@pytest.mark.parametrize(
    "more",
    [
        {"left": "c"},
        {"left": 1},
        {"why": "motion"},
        {"why": ["x" * 61]},
        {"why": [""]},
        {"why": ["a\nb"]},
        {"why": ["w"] * 11},
        {"received": 1.0},
    ],
)
def test_what_is_no_side_or_reason_is_refused(service: RunningService, more: dict[str, Any]) -> None:
    assert post(service, "/v1/selections", choice("refused", **more)).status_code == 422
    assert service.client.get("/v1/selections", params={"user": "refused"}).json()["items"] == []


def test_a_key_gets_the_same_answer_and_another_body_a_conflict(service: RunningService, store: Store) -> None:
    first = post(service, "/v1/selections", choice("keys"), "select-1")
    again = post(service, "/v1/selections", choice("keys"), "select-1")
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert post(service, "/v1/selections", choice("keys", "t2"), "select-1").status_code == 409
    assert post(service, "/v1/selections", choice("others"), "select-1").status_code == 409
    choose(store, range(3), "keys")
    step = post(service, "/v1/tuner/steps", {"user": "keys"}, "step-1").json()
    choose(store, range(3, 5), "keys")
    assert post(service, "/v1/tuner/steps", {"user": "keys"}, "step-1").json() == step
    assert post(service, "/v1/tuner/steps", {"user": "others"}, "step-1").status_code == 409
    assert post(service, "/v1/tuner/steps", {"user": "keys"}).json()["training_step"] == 2
    for path in ("rollback", "reset"):
        done = [post(service, f"/v1/tuner/{path}", {"user": "keys"}, f"{path}-1").json() for _ in range(2)]
        assert done[0] == done[1]
        assert post(service, f"/v1/tuner/{path}", {"user": "others"}, f"{path}-1").status_code == 409


def test_learn_see_go_back_and_begin_anew(service: RunningService, store: Store) -> None:
    def state() -> dict[str, Any]:
        found: dict[str, Any] = service.client.get("/v1/tuner", params={"user": "mira"}).json()
        return found

    empty = state()
    assert (empty["version"], empty["taste"], empty["versions"], empty["profile"]) == (None, None, [], "embedded")
    choose(store, range(12), "mira")
    step = post(service, "/v1/tuner/steps", {"user": "mira"}).json()
    assert (step["promoted"], step["serving"], step["profile"], step["training_step"]) == (True, 1, "embedded", 1)
    assert step.keys() >= {"winning_patterns", "held_out", "gate", "loss_trend", "unresolved", "new_patterns"}
    learned = state()
    assert (learned["version"], learned["choices"]) == (1, 12)
    assert learned["taste"].keys() == {
        "likes", "dislikes", "held_out", "curve", "position", "patterns", "winning_patterns", "channel_weights",
        "confidence", "half_life", "adapter", "usable",
    }  # fmt: skip
    assert "smooth motion (it seems)" in learned["taste"]["likes"]
    assert "jerky motion (it seems)" in learned["taste"]["dislikes"]
    choose(store, range(12, 14), "mira")
    post(service, "/v1/tuner/steps", {"user": "mira"})
    back = post(service, "/v1/tuner/rollback", {"user": "mira"}).json()
    assert back["version"] == 1
    assert [(v["version"], v["serving"], v["kept"]) for v in back["versions"]] == [(2, False, True), (1, True, True)]
    forward = post(service, "/v1/tuner/rollback", {"user": "mira", "version": 2, "profile": "embedded"}).json()
    assert forward["version"] == 2
    anew = post(service, "/v1/tuner/reset", {"user": "mira"}).json()
    assert (anew["version"], anew["taste"], len(anew["versions"])) == (None, None, 2)
    assert anew == state()


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("rollback", {"user": "nobody"}, 404, "nothing was learned"),
        ("reset", {"user": "nobody"}, 404, "nothing was learned"),
        ("rollback", {"user": "nobody", "version": 0}, 422, "version"),
        ("rollback", {"user": "nobody", "version": 2**40}, 422, "version"),
        ("rollback", {"user": "nobody", "to": 1}, 422, "to"),
        ("reset", {"user": "nobody", "version": 1}, 422, "version"),
    ],
)
def test_what_can_not_be_done_is_a_problem(
    service: RunningService, path: str, body: dict[str, Any], status: int, says: str
) -> None:
    answer = post(service, f"/v1/tuner/{path}", body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]


def test_blocks_tell_of_the_serving_version_and_write_their_own_key_only(service: RunningService, store: Store) -> None:
    choose(store, range(12), "blocks")
    post(service, "/v1/tuner/steps", {"user": "blocks"})
    text = 'USER_SELECTIONS: [{"test_id": "t"}]\n# mine\n'

    def block(label: str, value: str) -> dict[str, Any]:
        body = {"label": label, "block": value, "user": "blocks"}
        made: dict[str, Any] = post(service, "/v1/tuner/blocks", body).json()
        return made

    made = block("ab_testing", text)
    assert made["keys"] == ["WINNING_PATTERNS"]
    assert made["block"].startswith(text)
    assert "chosen in 12 of 12" in made["block"]
    assert "rejected in 12 of 12" in block("quality_standards", "")["block"]
    post(service, "/v1/tuner/reset", {"user": "blocks"})
    assert "WINNING_PATTERNS: []" in block("ab_testing", made["block"])["block"]
    assert "FAILURE_PATTERNS: []" in block("quality_standards", "")["block"]


@pytest.mark.slow
def test_a_flood_of_choices_is_turned_away_for_that_user_alone(service: RunningService) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda i: post(service, "/v1/selections", choice("flood", f"t{i}")), range(640)))
    taken = [answer for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(taken), len(refused)) == (600, 40)
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 60
    assert refused[0].json()["type"] == "urn:dqa:problem:too-many-choices"
    known = taken[0].json()["test_id"]
    assert post(service, "/v1/selections", choice("flood", known)).status_code == 200, "one that is known is no flood"
    assert post(service, "/v1/selections", choice("calm")).status_code == 201
