"""/v1/users over HTTP: one's own data given out and deleted, whatever the user is called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.service.running import CLIP, RunningService, running
from tests.store.world import files_with

CANARY = "canary-token-4c19"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("users")
    with running(home / "home", token=CANARY, roots=home) as service:
        yield service


def address(user: str, rest: str = "") -> str:
    return f"/v1/users/{quote(user, safe='')}{rest}"


def furnish(service: RunningService, user: str, tail: bytes = b"") -> list[str]:
    """Evaluations of two uploads and a choice between them; ``tail`` makes the uploads other ones."""
    ids: list[str] = []
    for end in (b"", b"another"):
        clip = service.home / f"clip-{len(tail)}.mp4"
        clip.write_bytes(CLIP.read_bytes() + tail + end)
        media = service.upload(clip)
        clip.unlink()
        ids.append(service.ask(media, f"a wolf of {user}", user=user, wait=True).json()["id"])
    choice = {"test_id": f"t-{user}"[:200], "a": ids[0], "b": ids[1], "chosen": "a", "user": user}
    assert service.client.post("/v1/selections", json=choice).status_code == 201
    assert service.client.post("/v1/tuner/steps", json={"user": user}).status_code == 200
    return ids


@pytest.mark.parametrize("user", ["mira", "noor ben/ali", "ole%2F", "użytkownik", "../../etc/passwd", "export"])
def test_out_and_away(guarded: RunningService, user: str) -> None:
    ids = furnish(guarded, user)
    answer = guarded.client.get(address(user, "/export"))
    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    document = answer.json()
    assert document["user"] == user
    assert [record["id"] for record in document["evaluations"]] == ids
    assert document["choices"][0]["a"] == ids[0]
    assert document["steps"][0]["version"] == 1
    assert CANARY not in answer.text
    assert str(guarded.home) not in answer.text
    told = guarded.client.delete(address(user))
    assert told.status_code == 200
    removed = told.json()
    assert removed["user"] == user
    counts = removed["removed"]
    assert (counts["evaluations"], counts["selections"], counts["tuner_steps"]) == (2, 1, 1)
    assert removed["scrubbed"] is True
    again = guarded.client.delete(address(user))
    assert (again.status_code, set(again.json()["removed"].values())) == (200, {0})
    assert guarded.client.get(address(user, "/export")).json()["evaluations"] == []
    assert all(guarded.client.get(f"/v1/evaluations/{name}").status_code == 404 for name in ids)


def test_others_keep_their_uploads(guarded: RunningService) -> None:
    furnish(guarded, "keeps", b"shared")
    kept = guarded.client.get(address("keeps", "/export")).json()
    furnish(guarded, "goes", b"shared")
    assert guarded.client.delete(address("goes")).json()["files"] == []
    after = guarded.client.get(address("keeps", "/export")).json()
    assert {**after, "created": ""} == {**kept, "created": ""}
    media = kept["media"][0]["id"]
    assert guarded.client.get(f"/v1/media/{media}/frames/0.jpg").status_code == 200
    files = guarded.client.delete(address("keeps")).json()["files"]
    assert [Path(file).parent.name for file in files] == ["media", "media"]
    assert guarded.client.get(f"/v1/media/{media}/frames/0.jpg").status_code == 404


def test_an_evaluation_under_way_comes_first(guarded: RunningService) -> None:
    media = guarded.upload()
    asked = guarded.ask(media, "sleep:30", user="busy").json()["id"]
    while guarded.state(asked) == "queued":
        pass
    refused = guarded.client.delete(address("busy"))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:dqa:problem:conflict")
    assert asked in refused.json()["detail"]
    guarded.client.delete(f"/v1/evaluations/{asked}")
    guarded.ended(asked)
    assert guarded.client.delete(address("busy")).json()["removed"]["jobs"] == 1


def test_no_name_and_odd_names(guarded: RunningService) -> None:
    assert guarded.client.delete("/v1/users/").status_code in (404, 405, 422)
    assert guarded.client.delete(address("a\nb")).status_code in (404, 422)
    assert guarded.client.delete(address("x" * 201)).status_code == 422
    assert guarded.client.get(address("nobody", "/export")).json()["choices"] == []


def test_no_trace_is_left_while_the_service_runs_nor_in_its_log(guarded: RunningService) -> None:
    name = "zanzibarquux"
    furnish(guarded, name)
    furnish(guarded, "somebody else")
    assert files_with(guarded.home, name) != []
    assert guarded.client.delete(address(name)).json()["scrubbed"] is True
    assert files_with(guarded.home, name) == []
    assert name not in guarded.log()
    assert CANARY not in guarded.log()
    shown = [guarded.client.get(path).text for path in ("/metrics", "/v1/selections", "/v1/evaluations?limit=100")]
    assert not [text for text in shown if name in text]
    assert "wolf" in shown[2], "others' records are still there"


def test_another_site_can_delete_nobody(guarded: RunningService) -> None:
    furnish(guarded, "safe")
    answer = guarded.client.delete(address("safe"), headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403
    assert len(guarded.client.get(address("safe", "/export")).json()["evaluations"]) == 2
