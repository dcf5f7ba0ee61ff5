"""A server that sends the bytes it is told to, when it is told to, and reads nothing but requests."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import Any


class PlainServer:
    """Answers every request with the next of ``answers``, the last of them for ever.

    Args:
        answers: each the whole answer's bytes, or pieces of it.
        pause_s: between pieces.
    """

    def __init__(self, answers: Iterable[bytes | list[bytes]], pause_s: float = 0.0) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answers = list(answers)
        self._pause_s = pause_s
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"

    def run(self) -> None:
        for number in itertools.count():
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            answer = self._answers[min(number, len(self._answers) - 1)]
            threading.Thread(target=self._serve, args=(caller, answer), daemon=True).start()

    def end(self) -> None:
        self._ended.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self, caller: socket.socket, answer: bytes | list[bytes]) -> None:
        with caller, contextlib.suppress(OSError):
            self.requests.append(_request(caller))
            for piece in [answer] if isinstance(answer, bytes) else answer:
                caller.sendall(piece)
                if self._pause_s and self._ended.wait(self._pause_s):
                    return


def _request(caller: socket.socket) -> dict[str, Any]:
    head, _, body = b"", b"", b""
    while b"\r\n\r\n" not in head:
        head += caller.recv(65536)
    head, _, body = head.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    while len(body) < length:
        body += caller.recv(65536)
    found: dict[str, Any] = json.loads(body or b"{}")
    return found


def answered(body: bytes, status: str = "200 OK") -> bytes:
    """One HTTP answer; the line is closed after it."""
    return b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


@contextlib.contextmanager
def plain(answers: Iterable[bytes | list[bytes]], pause_s: float = 0.0) -> Iterator[PlainServer]:
    """Runs one."""
    server = PlainServer(answers, pause_s)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join(timeout=10)
