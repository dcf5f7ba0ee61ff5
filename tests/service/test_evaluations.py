"""Asking for verdicts: at once, later, followed, repeated, cancelled, deleted, listed."""

from __future__ import annotations

from pathlib import Path

import pytest

from dqa.record import EvaluationRecord
from tests.service.running import CLIP, RunningService, running, wait_until


def test_with_wait_the_answer_is_the_record(service: RunningService, media: str) -> None:
    answer = service.ask(media, "a wolf", wait=True, user="ann")
    assert answer.status_code == 200
    record = EvaluationRecord.from_json(answer.text)
    assert (record.prompt, record.user, record.reproduce.media) == ("a wolf", "ann", media)
    assert service.get(record.id) == answer.json()


def test_without_wait_it_says_where_the_record_will_be(service: RunningService, media: str) -> None:
    answer = service.ask(media, "a wolf sleep:0.3")
    assert answer.status_code == 202
    body = answer.json()
    assert body.keys() == {"id", "status"}
    assert answer.headers["location"] == f"/v1/evaluations/{body['id']}"
    assert EvaluationRecord.model_validate(service.ended(body["id"]), strict=False).id == body["id"]


def test_wait_for_some_seconds_gives_up_politely(service: RunningService, media: str) -> None:
    answer = service.ask(media, "a wolf sleep:2", wait=0.3)
    assert answer.status_code == 202, "it did not wait for the verdict"
    assert service.ended(answer.json()["id"])["grade"] == "B+"


def test_a_path_under_a_root_is_judged_and_named_as_given(service: RunningService) -> None:
    root = service.home.parent / "clips"
    (root / "sub").mkdir(exist_ok=True)
    (root / "sub" / "wolf.mp4").write_bytes(CLIP.read_bytes())
    for name in ("sub/wolf.mp4", str(root / "sub/wolf.mp4")):
        answer = service.ask(name, "a wolf", wait=True)
        assert answer.status_code == 200, answer.text
        assert answer.json()["reproduce"]["media"] == name


def test_events_tell_the_whole_story_and_end(service: RunningService, media: str) -> None:
    name = service.ask(media, "a wolf sleep:1.2").json()["id"]
    events = service.events(name)
    kinds = [kind for _, kind, _ in events]
    assert kinds[:2] == ["queued", "running"]
    assert kinds[-1] == "done"
    assert kinds.count("done") == 1
    shares = [data["fraction"] for _, kind, data in events if kind == "progress"]
    assert len(shares) >= 2
    assert shares == sorted(shares)
    again = service.events(name, last_seen=events[1][0])
    assert again == events[2:], "a client that comes back gets the rest, and only that"
    assert service.events(name, last_seen=events[-1][0]) == []


def test_a_failed_evaluation_says_why_and_not_where(service: RunningService, media: str) -> None:
    name = service.ask(media, "a wolf fail").json()["id"]
    found = service.ended(name)
    assert found["status"] == "failed"
    assert found["error"]["type"] == "urn:dqa:problem:undecodable"
    assert found["error"]["status"] == 422
    assert "secret" not in str(found)
    answer = service.ask(media, "a wolf fail", wait=True)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["evaluation"].startswith("ev_")


@pytest.mark.parametrize(("word", "problem"), [("bug", "internal"), ("memory", "insufficient_vram")])
def test_a_fault_in_the_evaluator_costs_one_job_and_no_worker(
    service: RunningService, media: str, word: str, problem: str
) -> None:
    before = {p.pid for p in service.workers()}
    found = service.ended(service.ask(media, f"a wolf {word}").json()["id"])
    assert found["error"]["type"] == f"urn:dqa:problem:{problem}"
    assert "secret" not in str(found)
    assert {p.pid for p in service.workers()} == before


def test_a_library_that_prints_does_not_disturb(service: RunningService, media: str) -> None:
    assert service.ask(media, "a wolf print", wait=True).status_code == 200


def test_a_key_sent_again_makes_nothing_new(service: RunningService, media: str) -> None:
    key = {"Idempotency-Key": "once-1"}
    first = service.ask(media, "a wolf once", headers=key).json()["id"]
    again = service.ask(media, "a wolf once", headers=key, wait=True)
    assert again.status_code == 200
    assert again.json()["id"] == first
    other = service.ask(media, "another wolf", headers=key)
    assert other.status_code == 409
    assert other.json()["type"] == "urn:dqa:problem:conflict"


def test_cancelling_what_runs_stops_it_soon(service: RunningService, media: str) -> None:
    before = {p.pid for p in service.workers()}
    name = service.ask(media, "a wolf sleep:30").json()["id"]
    wait_until(lambda: service.state(name) == "running", 90)
    assert service.client.delete(f"/v1/evaluations/{name}").status_code == 202
    assert service.ended(name) == {"id": name, "status": "cancelled"}
    assert {p.pid for p in service.workers()} == before, "it stopped by itself"


def test_cancelling_what_does_not_listen_kills_it(service: RunningService, media: str) -> None:
    before = {p.pid for p in service.workers()}
    name = service.ask(media, "a wolf hang:60").json()["id"]
    wait_until(lambda: service.state(name) == "running", 90)
    service.client.delete(f"/v1/evaluations/{name}")
    assert service.ended(name)["status"] == "cancelled"
    assert service.events(name)[-1][1] == "cancelled"
    assert service.ask(media, "a wolf after", wait=True).status_code == 200
    assert not before & {p.pid for p in service.workers()}


