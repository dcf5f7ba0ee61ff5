"""``/v1/users/{user}/style`` over HTTP, and the user_style block through the import of choices."""

from __future__ import annotations

import pytest

from tests.service.running import RunningService

BLOCK = "COLOR_PREFERENCES: warm tones\nDISLIKED_ELEMENTS: text overlays\n"


def test_said_replaced_and_read(service: RunningService) -> None:
    client, path = service.client, "/v1/users/style-1/style"
    assert client.get(path).json()["likes"] == []
    said = client.put(path, json={"likes": ["Wolves, no neon"], "dislikes": ["shaky camera"]})
    assert said.status_code == 200
    assert (said.json()["likes"], said.json()["dislikes"]) == (["wolf"], ["neon", "shaky camera"])
    assert client.get(path).json() == said.json()
    both = client.post(path, json={"block": BLOCK}, headers={"Idempotency-Key": "style-1"}).json()
    assert (both["likes"], both["dislikes"]) == (["wolf", "warm tone"], ["neon", "shaky camera", "text overlay"])
    assert both["block"] == {"likes": ["warm tone"], "dislikes": ["text overlay"]}
    assert client.post(path, json={"block": BLOCK}).json() == both
    cleared = client.put(path, json={"likes": [], "dislikes": []}).json()
    assert cleared["own"] == {"likes": [], "dislikes": []}
    assert cleared["likes"] == ["warm tone"]


def test_users_are_kept_apart_whatever_they_are_called(service: RunningService) -> None:
    service.client.put("/v1/users/style/two/style", json={"likes": ["wolves"], "dislikes": []})
    assert service.client.get("/v1/users/style%2Ftwo/style").json()["likes"] == ["wolf"]
    assert service.client.get("/v1/users/style/style").json()["likes"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"likes": ["x"]},
        {"likes": "x", "dislikes": []},
        {"likes": [1], "dislikes": []},
        {"likes": ["x"] * 65, "dislikes": []},
        {"likes": ["x" * 1001], "dislikes": []},
        {"likes": [], "dislikes": [], "more": 1},
    ],
)
def test_anything_else_is_refused(service: RunningService, body: object) -> None:
    answer = service.client.put("/v1/users/style-3/style", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("application/problem+json")


def test_the_import_of_choices_takes_the_block_along(service: RunningService) -> None:
    body = {"block": "USER_SELECTIONS: []", "user": "style-4"}
    assert service.client.post("/v1/selections/import", json=body).json()["style"] is None
    first = service.client.post("/v1/selections/import", json={**body, "style": BLOCK}).json()
    assert first["style"] == {"likes": 1, "dislikes": 1, "changed": True}
    again = service.client.post("/v1/selections/import", json={**body, "style": BLOCK}).json()
    assert again["style"] == {"likes": 1, "dislikes": 1, "changed": False}
    service.client.post("/v1/selections/import", json=body)  # without it, it stays
    assert service.client.get("/v1/users/style-4/style").json()["likes"] == ["warm tone"]


def test_deleting_a_user_deletes_their_style(service: RunningService) -> None:
    service.client.put("/v1/users/style-5/style", json={"likes": ["wolves"], "dislikes": []})
    assert service.client.delete("/v1/users/style-5").status_code == 200
    assert service.client.get("/v1/users/style-5/style").json()["likes"] == []
