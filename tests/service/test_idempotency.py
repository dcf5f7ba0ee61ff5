"""``Idempotency-Key`` on every POST: the same again is answered and not done again, another content is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.running import RunningService

LIKES = "COLOR_PREFERENCES: {}\n"
BLOCK = 'USER_SELECTIONS: [{"test_id": "t1", "chosen": "v1", "rejected": "v2"}, 7]'


def post(service: RunningService, path: str, key: str, **body: Any) -> Any:
    return service.client.post(path, json=body, headers={"Idempotency-Key": key})


def test_every_post_of_the_interface_takes_a_key(service: RunningService) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    posts = {path: methods["post"] for path, methods in paths.items() if "post" in methods}
    assert len(posts) >= 13
    for path, post in posts.items():
        assert "Idempotency-Key" in {parameter["name"] for parameter in post.get("parameters", [])}, path
        assert "409" in post["responses"], f"{path}: the key with another content"


def test_a_late_replay_does_not_undo_a_newer_style(service: RunningService) -> None:
    path = "/v1/users/late/style"
    assert post(service, path, "late-1", block=LIKES.format("warm tones")).json()["likes"] == ["warm tone"]
    assert post(service, path, "late-2", block=LIKES.format("fog")).json()["likes"] == ["fog"]
    replayed = post(service, path, "late-1", block=LIKES.format("warm tones"))
    assert (replayed.status_code, replayed.json()["likes"]) == (200, ["fog"]), "told how it stands, not done again"
    assert service.client.get(path).json()["likes"] == ["fog"]
    for user, text in (("late", "rain"), ("later", "warm tones")):
        assert post(service, f"/v1/users/{user}/style", "late-1", block=LIKES.format(text)).status_code == 409
    assert post(service, path, "late-3", block=LIKES.format("warm tones")).json()["likes"] == ["warm tone"]


def test_an_import_is_answered_as_the_first_time_and_not_done_again(service: RunningService) -> None:
    body = {"block": BLOCK, "style": LIKES.format("warm tones"), "user": "key-import"}
    first = post(service, "/v1/selections/import", "import-1", **body)
    assert (first.json()["imported"], len(first.json()["problems"])) == (1, 1)
    assert first.json()["style"] == {"likes": 1, "dislikes": 0, "changed": True}
    newer = post(service, "/v1/selections/import", "import-2", **{**body, "style": LIKES.format("fog")})
    assert (newer.json()["imported"], newer.json()["already_known"]) == (0, 1)
    replayed = post(service, "/v1/selections/import", "import-1", **body)
    assert replayed.json() == first.json()
    assert service.client.get("/v1/users/key-import/style").json()["likes"] == ["fog"]
    changed = post(service, "/v1/selections/import", "import-1", **{**body, "block": "USER_SELECTIONS: []"})
    assert (changed.status_code, changed.json()["type"]) == (409, "urn:dqa:problem:conflict")
    bare = {"block": BLOCK, "user": "key-import"}
    assert [post(service, "/v1/selections/import", "import-3", **bare).json()["already_known"] for _ in "ab"] == [1, 1]
    assert post(service, "/v1/selections/import", "import-3", **body).status_code == 409


def test_what_only_writes_text_refuses_another_content_too(service: RunningService, media: str) -> None:
    render = {"label": "preference_model", "block": "NOTE: x", "user": "key-render"}
    answers = [post(service, "/v1/tuner/blocks", "render-1", **render).json() for _ in "ab"]
    assert answers[0] == answers[1]
    assert post(service, "/v1/tuner/blocks", "render-1", **{**render, "block": "NOTE: y"}).status_code == 409
    a, b = (service.ask(media, f"a wolf {n}", wait=True).json()["id"] for n in range(2))
    test = {"block": "", "a": a, "b": b, "test_id": "t"}
    told = [post(service, "/v1/pairs/block", "pair-1", **test).json() for _ in "ab"]
    assert told[0] == told[1]
    assert post(service, "/v1/pairs/block", "pair-1", **{**test, "test_id": "u"}).status_code == 409


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\x7f"])
def test_a_malformed_key_is_refused(service: RunningService, key: str) -> None:
    assert post(service, "/v1/users/late/style", key, block="").status_code == 422


def test_the_keys_go_with_the_user(service: RunningService) -> None:
    post(service, "/v1/users/key-gone/style", "gone-1", block=LIKES.format("fog"))
    post(service, "/v1/selections/import", "gone-2", block=BLOCK, user="key-gone")
    post(service, "/v1/tuner/blocks", "gone-3", label="x", block="", user="key-gone")
    assert service.client.delete("/v1/users/key-gone").json()["removed"]["idempotency"] >= 3
    # Nothing is remembered of them: another content is no conflict.
    assert post(service, "/v1/users/key-gone/style", "gone-1", block="").status_code == 200
    assert post(service, "/v1/selections/import", "gone-2", block="", user="key-gone").status_code == 200
    assert post(service, "/v1/tuner/blocks", "gone-3", label="y", block="", user="key-gone").status_code == 200
