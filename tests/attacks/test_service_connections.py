"""Connections that hold a place and ask for nothing (A02), and what is no HTTP at all (A03)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import psutil
import pytest

from tests.service.running import RunningService, running, wait_until

ASK = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = b"GET /healthz HTTP/1.1\r\nHost: loc"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """Sixteen connections, a second for a head, two for a reader."""
    with running(tmp_path_factory.mktemp("connections"), module="tests.attacks.impatient") as started:
        yield started


def connect(service: RunningService) -> socket.socket:
    at = urlsplit(service.url)
    return socket.create_connection((at.hostname, at.port), timeout=10)


def answer(line: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """The next answer on a connection: status, headers, body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += line.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    status, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
    while len(body) < int(headers["content-length"]):
        body += line.recv(65536)
    return int(status.split()[1]), headers, body


def ended(line: socket.socket, drip: bytes, seconds: float) -> bool:
    """Whether the service closes a connection on which ``drip`` is sent again and again."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.1)
        try:
            line.send(drip)
        except ConnectionError:
            return True
    return False


def test_half_a_head_is_not_waited_for_however_many_came_before(service: RunningService) -> None:
    with connect(service) as line:
        for _ in range(3):
            line.sendall(ASK)
            assert answer(line)[0] == 200
        line.sendall(HALF)
        began = time.monotonic()
        assert line.recv(100) == b""
        assert time.monotonic() - began < 5


def test_half_a_head_behind_a_whole_request_is_not_waited_for_either(service: RunningService) -> None:
    with connect(service) as line:
        line.sendall(ASK + HALF)
        assert answer(line)[0] == 200
        began = time.monotonic()
        assert line.recv(100) == b""
        assert time.monotonic() - began < 5


def test_a_head_that_drips_is_not_waited_for(service: RunningService) -> None:
    with connect(service) as line:
        line.sendall(ASK)
        assert answer(line)[0] == 200
        assert ended(line, b"G", 8)


def test_a_connection_between_requests_is_kept(service: RunningService) -> None:
    with connect(service) as line:
        for _ in range(2):
            line.sendall(ASK)
            assert answer(line)[0] == 200
            time.sleep(1.5)  # longer than a head may take


def test_who_is_kept_out_is_told_and_gets_in_once_the_others_are_gone(service: RunningService) -> None:
    service.client.close()  # its own connections count as well
    with ExitStack() as stack:
        for _ in range(16):
            held = stack.enter_context(connect(service))
            held.sendall(ASK)
            answer(held)
            held.sendall(HALF)
        with connect(service) as line:
            line.sendall(ASK)
            status, headers, body = answer(line)
        assert (status, headers["content-type"]) == (503, "application/problem+json")
        assert int(headers["retry-after"]) >= 1
        assert json.loads(body)["type"] == "urn:dqa:problem:unavailable"

        def let_in() -> bool:
            with connect(service) as line:
                line.sendall(ASK)
                return answer(line)[0] == 200

        wait_until(let_in, 10)


def test_who_reads_no_answers_is_let_go(service: RunningService) -> None:
    with connect(service) as line:
        line.sendall(ASK.replace(b"/healthz", b"/openapi.json") * 100)  # more than what lies between may hold
        mine = line.getsockname()[1]
        process = psutil.Process(service.process.pid)

        def held() -> bool:
            return any(each.raddr and each.raddr.port == mine for each in process.net_connections("tcp"))

        wait_until(held, 5)
        wait_until(lambda: not held(), 20)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\xfc\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_a_problem_too(service: RunningService, garbage: bytes) -> None:
    with connect(service) as line:
        line.sendall(garbage)
        status, headers, body = answer(line)
    assert (status, headers["content-type"], headers["connection"]) == (400, "application/problem+json", "close")
    assert json.loads(body)["type"] == "urn:dqa:problem:malformed-http"
    assert headers["x-content-type-options"] == "nosniff"


def test_garbage_behind_an_answer_that_has_begun_only_ends_the_connection(service: RunningService) -> None:
    with connect(service) as line:
        line.sendall(
            b"POST /v1/evaluations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"
        )
        assert answer(line)[0] == 400
    assert "Traceback" not in service.log()
