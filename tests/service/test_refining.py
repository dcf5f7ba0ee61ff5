"""``/v1/generations`` and ``/v1/refinements``: a clip made, judged, and the run recorded, with the service's rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dqa.config import Settings
from dqa.refine.record import Refinement
from tests.comfy.standin import serving
from tests.service.clip_maker import WORKFLOW, ClipMaker
from tests.service.running import RunningService, running, wait_until

NO_SUCH = "ev_00000000000000000000000000"


@pytest.fixture(scope="module")
def comfy() -> ClipMaker:
    return ClipMaker()


@pytest.fixture(scope="module")
def made(comfy: ClipMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("generating") / "home"
    with serving(comfy) as url, running(home, comfy_url=url, comfy_workflow=WORKFLOW) as started:
        yield started


def generate(service: RunningService, prompt: str = "a wolf", **more: Any) -> dict[str, Any]:
    answer = service.client.post("/v1/generations", json={"prompt": prompt, "wait": 60, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def judged(service: RunningService, prompt: str, user: str = "default") -> str:
    clip = generate(service, prompt, user=user)["media_id"]
    return service.ask(clip, prompt, wait=60, user=user).json()["id"]


def test_a_clip_is_made_and_judged(made: RunningService) -> None:
    told = generate(made, seed=5, attempt=2)
    assert (told["status"], told["seed"], told["attempt"]) == ("done", 5, 2)
    assert made.client.get(f"/v1/generations/{told['id']}").json()["media_id"] == told["media_id"]
    assert made.ask(told["media_id"], "a wolf", wait=60).json()["grade"] == "B+"
    drawn = {generate(made)["seed"] for _ in range(2)}
    assert len(drawn) == 2, "a seed is drawn where none is given"
    assert made.client.get("/v1/generations").json() == {"configured": True, "workflows": [], "why": None}


def test_the_same_request_is_made_once(made: RunningService, comfy: ClipMaker) -> None:
    before = len(comfy.submitted)
    headers = {"Idempotency-Key": "make-once"}
    body = {"prompt": "a fox", "seed": 1}
    first = made.client.post("/v1/generations", json=body, headers=headers)
    assert first.status_code == 202
    again = made.client.post("/v1/generations", json={**body, "wait": 60}, headers=headers)
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] == "done"
    assert len(comfy.submitted) == before + 1
    other = made.client.post("/v1/generations", json={**body, "prompt": "a cat"}, headers=headers)
    assert other.status_code == 409


def test_cancelling_and_deleting(made: RunningService, comfy: ClipMaker) -> None:
    comfy.seconds = 60
    try:
        where = made.client.post("/v1/generations", json={"prompt": "a slow wolf"}).headers["Location"]
        waits = made.client.post("/v1/generations", json={"prompt": "another"}).headers["Location"]
        wait_until(lambda: comfy.running is not None, 30)
        assert made.client.delete(waits).json()["status"] == "cancelled"
        assert made.client.delete(where).status_code == 202
        wait_until(lambda: made.client.get(where).json()["status"] == "cancelled", 30)
    finally:
        comfy.seconds = 0.05
    assert made.client.delete(where).status_code == 204
    assert made.client.get(where).status_code == 404
    clip = generate(made, "a wolf to forget")
    assert made.client.delete(f"/v1/generations/{clip['id']}").status_code == 204
    assert made.client.get(f"/v1/media/{clip['media_id']}/frames/0.jpg").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"prompt": " "}, 422, "prompt"),
        ({"prompt": "a wolf", "workflow": "../etc/passwd"}, 422, "workflow"),
        ({"prompt": "a wolf", "workflow": "other"}, 422, "no workflow of that name"),
        ({"prompt": "a wolf", "url": "http://127.0.0.1:1"}, 422, "url"),
        ({"prompt": "a wolf", "seed": -1}, 422, "seed"),
    ],
)
def test_what_is_refused(made: RunningService, body: dict[str, Any], status: int, says: str) -> None:
    answer = made.client.post("/v1/generations", json=body)
    assert answer.status_code == status
    assert says in answer.json()["detail"]


def test_without_a_workflow_it_says_how_to_set_one(service: RunningService) -> None:
    answer = service.client.post("/v1/generations", json={"prompt": "a wolf"})
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:dqa:problem:no-generator")
    assert "DQA_COMFY_WORKFLOW" in answer.json()["detail"]
    told = service.client.get("/v1/generations").json()
    assert not told["configured"]
    assert "DQA_COMFY_WORKFLOW" in told["why"]


def a_run(evaluations: list[str | None], outcome: str, **more: Any) -> dict[str, Any]:
    return {
        "brief": "a wolf",
        "writer": "agent-dqa-writer",
        "generator": "comfy",
        "min_grade": "B",
        "max_retries": 3,
        "outcome": outcome,
        "cycles": [{"prompt": "a wolf", "evaluation": evaluation} for evaluation in evaluations],
        **more,
    }


def test_a_run_is_recorded_once_with_what_its_evaluations_say(made: RunningService) -> None:
    evaluation = judged(made, "a wolf", "mira")
    body, headers = a_run([evaluation], "accepted", user="mira"), {"Idempotency-Key": "run-1"}
    answer = made.client.post("/v1/refinements", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    record = Refinement.model_validate(answer.json())
    (cycle,) = record.cycles
    verdict = made.get(evaluation)
    assert (cycle.grade, cycle.action, cycle.final) == (verdict["grade"], verdict["action"], verdict["final"])
    assert (record.accepted, record.best, record.profile) == (evaluation, evaluation, verdict["profile"])
    again = made.client.post("/v1/refinements", json=body, headers=headers)
    assert (again.status_code, again.json()) == (200, answer.json())
    assert made.client.get(answer.headers["Location"]).json() == answer.json()
    assert [run["id"] for run in made.client.get("/v1/refinements?user=mira").json()["items"]] == [record.id]
    assert made.client.get("/v1/refinements?user=noor").json() == {"items": [], "next": None}
    figures = made.client.get("/v1/refinements/figures?user=mira&window=5").json()
    assert figures["all"]["share"]["n"] == 1
    assert figures["all"]["cycles"] == {"value": 1.0, "low": None, "high": None, "n": 1}
    assert made.client.get("/v1/refinements/figures?user=noor").json()["all"] is None
    other = made.client.post("/v1/refinements", json={**body, "brief": "another"}, headers=headers)
    assert other.status_code == 409


def test_more_runs_are_listed_page_by_page(made: RunningService) -> None:
    failed = a_run([None], "failed", user="ole")
    ids = [made.client.post("/v1/refinements", json=failed).json()["id"] for _ in range(3)]
    first = made.client.get("/v1/refinements?user=ole&limit=2").json()
    second = made.client.get(f"/v1/refinements?user=ole&limit=2&cursor={first['next']}").json()
    assert {run["id"] for run in [*first["items"], *second["items"]]} == set(ids)
    assert second["next"] is None
    told = made.client.get("/v1/refinements/figures?user=ole").json()["all"]
    assert (told["failed"], told["share"], told["cycles"]) == (3, None, None)


def test_a_run_can_t_claim_what_its_evaluations_don_t_say(made: RunningService) -> None:
    own, others = judged(made, "a wolf", "lea"), judged(made, "a wolf", "kim")
    refused = [
        (a_run([NO_SUCH], "accepted", user="lea"), 404, "no evaluation"),
        (a_run([others], "accepted", user="lea"), 422, "not an evaluation of this user"),
        (a_run([own], "exhausted", user="lea"), 422, "is accepted, not exhausted"),
        (a_run([own], "accepted", user="lea", min_grade="A"), 422, "not accepted"),
        (a_run([own, own], "accepted", user="lea"), 422, "went on after it had ended"),
        (a_run([], "accepted", user="lea"), 422, "is failed, not accepted"),
        (a_run([own], "accepted", user="lea", grade="A"), 422, "grade"),
    ]
    for body, status, says in refused:
        answer = made.client.post("/v1/refinements", json=body)
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
    assert made.client.get("/v1/refinements?user=lea").json()["items"] == []
    assert made.client.get("/v1/refinements/../evaluations").status_code in (200, 404)
    assert made.client.get("/v1/refinements/rf_x").status_code == 404


def test_a_user_who_goes_takes_runs_and_clips_along(made: RunningService) -> None:
    evaluation = judged(made, "a wolf", "zoe")
    made.client.post("/v1/refinements", json=a_run([evaluation], "accepted", user="zoe")).raise_for_status()
    exported = made.client.get("/v1/users/zoe/export").json()
    assert [run["accepted"] for run in exported["refinements"]] == [evaluation]
    assert exported["generations"][0]["request"]["prompt"] == "a wolf"
    removed = made.client.delete("/v1/users/zoe").json()["removed"]
    assert (removed["refinements"], removed["generations"]) == (1, 1)


def test_the_workflow_is_the_operator_s(tmp_path: Any) -> None:
    settings = Settings(home=tmp_path, comfy_workflows=tmp_path)
    from dqa.service.generator import workflow_names

    (tmp_path / "one.json").write_text("{}")
    (tmp_path / "two.txt").write_text("")
    (tmp_path / "link.json").symlink_to("/etc/passwd")
    assert workflow_names(settings) == ["one"]
