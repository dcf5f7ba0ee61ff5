"""Who may talk to the service: token first (A03), Host and Origin (A12, A16), and no secret anywhere (A18)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dqa.config import Settings
from dqa.service.guard import host_name, is_loopback, served_hosts
from dqa.service.logs import Redactor, secrets_of
from tests.service.running import CLIP, RunningService, running, wait_until

CANARY = "canary-7f3c-token"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("guarded")
    with running(home / "home", token=CANARY, roots=home, allowed_hosts="dqa.example") as service:
        yield service


@pytest.fixture
def stranger(guarded: RunningService) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.url) as client:
        yield client


def test_every_route_asks_for_the_token_before_it_reads_a_byte(guarded: RunningService, stranger: httpx.Client) -> None:
    paths = guarded.client.get("/openapi.json").json()["paths"]
    asked = 0
    for path, methods in paths.items():
        for method in methods:
            # A body that would be refused for itself: the token comes first.
            answer = stranger.request(method, path, content=b'{"broken', headers={"Content-Type": "application/json"})
            open_to_all = path in ("/healthz", "/readyz")
            assert (answer.status_code == 401) != open_to_all, (method, path, answer.status_code)
            asked += 1
    assert asked >= 13
    assert stranger.get("/no/such/path").status_code == 401, "nor is it told what exists"
    assert stranger.get("/v1/evaluations").headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "value",
    ["", "Bearer", f"Basic {CANARY}", f"Bearer {CANARY}x", f"Bearer {CANARY[:-1]}", CANARY, "Bearer ü"],
)
def test_a_wrong_token_is_no_token(stranger: httpx.Client, value: str) -> None:
    answer = stranger.get("/v1/evaluations", headers={"Authorization": value.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:dqa:problem:unauthorized"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example:80",
        "",
        "[::1",
        "a b",
        "127.0.0.1/x",
    ],
)
def test_another_host_name_is_refused(guarded: RunningService, host: str) -> None:
    answer = guarded.client.get("/v1/evaluations", headers={"Host": host})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "127.0.0.1:99", "[::1]:8765", "dqa.example", "dqa.example:443"]
)
def test_its_own_names_are_served(guarded: RunningService, host: str) -> None:
    assert guarded.client.get("/v1/evaluations", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "file://"},
        {"Origin": "http://["},
        {"Origin": "http://[x]:1"},
    ],
)
def test_other_sites_change_nothing(guarded: RunningService, headers: dict[str, str]) -> None:
    media = guarded.upload()
    for answer in (
        guarded.ask(media, "a wolf", headers=headers),
        guarded.client.post("/v1/media", content=CLIP.read_bytes(), headers=headers),
        guarded.client.delete("/v1/evaluations/ev_01m806z1ygabx0kv8qp1zw0y62", headers=headers),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:dqa:problem:origin-refused")


def test_a_malformed_origin_is_refused_without_a_token_too(stranger: httpx.Client) -> None:
    answer = stranger.post("/login", data={"token": CANARY}, headers={"Origin": "http://["})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:dqa:problem:origin-refused")


def test_its_own_pages_may(guarded: RunningService) -> None:
    headers = {"Origin": guarded.url, "Sec-Fetch-Site": "same-origin"}
    assert guarded.ask(guarded.upload(), "a wolf", headers=headers).status_code == 202


def test_no_other_site_is_told_it_may_read(guarded: RunningService) -> None:
    for method in ("GET", "OPTIONS"):
        answer = guarded.client.request(method, "/v1/evaluations", headers={"Origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_form_post_from_another_page_is_no_json(guarded: RunningService) -> None:
    body = json.dumps({"media": "x", "prompt": "y"})
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = guarded.client.post("/v1/evaluations", content=body, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["type"]) == (415, "urn:dqa:problem:wrong-content-type")


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/v1/evaluations", "/nowhere", "/v1/evaluations/ev_x"])
def test_every_answer_has_the_headers_that_bind_a_browser(guarded: RunningService, path: str) -> None:
    headers = guarded.client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY"


def test_markup_in_a_prompt_comes_back_as_data(guarded: RunningService) -> None:
    prompt = "<script>alert(1)</script> a wolf"
    answer = guarded.ask(guarded.upload(), prompt, wait=True)
    assert answer.json()["prompt"] == prompt
    assert answer.headers["content-type"] == "application/json"


def test_the_token_and_the_prompt_are_nowhere_to_be_read(guarded: RunningService) -> None:
    secret_prompt = "a wolf named zanzibarquux"
    for word in ("", " bug", " fail", " kill"):
        name = guarded.ask(guarded.upload(), secret_prompt + word).json()["id"]
        guarded.ended(name)
    guarded.client.get(f"/v1/evaluations?user={CANARY}")
    guarded.client.get(f"/{CANARY}")
    wait_until(lambda: guarded.client.get("/readyz").status_code == 200, 30)
    shown = [guarded.log(), guarded.client.get("/metrics").text, guarded.client.get("/openapi.json").text]
    assert not [text for text in shown if CANARY in text]
    assert not [text for text in shown if "zanzibarquux" in text]
    for process in guarded.workers():
        assert CANARY not in " ".join(process.cmdline())
        assert CANARY not in str(process.environ())
    files = [p for p in guarded.home.rglob("*") if p.is_file()]
    assert files
    assert not [p for p in files if CANARY.encode() in p.read_bytes()]


def test_the_redactor_cuts_by_name_and_by_value(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, token=CANARY, database_url="postgresql://dqa:hunter2@db/dqa")
    assert secrets_of(settings) == (CANARY, "hunter2")
    event = {
        "event": f"could not reach postgresql://dqa:hunter2@db with {CANARY}",
        "headers": {"Authorization": "Bearer x", "n": 1},
        "list": [CANARY, ("hunter2",)],
        "error": ValueError(CANARY),
        "count": 3,
    }
    cleaned = Redactor(secrets_of(settings))(None, "info", event)
    assert CANARY not in str(cleaned)
    assert "hunter2" not in str(cleaned)
    assert "Bearer x" not in str(cleaned)
    assert cleaned["count"] == 3


def test_names_it_serves() -> None:
    settings = Settings(home=Path("x"), host="0.0.0.0", url="https://dqa.example:8443/", allowed_hosts=("Worker",))
    assert served_hosts(settings) == {"localhost", "127.0.0.1", "::1", "dqa.example", "worker"}
    assert host_name("a:99999999") == ""
    assert [is_loopback(h) for h in ("127.0.0.9", "::1", "localhost", "0.0.0.0", "10.0.0.1", "localhost.evil")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
