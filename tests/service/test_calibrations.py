"""``/v1/calibrations``: describe and compare as jobs, with the service's rules."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.service.running import ROOT, RunningService, running

SAMPLE = {"axes": ["brightness", "contrast"]}


@pytest.fixture(scope="module")
def pictures(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A dark and a light picture, as media ids."""
    folder = tmp_path_factory.mktemp("pictures")
    made: dict[str, str] = {}
    for name, level in (("dark", 25), ("light", 225)):
        picture = Image.new("RGB", (96, 64), (level, level, level))
        picture.paste((200, 40, 40), (36, 22, 60, 42))
        picture.save(folder / f"{name}.png")
        made[name] = service.upload(folder / f"{name}.png")
    return made


def test_describe_gives_what_the_command_gives(service: RunningService, tmp_path: Path) -> None:
    picture = tmp_path / "half.png"
    Image.linear_gradient("L").convert("RGB").save(picture)
    body = {"reference": service.upload(picture), "wait": 60}
    answer = service.client.post("/v1/calibrations/describe", json=body)
    assert answer.status_code == 200, answer.text
    command = [sys.executable, "-m", "dqa", "calibrate", "describe", "--reference", str(picture), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told, printed = answer.json(), json.loads(done.stdout)
    own = {"id", "created", "run_tag", "reference"}
    assert {k: v for k, v in told.items() if k not in own} == {k: v for k, v in printed.items() if k not in own}
    assert told["reference"]["sha256"] == printed["reference"]["sha256"]
    assert told["reference"]["file"].startswith("md_")
    assert str(service.home) not in answer.text


def test_a_picture_matches_itself_and_no_other(service: RunningService, pictures: dict[str, str]) -> None:
    def compare(generated: str, **reference: str) -> dict[str, object]:
        body = {"generated": pictures[generated], **SAMPLE, **reference, "wait": 60}
        answer = service.client.post("/v1/calibrations/compare", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    same = compare("dark", reference=pictures["dark"])
    assert same["overall_score"] == 1.0
    assert same["mismatch_count"] == 0
    assert compare("light", ref_desc="brightness: very dark")["mismatch_count"] == 1
    described = service.client.post(
        "/v1/calibrations/describe", json={"reference": pictures["dark"], **SAMPLE, "wait": 60}
    ).json()
    by_words = compare("dark", ref_desc=described["canonical_reference"])
    assert by_words["axes"] == same["axes"]
    assert set(same["axes"]) == {"brightness", "contrast"}  # type: ignore[arg-type]


def test_a_job_is_asked_for_once_found_again_and_deleted(service: RunningService, pictures: dict[str, str]) -> None:
    body, headers = {"reference": pictures["dark"], "run_tag": "mine"}, {"Idempotency-Key": "calibrate-once"}
    first = service.client.post("/v1/calibrations/describe", json={**body, "wait": 60}, headers=headers)
    again = service.client.post("/v1/calibrations/describe", json=body, headers=headers)
    assert first.json() == again.json()
    other = {**body, "run_tag": "another"}
    assert service.client.post("/v1/calibrations/describe", json=other, headers=headers).status_code == 409
    where = f"/v1/calibrations/{first.json()['id']}"
    assert service.client.get(where).json() == first.json()
    assert service.client.delete(where).status_code == 204
    assert service.client.get(where).status_code == 404


def test_without_waiting_the_address_says_how_it_stands(service: RunningService, pictures: dict[str, str]) -> None:
    in_front = service.ask(service.upload(), "sleep:60 in front").json()["id"]
    answer = service.client.post("/v1/calibrations/describe", json={"reference": pictures["dark"]})
    assert answer.status_code == 202
    where = answer.headers["Location"]
    assert service.client.get(where).json()["status"] == "queued"
    assert service.client.delete(where).json()["status"] == "cancelled"
    service.client.delete(f"/v1/evaluations/{in_front}")
    assert service.ended(in_front)["status"] == "cancelled"


@pytest.mark.parametrize(
    ("mode", "body", "status", "said"),
    [
        ("describe", {"reference": "md_00000000000000000000000000"}, 404, "upload it"),
        ("describe", {"reference": "../../etc/passwd"}, 403, "ROOTS"),
        ("describe", {"reference": "CLIP", "axes": ["hairdo"]}, 422, "'hairdo' is no axis"),
        ("describe", {"reference": "CLIP", "axes_toml": "axis = 1"}, 422, "axes_toml"),
        ("compare", {"generated": "CLIP"}, 422, "one reference"),
        ("compare", {"generated": "CLIP", "reference": "CLIP", "ref_desc": "a wolf"}, 422, "one reference"),
        ("compare", {"generated": "CLIP", "ref_desc": "{}"}, 422, "neither a description nor axes"),
        ("compare", {"generated": "CLIP", "ref_desc": "a wolf", "wait": 60}, 422, "no value that pixels can tell"),
        ("describe", {"reference": "CLIP", "profile": "nobody-s"}, 422, "nobody-s"),
    ],
)
def test_what_is_refused_is_said_in_a_sentence(
    service: RunningService, media: str, mode: str, body: dict[str, object], status: int, said: str
) -> None:
    sent = {name: media if value == "CLIP" else value for name, value in body.items()}
    answer = service.client.post(f"/v1/calibrations/{mode}", json=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert said in answer.json()["detail"]
    assert "/tmp" not in answer.text.replace("\\/", "/")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[RunningService]:
    with running(tmp_path / "home", token="a-long-secret-token") as started:
        yield started


def test_it_asks_for_the_token(guarded: RunningService) -> None:
    body = {"reference": "md_00000000000000000000000000"}
    headers = {"Authorization": "Bearer wrong"}
    assert guarded.client.post("/v1/calibrations/describe", json=body, headers=headers).status_code == 401
    assert guarded.client.post("/v1/calibrations/describe", json=body).status_code == 404
