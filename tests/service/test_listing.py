"""``GET /v1/evaluations``: summaries with filters, records as ever."""

from __future__ import annotations

import pytest

from tests.service.running import RunningService


def graded(service: RunningService, media: str, prompt: str, user: str) -> str:
    return service.ask(media, prompt, user=user, wait=True).json()["id"]


def test_summaries_are_filtered_and_paged(service: RunningService, media: str) -> None:
    made = [graded(service, media, f"a wolf, take {i}", "summariser") for i in range(3)]
    asked = {"view": "summary", "user": "summariser"}
    first = service.client.get("/v1/evaluations", params={**asked, "limit": 2}).json()
    assert [row["id"] for row in first["items"]] == made[:0:-1]
    assert first["total"] == 3
    assert first["next"] == made[1]
    rest = service.client.get("/v1/evaluations", params={**asked, "limit": 2, "cursor": first["next"]}).json()
    assert [row["id"] for row in rest["items"]] == [made[0]]
    assert rest["next"] is None
    assert rest["total"] == 3
    found = service.client.get("/v1/evaluations", params={**asked, "q": "TAKE 1"}).json()
    assert [row["id"] for row in found["items"]] == [made[1]]
    row = found["items"][0]
    assert row == {
        "id": made[1], "created": row["created"], "user": "summariser", "profile": "embedded",
        "prompt": "a wolf, take 1", "grade": "B+", "final": 0.7, "action": "accept", "kind": "video",
        "duration_s": 2.0,
    }  # fmt: skip
    for none in ({"grade": "F"}, {"action": "reject"}, {"profile": "other"}, {"q": "take _"}):
        assert service.client.get("/v1/evaluations", params={**asked, **none}).json()["items"] == []


def test_records_take_the_same_filters(service: RunningService, media: str) -> None:
    made = graded(service, media, "a very rare yak", "summariser")
    page = service.client.get("/v1/evaluations", params={"q": "RARE YAK", "grade": "B+"}).json()
    assert [(r["schema"], r["id"]) for r in page["items"]] == [("dqa.evaluation/1", made)]
    assert set(page) == {"items", "next"}
    assert service.client.get("/v1/evaluations", params={"q": "rare yak", "grade": "A"}).json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 101}, {"view": "summary", "limit": 1001}, {"view": "all"}, {"grade": "E"}, {"action": "keep"},
        {"q": "\0"}, {"q": "x" * 201}, {"cursor": "ev_1' OR 1"}, {"limit": 0},
    ],
)  # fmt: skip
def test_what_can_not_be_asked_is_a_problem(service: RunningService, wrong: dict[str, str]) -> None:
    answer = service.client.get("/v1/evaluations", params=wrong)
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
