"""The login and its sessions: every door they open, and every one they must not (A03, A16, A18)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from dqa.config import Settings
from dqa.service.doors import safe_next
from dqa.service.sessions import LIFETIME_S, Guesses, Sessions
from tests.service.running import RunningService, running

CANARY = "canary-91d2-token"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running(tmp_path_factory.mktemp("login"), token=CANARY, ready=False) as service:
        yield service


@pytest.fixture
def visitor(guarded: RunningService) -> Iterator[httpx.Client]:
    """A browser that has not logged in; it says where its forms come from, as browsers do."""
    with httpx.Client(base_url=guarded.url, headers={"Origin": guarded.url}) as client:
        yield client


@pytest.fixture
def known(visitor: httpx.Client) -> httpx.Client:
    """The same, logged in."""
    assert log_in(visitor).status_code == 303
    return visitor


def log_in(client: httpx.Client, token: str = CANARY, **fields: str) -> httpx.Response:
    return client.post("/login", data={"token": token, **fields})


@pytest.mark.parametrize("path", ["/", "/choose", "/taste", "/evaluations", "/evaluations/ev_1?x=1"])
def test_a_page_leads_a_stranger_to_the_login_and_back(visitor: httpx.Client, path: str) -> None:
    answer = visitor.get(path)
    assert (answer.status_code, answer.content) == (303, b"")
    assert answer.headers["location"] == f"/login?next={quote(path, safe='')}"
    login = visitor.get(answer.headers["location"])
    assert login.status_code == 200
    assert f'value="{"/choose" if path == "/" else path}"' in login.text


def test_what_is_no_page_stays_401(visitor: httpx.Client) -> None:
    for method, path in [
        ("GET", "/v1/evaluations"),
        ("GET", "/docs"),
        ("GET", "/choose/x"),
        ("GET", "/assets/"),
        ("GET", "/assets/x/../../v1/tuner"),
        ("GET", "/login/x"),
        ("GET", "/loginx"),
        ("POST", "/choose"),
        ("POST", "/assets/app.css"),
        ("POST", "/logout"),
    ]:
        assert visitor.request(method, path).status_code == 401, (method, path)


def test_the_login_needs_only_what_is_open(visitor: httpx.Client) -> None:
    page = visitor.get("/login")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    for asset in ("app.css", "base.js", "dom.js", "icon.svg"):
        assert visitor.get(f"/assets/{asset}").status_code == 200
    assert CANARY not in page.text


def test_the_cookie_is_a_session_and_not_the_token(visitor: httpx.Client, guarded: RunningService) -> None:
    answer = log_in(visitor, next="/taste?user=ann")
    assert (answer.status_code, answer.headers["location"]) == (303, "/taste?user=ann")
    cookie = answer.headers["set-cookie"]
    assert CANARY not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={LIFETIME_S}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert visitor.get("/choose").status_code == 200
    assert visitor.get("/v1/evaluations").status_code == 200
    assert CANARY not in guarded.log()


def test_over_https_the_cookie_is_secure(tmp_path: Path) -> None:
    with running(tmp_path, token=CANARY, ready=False, url="https://dqa.example") as service:
        address = f"http://127.0.0.1:{port_of(service)}"
        with httpx.Client(base_url=address, headers={"Host": "dqa.example", "Origin": "https://dqa.example"}) as client:
            assert "Secure" in log_in(client).headers["set-cookie"]


def port_of(service: RunningService) -> int:
    import psutil

    (listening,) = [c for c in psutil.Process(service.process.pid).net_connections() if c.status == "LISTEN"]
    return listening.laddr.port


@pytest.mark.parametrize("token", ["", CANARY + "x", CANARY[:-1], CANARY.upper(), "\u00fc", "x" * 5000])
def test_a_wrong_token_opens_nothing(tmp_path: Path, token: str) -> None:
    sessions = Sessions(Settings(home=tmp_path, token=CANARY))  # type: ignore[arg-type]
    assert sessions.is_token(CANARY)
    assert not sessions.is_token(token)


def test_guessing_is_slow_for_who_guesses(tmp_path: Path) -> None:
    with (
        running(tmp_path, token=CANARY, ready=False) as service,
        httpx.Client(base_url=service.url, headers={"Origin": service.url}) as client,
    ):
        answers = [log_in(client, f"guess {i}").status_code for i in range(10)]
        assert answers == [403] * 10
        last = log_in(client)
        assert last.status_code == 429, "now even the right one has to wait"
        assert 0 < int(last.headers["retry-after"]) <= 61
        assert "set-cookie" not in last.headers
        assert service.client.get("/v1/evaluations").status_code == 200, "who has the token is not kept out"


def test_guesses_are_counted_by_address_and_forgotten() -> None:
    now = [1000.0]
    guesses = Guesses(lambda: now[0])
    for _ in range(10):
        guesses.wrong("a")
    assert guesses.wait_s("a") > 0
    assert guesses.wait_s("b") == 0
    now[0] += 61
    assert guesses.wait_s("a") == 0
    for i in range(20_000):
        guesses.wrong(str(i))
    assert len(guesses._wrong) <= 4096


def test_a_session_is_no_longer_than_it_says(tmp_path: Path) -> None:
    now = [1000.0]
    settings = Settings(home=tmp_path, token=CANARY)  # type: ignore[arg-type]
    sessions = Sessions(settings, lambda: now[0])
    header = f"{sessions.cookie}={sessions.begin()}"
    assert sessions.valid(header)
    assert Sessions(settings, lambda: now[0]).valid(header), "a restart keeps it"
    assert not Sessions(settings.model_copy(update={"token": None}), lambda: now[0]).valid(header)
    other = Settings(home=tmp_path, token="another")  # type: ignore[arg-type]
    assert not Sessions(other, lambda: now[0]).valid(header), "a new token ends it"
    now[0] += LIFETIME_S + 1
    assert not sessions.valid(header)


def test_a_changed_cookie_is_worth_nothing(tmp_path: Path) -> None:
    sessions = Sessions(Settings(home=tmp_path, token=CANARY))  # type: ignore[arg-type]
    value = sessions.begin()
    expiry, name, mac = value.split(".")
    for changed in (
        f"{int(expiry) + 1}.{name}.{mac}",
        f"{expiry}.{name}x.{mac}",
        f"{expiry}.{name}.{mac[:-1]}",
        f"{expiry}.{name}.",
        f"{expiry}.{name}",
        f".{mac}",
        "x",
        "",
        CANARY,
        "\u00e9.\u00e9.\u00e9",
        "." * 1000,
    ):
        assert not sessions.valid(f"{sessions.cookie}={changed}"), changed
    assert not sessions.valid(None)
    assert not sessions.valid(f"{sessions.cookie}x={value}")
    assert sessions.valid(f"other=1; {sessions.cookie}={value}")


def test_after_logging_out_a_copy_of_the_cookie_is_worth_nothing(known: httpx.Client) -> None:
    copy = dict(known.cookies)
    answer = known.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert dict(known.cookies) == {}
    known.cookies.update(copy)
    assert known.get("/v1/evaluations").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_session_changes_nothing_from_another_site(known: httpx.Client, headers: dict[str, str]) -> None:
    choice = {"test_id": "t1", "a": "ev_x", "b": "ev_y", "chosen": "a"}
    for path, body in (("/v1/selections", choice), ("/logout", None)):
        answer = known.post(path, json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:dqa:problem:origin-refused"), path
    assert log_in(httpx.Client(base_url=known.base_url, headers=headers)).status_code == 403
    assert known.get("/v1/selections").json()["items"] == []


def test_a_session_that_does_not_say_where_it_comes_from_changes_nothing(known: httpx.Client) -> None:
    del known.headers["Origin"]
    choice = {"test_id": "t2", "a": "ev_x", "b": "ev_y", "chosen": "a"}
    assert known.post("/v1/selections", json=choice).status_code == 403
    assert known.get("/v1/selections").status_code == 200


def test_a_wrong_bearer_is_not_helped_by_a_cookie(known: httpx.Client) -> None:
    assert known.get("/v1/evaluations", headers={"Authorization": "Bearer wrong"}).status_code == 401


@pytest.mark.parametrize(
    "asked",
    [
        "https://evil.example/choose",
        "//evil.example/choose",
        "/\\evil.example",
        "\\\\evil.example",
        "/choose\r\nSet-Cookie: x=1",
        "/choose/../v1/tuner",
        "/v1/tuner",
        "/login",
        "javascript:alert(1)",
        "///choose",
        "/choose#x",
        "http:/choose",
        "/" + "a" * 5000,
        "",
    ],
)
def test_the_login_leads_nowhere_else(visitor: httpx.Client, asked: str) -> None:
    assert safe_next(asked) == "/choose"
    assert log_in(visitor, next=asked).headers["location"] == "/choose"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"token=" + b"x" * 9000, 413),
        (b"&".join(b"a=1" for _ in range(1000)), 403),
        (b"token=%ff%fe", 403),
        (b"\xff\xfe", 403),
    ],
)
def test_a_broken_form_is_refused(guarded: RunningService, visitor: httpx.Client, body: bytes, status: int) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": httpx.URL(guarded.url).netloc.decode()}
    answer = visitor.post("/login", content=body, headers=headers)
    assert answer.status_code in (status, 429)


def test_without_a_token_nothing_is_asked(tmp_path: Path) -> None:
    with running(tmp_path, ready=False) as service:
        assert service.client.get("/choose").status_code == 200
        assert service.client.get("/login").headers["location"] == "/choose"
