"""Asking the DQA service: standard library only, one sentence for whatever goes wrong, and stopped at any moment."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

from .errors import DQAProblem
from .settings import Connection

_CONNECT_S = 10.0
_ANSWER_S = 60.0
_LOST_S = 30.0
"""How long a service that stopped answering may take to come back while it works for us."""
_TICK_S = 0.1
_POLL_S = 0.3
_MOST_BYTES = 64 * 2**20


class _Lost(DQAProblem):
    """The service could not be reached, or hung up."""


class Service:
    """One service, asked from the thread that runs the node.

    Args:
        connection: where it is.
        tick: called ten times a second while we wait; raises when the user wants to stop.
        progress: told the share done, in [0, 1].
    """

    def __init__(
        self, connection: Connection, tick: Callable[[], None], progress: Callable[[float], None] = lambda _: None
    ) -> None:
        self._connection = connection
        self._tick = tick
        self._progress = progress

    def upload(self, body: BinaryIO, size: int) -> str:
        """Sends a file; returns its media id."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        answer = self._ask("POST", "/v1/media", body, headers)
        return str(answer["media_id"])

    def get(self, path: str) -> dict[str, Any]:
        """A document; raises :class:`DQAProblem`."""
        return self._ask("GET", path)

    def job(self, route: str, body: dict[str, Any]) -> dict[str, Any]:
        """Asks for work, waits for it, and returns its document; cancels it when the user stops.

        Raises:
            DQAProblem: refused, failed, or not done in time.
        """
        until = time.monotonic() + self._connection.timeout_s
        asked = self._submit(route, body, until)
        if "status" not in asked:
            return asked
        where = f"{'/'.join(route.split('/')[:3])}/{quote(str(asked['id']), safe='')}"
        watching = threading.Event()
        shares: queue.Queue[float] = queue.Queue()
        if route == "/v1/evaluations":
            threading.Thread(target=self._watch, args=(f"{where}/events", shares, watching), daemon=True).start()
        try:
            return self._wait(where, shares, until)
        except BaseException:  # interrupted, late or broken: nobody will read the result
            self._cancel(where)
            raise
        finally:
            watching.set()

    def _submit(self, route: str, body: dict[str, Any], until: float) -> dict[str, Any]:
        """The job as it was taken; sent again under the same key while the service is busy or its answer is lost."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        sent = json.dumps(body).encode()
        tries = 3
        while True:
            try:
                return self._ask("POST", route, sent, headers)
            except _Lost:
                tries -= 1
                if not tries:
                    raise
                self._pause(0.5)
            except _Later as later:
                if time.monotonic() + later.seconds > until:
                    raise DQAProblem(f"DQA has too much to do ({later}); try again later.") from None
                self._pause(later.seconds)

    def _wait(self, where: str, shares: queue.Queue[float], until: float) -> dict[str, Any]:
        heard = time.monotonic()
        while time.monotonic() < until:
            try:
                found = self._ask("GET", where)
                heard = time.monotonic()
            except _Lost:
                if time.monotonic() - heard > _LOST_S:
                    raise
                found = {"status": "queued"}
            status = found.get("status")
            if status is None:
                self._progress(1.0)
                return found
            if status in ("failed", "cancelled"):
                raise DQAProblem(_detail(found.get("error")) or "DQA cancelled the work; run it again if you need it.")
            with contextlib.suppress(queue.Empty):
                while True:
                    self._progress(shares.get_nowait())
            self._pause(_POLL_S)
        limit = f"{self._connection.timeout_s:g}"
        raise DQAProblem(f"DQA was not done in {limit} seconds; give it a shorter clip, or raise DQA_TIMEOUT_S.")

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._tick()
            time.sleep(min(_TICK_S, left))

    def _cancel(self, where: str) -> None:
        line = self._line(2.0)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(line):
            line.request("DELETE", self._path(where), headers=self._headers({}))
            line.getresponse().read(1024)

    def _ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """One request, in a thread of its own so that the user can stop while it is under way."""
        line = self._line(_CONNECT_S)
        done: queue.Queue[tuple[int, bytes, str] | Exception] = queue.Queue()

        def work() -> None:
            try:
                done.put(self._talk(line, method, path, body, headers or {}))
            except (OSError, http.client.HTTPException) as error:
                done.put(error)

        with contextlib.closing(line):
            threading.Thread(target=work, daemon=True).start()
            while True:
                self._tick()
                with contextlib.suppress(queue.Empty):
                    return self._answer(done.get(timeout=_TICK_S))

    def _talk(
        self, line: http.client.HTTPConnection, method: str, path: str, body: Any, headers: dict[str, str]
    ) -> tuple[int, bytes, str]:
        line.connect()
        if line.sock is not None:
            line.sock.settimeout(_ANSWER_S)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused early: the answer says why
            line.request(method, self._path(path), body=body, headers=self._headers(headers))
        answer = line.getresponse()
        return answer.status, answer.read(_MOST_BYTES + 1), answer.headers.get("Retry-After", "")

    def _answer(self, got: tuple[int, bytes, str] | Exception) -> dict[str, Any]:
        if isinstance(got, Exception):
            raise _Lost(f"the DQA service does not answer at {self._connection.url}; start it, or set DQA_URL.")
        status, data, retry_after = got
        found = _document(data)
        if status == 401:
            raise DQAProblem("the DQA service refuses the token; set DQA_TOKEN to the service's token.")
        if status == 429:
            seconds = float(retry_after) if retry_after.isdecimal() else 5.0
            raise _Later(_detail(found) or "its queue is full", min(seconds, 60.0))
        if found is None or not 200 <= status < 300:
            said = _detail(found) if status >= 400 else ""
            raise DQAProblem(said or f"there is no DQA service at {self._connection.url}; set DQA_URL to its address.")
        return found

    def _watch(self, path: str, shares: queue.Queue[float], stop: threading.Event) -> None:
        """Hears how far a job is. What goes wrong here costs the bar, not the verdict."""
        line = self._line(_ANSWER_S)
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError), contextlib.closing(line):
            line.request("GET", self._path(path), headers=self._headers({"Accept": "text/event-stream"}))
            for share in _shares(line.getresponse()):
                if stop.is_set():
                    return
                shares.put(share)

    def _line(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection that follows no redirect and uses no proxy: the token goes to that address only."""
        parts = urlsplit(self._connection.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=timeout_s)

    def _path(self, path: str) -> str:
        return urlsplit(self._connection.url).path + path

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        token = self._connection.token
        return {**more, **({"Authorization": f"Bearer {token}"} if token else {})}


class _Later(DQAProblem):
    """Too much to do now; ask again in so many seconds."""

    def __init__(self, said: str, seconds: float) -> None:
        super().__init__(said.rstrip("."))
        self.seconds = seconds


def _shares(stream: http.client.HTTPResponse) -> Iterator[float]:
    """The shares done, from a stream of server-sent events."""
    if stream.status != 200:
        return
    while raw := stream.readline(65_536):
        text = raw.decode("utf-8", "replace")
        if text.startswith("data: "):
            share = json.loads(text[6:]).get("fraction")
            if isinstance(share, (int, float)):
                yield float(share)


def _document(data: bytes) -> dict[str, Any] | None:
    """A JSON object, or None for anything else."""
    try:
        found = json.loads(data) if len(data) <= _MOST_BYTES else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _detail(problem: object) -> str:
    """A problem's own sentence."""
    said = problem.get("detail") if isinstance(problem, dict) else None
    return " ".join(said.split()) if isinstance(said, str) else ""
