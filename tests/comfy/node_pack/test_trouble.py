"""Services that are slow, busy, gone or somebody else's; and where the settings come from."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.comfy.node_pack.hosting import Host, Interrupted, run
from tests.comfy.node_pack.test_nodes import frames

Answer = tuple[int, dict[str, str], bytes]
Script = Callable[[str, str, int], Answer | None]
"""Method, path and how many requests of that kind came before -> what to answer; None hangs up."""


class Stub:
    """A service of a few lines; remembers what it was asked."""

    def __init__(self, script: Script) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                before = sum(one[:2] == (self.command, self.path) for one in stub.asked)
                stub.asked.append((self.command, self.path, dict(self.headers)))
                said = script(self.command, self.path, before)
                if said is None:
                    self.close_connection = True
                    return
                status, headers, body = said
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def stub(script: Script, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    made = Stub(script)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("DQA_URL", made.url)
    monkeypatch.setenv("DQA_TOKEN", "our-token")
    try:
        yield made
    finally:
        made.server.shutdown()
        made.server.server_close()
        thread.join()


def _json(status: int, body: dict[str, Any], **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


RECORD = {"id": "ev_1", "final": None, "grade": None, "action": "review", "reasoning": "Nothing could be judged."}


def plain(method: str, path: str, before: int) -> Answer | None:
    """As the service, for one evaluation that ends without a score."""
    if path == "/v1/media":
        return _json(201, {"media_id": "md_1"})
    if method == "POST":
        return _json(202, {"id": "ev_1", "status": "queued"})
    return _json(200, RECORD if before else {"id": "ev_1", "status": "running"})


def grade(pack: Any) -> dict[str, Any]:
    return run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(1))


def test_no_score_is_not_a_number_and_no_grade(host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with stub(plain, monkeypatch):
        got = grade(pack)
    assert got["score"] != got["score"]
    assert (got["grade"], got["accept"], got["action"]) == ("none", False, "review")
    assert json.loads(got["report_json"])["final"] is None


def test_a_busy_service_is_asked_again_under_the_same_key(
    host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(method: str, path: str, before: int) -> Answer | None:
        if path == "/v1/evaluations" and before == 0:
            return _json(429, {"detail": "64 evaluations wait already; try again later."}, **{"Retry-After": "0"})
        if path == "/v1/evaluations" and before == 1:
            return None  # it was taken, and the answer lost
        return plain(method, path, before)

    with stub(busy, monkeypatch) as service:
        assert grade(pack)["action"] == "review"
        keys = [headers["Idempotency-Key"] for _, path, headers in service.asked if path == "/v1/evaluations"]
    assert len(keys) == 3
    assert len(set(keys)) == 1


def test_a_service_that_is_away_for_a_moment_is_waited_for(
    host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(method: str, path: str, before: int) -> Answer | None:
        return None if path == "/v1/evaluations/ev_1" and before == 1 else plain(method, path, min(before, 1))

    with stub(away, monkeypatch):
        assert grade(pack)["action"] == "review"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), "no DQA service at"),
        ((200, {"Content-Type": "text/html"}, b"<h1>It works!</h1>"), "no DQA service at"),
        ((200, {}, b"[]"), "no DQA service at"),
        ((500, {}, b"oops"), "no DQA service at"),
        (_json(413, {"detail": "the body is over 1 MB; send less."}), "the body is over 1 MB; send less."),
        (None, "does not answer"),
    ],
)
def test_what_is_no_service_of_ours_is_told_apart(
    host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch, answer: Answer | None, said: str
) -> None:
    with stub(lambda *_: answer, monkeypatch) as service:
        with pytest.raises(RuntimeError, match=said) as caught:
            grade(pack)
        assert "our-token" not in str(caught.value)
        assert len(service.asked) == 1, "no redirect is followed: the token goes nowhere else"


def test_an_interrupt_ends_even_a_request_that_nobody_answers(
    host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        monkeypatch.setenv("DQA_URL", f"http://127.0.0.1:{deaf.getsockname()[1]}")

        def stop() -> None:
            connection, _ = deaf.accept()
            connection.recv(1024)
            host.interrupted = True
            release.wait(60)
            connection.close()

        release = threading.Event()
        thread = threading.Thread(target=stop, daemon=True)
        thread.start()
        with pytest.raises(Interrupted):
            grade(pack)
        release.set()
        thread.join()


def test_an_interrupt_ends_the_encoding_of_frames(connected: Host, pack: Any) -> None:
    connected.interrupted = True
    with pytest.raises(Interrupted):
        run(pack, "DQAEvaluateVideo", prompt="a wolf", images=frames(4))


def settings_of(pack: Any) -> Any:
    import sys

    return sys.modules[f"{pack.__name__}.settings"]


def test_the_settings_file_counts_where_the_environment_says_nothing(
    host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(pack)
    assert settings.connection() == settings.Connection("http://127.0.0.1:8765")
    (host.user / "dqa.json").write_text(json.dumps({"url": "https://dqa.example/base/", "token": "from-file"}))
    found = settings.connection()
    assert (found.url, found.token) == ("https://dqa.example/base", "from-file")
    assert "from-file" not in repr(found)
    monkeypatch.setenv("DQA_TOKEN", "from-environment")
    assert settings.connection().token == "from-environment"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DQA_URL", "ftp://x"),
        ("DQA_URL", "http://user:secret@x"),
        ("DQA_URL", "http://x:notaport"),
        ("DQA_URL", "8765"),
        ("DQA_TOKEN", "secret with spaces"),
        ("DQA_TOKEN", "secret\r\nX-Other: 1"),
        ("DQA_TIMEOUT_S", "secret"),
    ],
)
def test_a_malformed_setting_is_named_and_not_quoted(
    host: Host, pack: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(RuntimeError, match=name) as caught:
        settings_of(pack).connection()
    assert "secret" not in str(caught.value)


def test_a_settings_file_of_something_else_is_refused(host: Host, pack: Any) -> None:
    for text in ("{", "[]", '{"tokn": "x"}'):
        (host.user / "dqa.json").write_text(text)
        with pytest.raises(RuntimeError, match="user folder can't be used"):
            settings_of(pack).connection()


def test_a_file_that_is_overwritten_is_judged_again(host: Host, pack: Any) -> None:
    changed = pack.NODE_CLASS_MAPPINGS["DQAEvaluateVideo"].IS_CHANGED
    assert changed(prompt="x") == changed(prompt="y", file="none.mp4") == ""
    clip = host.output / "clip.mp4"
    clip.write_bytes(b"one")
    first = changed(file="clip.mp4")
    assert first == changed(file="clip.mp4")
    clip.write_bytes(b"another")
    assert changed(file="clip.mp4") != first
