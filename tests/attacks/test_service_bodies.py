"""Bodies that are too large, too slow, too deep, or lie (A02, A12, A14), and paths that leave the roots (A11)."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqa.jsonsafe import MAX_DEPTH, MalformedJson, parse_json
from dqa.service.messages import MAX_LINE, parse_upward
from dqa.service.multipart import FilePart
from dqa.service.problems import InvalidRequest
from tests.service.running import CLIP, RunningService, running

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    home = tmp_path_factory.mktemp("bodies")
    (home / "root").mkdir()
    with running(home / "home", roots=home / "root", max_media_mb=2) as started:
        yield started


def raw(service: RunningService, request: bytes, seconds: float = 30) -> bytes:
    """Sends bytes as they are and returns what comes back until the service closes."""
    at = urlsplit(service.url)
    with socket.create_connection((at.hostname, at.port), timeout=seconds) as line:
        line.sendall(request)
        answer = b""
        while chunk := line.recv(65536):
            answer += chunk
        return answer


HOSTILE = {
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "just too deep": b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2),
    "many empty lists": b"[" + b"[]," * 300_000 + b"[]]",
    "many keys": b"{" + b",".join(b'"%d":0' % n for n in range(70_000)) + b"}",
    "one long string": b'{"prompt":"' + b"x" * 900_000 + b'"}',
    "long number": b'{"wait":' + b"9" * 900_000 + b"}",
    "NaN": b'{"wait":NaN}',
    "Infinity": b'{"wait":-Infinity}',
    "huge exponent": b'{"wait":1e999}',
    "lone surrogate": b'{"prompt":"\\ud800"}',
    "not UTF-8": b'{"prompt":"\xff\xfe"}',
    "NUL": b"\0",
    "half": b'{"prompt":',
    "a list": b"[]",
    "a million items": b"[" + b"0," * 450_000 + b"0]",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_json_is_refused_quickly(service: RunningService, name: str) -> None:
    process = psutil.Process(service.process.pid)
    before = sum(process.cpu_times()[:2])
    for _ in range(5):
        answer = service.client.post("/v1/evaluations", content=HOSTILE[name], headers=JSON)
        assert answer.status_code in (413, 422), answer.text[:200]
        assert len(answer.content) < 1000, "nor is it sent back"
    assert (sum(process.cpu_times()[:2]) - before) / 5 < 1, "CPU seconds each: wall time is the busy machine's"


def test_a_hundred_megabytes_of_json_are_refused_at_once_and_memory_stays_flat(service: RunningService) -> None:
    before = psutil.Process(service.process.pid).memory_info().rss
    for streamed in (False, True):
        chunks = (b"[" + b"0," * 500_000 for _ in range(100))
        content = chunks if streamed else b"0" * 100_000_000
        answer = service.client.post("/v1/evaluations", content=content, headers=JSON)
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:dqa:problem:body-too-large")
    assert psutil.Process(service.process.pid).memory_info().rss - before < 30e6


@pytest.mark.alone
def test_the_loop_goes_on_while_hostile_json_comes(service: RunningService) -> None:
    """The health check is answered by the event loop itself: its delay is the loop's."""
    stop = threading.Event()

    def attack() -> None:
        with httpx.Client(base_url=service.url, timeout=30) as client:
            while not stop.is_set():
                for name in ("many empty lists", "deep objects", "a million items", "many keys"):
                    client.post("/v1/evaluations", content=HOSTILE[name], headers=JSON)

    attackers = [threading.Thread(target=attack) for _ in range(2)]
    for thread in attackers:
        thread.start()
    delays: list[float] = []
    try:
        with httpx.Client(base_url=service.url) as client:
            for _ in range(60):
                began = time.perf_counter()
                assert client.get("/healthz").status_code == 200
                delays.append(time.perf_counter() - began)
    finally:
        stop.set()
        for thread in attackers:
            thread.join()
    # The client's own share and a busy machine are in these figures: the median is what the loop promises.
    assert sorted(delays)[len(delays) // 2] < 0.25


def test_a_length_that_lies_or_a_body_that_stalls(tmp_path: Path) -> None:
    with running(tmp_path, module="tests.attacks.impatient") as service:
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        for path in (b"/v1/evaluations", b"/v1/media"):
            answer = raw(service, head % (path, 500) + b'{"media":')
            assert answer.startswith(b"HTTP/1.1 408"), answer[:100]
        huge = raw(service, head % (b"/v1/media", 10**13) + b"x")
        assert huge.startswith(b"HTTP/1.1 413")
        negative = raw(service, b"POST /v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n")
        assert negative.startswith(b"HTTP/1.1 400")
        began = time.monotonic()
        assert raw(service, b"GET /healthz HTTP/1.1\r\nHost: loc") == b"", "headers that never end"
        assert time.monotonic() - began < 25, "raw() itself would give up"
        dribble(service)
        assert service.client.get("/healthz").status_code == 200
        assert not list((tmp_path / "media").glob("*.part"))


def dribble(service: RunningService) -> None:
    """An upload that never pauses long, and never ends."""
    at = urlsplit(service.url)
    with socket.create_connection((at.hostname, at.port), timeout=30) as line:
        line.sendall(b"POST /v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        line.setblocking(False)
        began = time.monotonic()
        while time.monotonic() - began < 20:
            try:
                answer = line.recv(1000)
            except BlockingIOError:
                time.sleep(0.1)
                line.send(b"x")
                continue
            assert answer.startswith(b"HTTP/1.1 408"), answer[:100]
            return
    pytest.fail("the upload was never refused")


def test_an_upload_that_breaks_off_leaves_nothing(service: RunningService) -> None:
    at = urlsplit(service.url)
    with socket.create_connection((at.hostname, at.port)) as line:
        line.sendall(
            b"POST /v1/media HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + CLIP.read_bytes()[:9000]
        )
    time.sleep(0.5)
    assert not list((service.home / "media").glob("*.part"))
    assert service.client.get("/healthz").status_code == 200


OTHER_FIELD = b'--x\r\nContent-Disposition: form-data; name="other"\r\n\r\n'
THE_FILE = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n%b\r\n--x--\r\n'


@pytest.mark.parametrize("head", [OTHER_FIELD, THE_FILE % CLIP.read_bytes()], ids=["another field", "behind the end"])
def test_what_is_no_file_counts_as_well(service: RunningService, head: bytes) -> None:
    """Chunked, so that no length is announced; the service takes 2 MB."""
    body = itertools.chain([head], itertools.repeat(b"x" * 500_000, 80))
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = service.client.post("/v1/media", content=body, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (413, "urn:dqa:problem:body-too-large")
    assert not list((service.home / "media").glob("*.part"))


def test_a_million_form_fields_are_refused_early(service: RunningService) -> None:
    field = b'--x\r\nContent-Disposition: form-data; name="f"\r\n\r\n1\r\n'
    began = time.perf_counter()
    answer = service.client.post(
        "/v1/media",
        content=(field * 10_000 for _ in range(100)),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert answer.status_code in (413, 422)
    assert time.perf_counter() - began < 50


def test_a_form_of_endless_headers_is_refused(service: RunningService) -> None:
    body = b"--x\r\nContent-Disposition: " + b"a" * 100_000
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert service.client.post("/v1/media", content=body, headers=headers).status_code == 422
    for boundary in ("", "; boundary=", f"; boundary={'b' * 5000}"):
        kind = {"Content-Type": f"multipart/form-data{boundary}"}
        assert service.client.post("/v1/media", content=body, headers=kind).status_code == 422


def test_too_many_headers_or_ranges_are_refused(service: RunningService) -> None:
    many = {f"X-{n}": "1" for n in range(200)}
    assert service.client.get("/healthz", headers=many).status_code == 431
    assert service.client.get("/healthz", headers={"X-Long": "a" * 40_000}).status_code == 431
    media = service.upload()
    ranges = {"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(1000))}
    answer = service.client.get(f"/v1/media/{media}/frames/0.jpg", headers=ranges)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")


def test_unknown_addresses_and_methods_are_problems(service: RunningService) -> None:
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("GET", "/v1/evaluations/", 404),
        ("PUT", "/v1/evaluations", 405),
        ("BREW", "/healthz", 405),
        ("GET", "/v1/media", 405),
        ("GET", "/v1/evaluations/ev_%00", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
    ):
        answer = service.client.request(method, path)
        assert answer.status_code == status, (method, path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_paths_that_leave_the_roots(service: RunningService) -> None:
    root = service.home.parent / "root"
    secret = service.home.parent / "secret.mp4"
    secret.write_bytes(CLIP.read_bytes())
    (root / "link.mp4").symlink_to(secret)
    (root / "folder").symlink_to(service.home.parent)
    (root / "in.mp4").write_bytes(CLIP.read_bytes())
    tries = [
        "../secret.mp4", str(secret), "link.mp4", "folder/secret.mp4", "x/../../secret.mp4", "//server/share/a.mp4",
        "\\\\server\\share\\a.mp4", "file:///etc/passwd", "in.mp4\r\nX: y", "CON", "in.mp4\t", "~/secret.mp4", ".",
        "folder", "/proc/self/environ", "/dev/zero", str(service.home / "dqa.sqlite3"), "concat:in.mp4|in.mp4",
        "a" * 4000,
    ]  # fmt: skip
    for path in tries:
        answer = service.ask(path, "a wolf")
        assert answer.status_code in (403, 404, 415, 422), (path, answer.text)
        assert "secret" not in answer.json()["detail"], "an error tells nothing of what lies here"
    assert service.ask("in.mp4", "a wolf", wait=True).status_code == 200
    with_nul = service.client.post("/v1/evaluations", content=b'{"media":"in.mp4\\u0000","prompt":"a"}', headers=JSON)
    assert with_nul.status_code == 403


@given(st.binary(max_size=300))
def test_garbage_from_a_worker_is_never_a_message(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is one is the contract
        parse_upward(line)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event":"ready"}',
        b'{"event":"ready","peak_rss_bytes":-1}',
        b'{"event":"ready","peak_rss_bytes":"1"}',
        b'{"event":"ready","peak_rss_bytes":1,"more":1}',
        b'{"event":"ran","job":"x","seconds":NaN,"peak_rss_bytes":1}',
        b'{"event":"exec","code":"x"}',
        b'{"event":"load-failed","problem":{"x":"' + b"y" * MAX_LINE + b'"}}',
        b"[" * 100_000,
    ],
)
def test_malformed_messages_from_a_worker(line: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is one is the contract
        parse_upward(line)


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
)


@given(plain)
def test_sound_json_is_read_as_it_is(value: object) -> None:
    assert parse_json(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(data: bytes) -> None:
    try:
        parse_json(data)
    except MalformedJson:
        return
    json.loads(data)


@given(content=st.binary(max_size=2000), cut=st.integers(1, 64))
def test_a_file_comes_out_of_a_form_however_it_is_cut(content: bytes, cut: int) -> None:
    body = b'--b0und\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%b\r\n--b0und--\r\n' % content
    if b"\r\n--b0und" in content:
        return
    form = FilePart(b"b0und")
    found = b"".join(part for at in range(0, len(body), cut) for part in form.feed(body[at : at + cut]))
    assert (found, form.finish()) == (content, "a")


@given(st.binary(max_size=500))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    form = FilePart(b"b")
    with contextlib.suppress(InvalidRequest):
        form.feed(b"--b" + body)
        form.finish()
