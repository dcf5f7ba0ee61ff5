"""The documented interface is the one that answers."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.running import RunningService

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    database=None,
)


def test_the_contract_of_the_design(service: RunningService) -> None:
    paths = service.client.get("/openapi.json").json()["paths"]
    found = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert found >= {
        "POST /v1/media",
        "GET /v1/media/{media_id}/frames/representative.jpg",
        "GET /v1/media/{media_id}/frames/{n}.jpg",
        "POST /v1/evaluations",
        "GET /v1/evaluations",
        "GET /v1/evaluations/{evaluation_id}",
        "GET /v1/evaluations/{evaluation_id}/events",
        "DELETE /v1/evaluations/{evaluation_id}",
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "GET /openapi.json",
        "GET /docs",
    }


def test_the_docs_need_nobody_else(service: RunningService) -> None:
    page = service.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert not re.findall(r"<script|(?:src|href)=[\"']?(?:https?:)?//", page.text)
    assert "script" not in page.headers["content-security-policy"]
    for path in service.client.get("/openapi.json").json()["paths"]:
        assert path in page.text


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_no_request_makes_it_fail_or_answer_what_is_not_documented(
    service: RunningService, media: str, mode: GenerationMode
) -> None:
    description = service.client.get("/openapi.json").json()
    attacked = 0
    for found in schemathesis.openapi.from_dict(description).get_all_operations():
        operation = found.ok()

        @EXAMPLES
        @given(case=operation.as_strategy(generation_mode=mode))
        def attack(case: Case) -> None:
            if isinstance(case.body, dict) and "wait" in case.body:
                case.body["wait"] = False  # what is asked for may be to wait for ten minutes
            if isinstance(case.body, dict) and isinstance(case.body.get("media"), str):
                case.body["media"] = media  # else nearly every request ends at "no such file"
            case.call_and_validate(base_url=service.url, checks=CHECKS)

        try:
            attack()
            attacked += 1
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, "nothing can be wrong where any text is allowed, or nothing taken"
    assert attacked >= (13 if mode is GenerationMode.POSITIVE else 6)


def test_head_is_get_without_the_body_on_every_address(service: RunningService, media: str) -> None:
    done = service.ask(media, "a wolf", wait=True).json()["id"]
    names = {"media_id": media, "evaluation_id": done, "n": "0", "user": "default"}
    asked = 0
    for path, methods in service.client.get("/openapi.json").json()["paths"].items():
        assert "head" not in methods, "described once, as GET"
        wanted = set(re.findall(r"{(\w+)}", path))
        if "get" not in methods or not wanted <= set(names):
            continue
        address = path.format(**names)
        head, get = service.client.head(address), service.client.get(address)
        assert (head.status_code, head.content) == (get.status_code, b""), address
        assert head.headers["content-type"] == get.headers["content-type"]
        # Addresses whose answer is another each time: measurements, and the id of a test.
        if address not in ("/metrics", "/v1/pairs/next") and "content-length" in get.headers:
            assert head.headers["content-length"] == get.headers["content-length"], address
        asked += 1
    assert asked >= 15
    for page in ("/choose", "/taste", "/evaluations", "/refinements"):
        assert service.client.head(page).status_code == 200, page


def test_head_of_a_stream_does_not_wait_for_its_end(service: RunningService, media: str) -> None:
    name = service.ask(media, "a wolf hang:5").json()["id"]
    answer = service.client.head(f"/v1/evaluations/{name}/events", timeout=3)
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/event-stream")
    service.client.delete(f"/v1/evaluations/{name}")
    service.ended(name)


@pytest.mark.parametrize(
    ("method", "path", "known"),
    [
        ("PUT", "/v1/evaluations", "GET, HEAD, POST"),
        ("HEAD", "/v1/media", "POST"),
        ("PATCH", "/v1/users/mira/style", "GET, HEAD, POST, PUT, DELETE"),
        ("DELETE", "/healthz", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_known_is_told_those_that_are(
    service: RunningService, method: str, path: str, known: str
) -> None:
    answer = service.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, known)
