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