def test_cancelling_what_waits_is_at_once(service: RunningService, media: str) -> None:
    running_one = service.ask(media, "a wolf sleep:1").json()["id"]
    waiting = service.ask(media, "a wolf waits").json()["id"]
    answer = service.client.delete(f"/v1/evaluations/{waiting}")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert [kind for _, kind, _ in service.events(waiting)] == ["queued", "cancelled"]
    assert service.ended(running_one)["grade"] == "B+"


def test_deleting_takes_the_record_and_the_upload_nobody_needs(service: RunningService) -> None:
    clip = CLIP.with_name("wan21_04_flex.mp4")
    media = service.upload(clip)
    name = service.ask(media, "a wolf", wait=True).json()["id"]
    assert service.client.delete(f"/v1/evaluations/{name}").status_code == 204
    for path in (f"/v1/evaluations/{name}", f"/v1/evaluations/{name}/events"):
        assert service.client.get(path).status_code == 404
    assert service.client.delete(f"/v1/evaluations/{name}").status_code == 404


def test_the_list_pages_and_filters(service: RunningService, media: str) -> None:
    mine = [service.ask(media, f"wolf {n}", user="lister", wait=True).json()["id"] for n in range(3)]
    first = service.client.get("/v1/evaluations", params={"user": "lister", "limit": 2}).json()
    second = service.client.get(
        "/v1/evaluations", params={"user": "lister", "limit": 2, "cursor": first["next"]}
    ).json()
    assert [r["id"] for r in first["items"] + second["items"]] == mine[::-1]
    assert second["next"] is None
    assert service.client.get("/v1/evaluations", params={"profile": "none"}).json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("change", "status", "problem"),
    [
        ({"media": "md_01m806z1k2dt4rhqpnng55d65f"}, 404, "media-not-found"),
        ({"media": "nowhere.mp4"}, 404, "media-not-found"),
        ({"media": "/etc/passwd"}, 403, "media-refused"),
        ({"media": "../../../etc/passwd"}, 403, "media-refused"),
        ({"media": "https://example.org/a.mp4"}, 403, "media-refused"),
        ({"media": "text.mp4"}, 415, "unsupported-media"),
        ({"media": ""}, 422, "invalid-request"),
        ({"prompt": " \n "}, 422, "invalid-prompt"),
        ({"prompt": "word " * 10_000}, 422, "invalid-prompt"),
        ({"prompt": "a\0b"}, 422, "invalid-prompt"),
        ({"prompt": 7}, 422, "invalid-request"),
        ({"profile": "no-such"}, 422, "config"),
        ({"channels": ["taste"]}, 422, "invalid-request"),
        ({"channels": []}, 422, "invalid-request"),
        ({"wait": "yes"}, 422, "invalid-request"),
        ({"wait": -1}, 422, "invalid-request"),
        ({"colour": "red"}, 422, "invalid-request"),
        ({"user": "a\nb"}, 422, "invalid-request"),
    ],
)
def test_what_cannot_be_judged_is_refused_at_once(
    service: RunningService, media: str, change: dict[str, object], status: int, problem: str
) -> None:
    (service.home.parent / "clips" / "text.mp4").write_text("#EXTM3U\n/etc/passwd\n")
    body = {"media": media, "prompt": "a wolf", **change}
    answer = service.client.post("/v1/evaluations", json=body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:dqa:problem:{problem}"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert "home" not in answer.json()["detail"]


def test_without_roots_only_uploads_are_judged(tmp_path: Path) -> None:
    with running(tmp_path / "home") as service:
        answer = service.ask(str(CLIP), "a wolf")
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:dqa:problem:media-refused")
        assert service.ask(service.upload(), "a wolf", wait=True).status_code == 200


def test_a_full_queue_says_when_to_come_back(tmp_path: Path) -> None:
    with running(tmp_path / "home", queue_size=2) as service:
        media = service.upload()
        running_one = service.ask(media, "a wolf sleep:20").json()["id"]
        wait_until(lambda: service.state(running_one) == "running", 90)
        assert [service.ask(media, "a wolf").status_code for _ in range(3)] == [202, 202, 429]
        refused = service.ask(media, "a wolf")
        assert refused.json()["type"] == "urn:dqa:problem:busy"
        assert 1 <= int(refused.headers["retry-after"]) <= 120


def test_what_takes_too_long_is_ended_with_the_reason(tmp_path: Path) -> None:
    with running(tmp_path / "home", job_timeout_s=1) as service:
        media = service.upload()
        answer = service.ask(media, "a wolf hang:60", wait=True)
        assert (answer.status_code, answer.json()["type"]) == (503, "urn:dqa:problem:took-too-long")
        assert service.ask(media, "a wolf", wait=True).status_code == 200


def test_two_workers_run_two_evaluations_at_once(tmp_path: Path) -> None:
    with running(tmp_path / "home", workers=2) as service:
        media = service.upload()
        wait_until(lambda: service.client.get("/readyz").json()["workers_ready"] == 2, 60)
        names = [service.ask(media, "a wolf sleep:100").json()["id"] for _ in range(2)]
        wait_until(lambda: [service.state(name) for name in names] == ["running", "running"], 90)
