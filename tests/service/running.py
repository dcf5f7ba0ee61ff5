"""A service that really runs, in a process of its own on a free port, for tests to talk to and to kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

ROOT = Path(__file__).parents[2]
CLIP = ROOT / "tests/data/clips/wan21_04_base.mp4"


class RunningService:
    """Start, talk, kill, start again on the same state folder."""

    def __init__(self, home: Path, module: str = "tests.service.scripted", **settings: object) -> None:
        self.home = home
        self._module = module
        self._settings = settings
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in stop
        self.client = httpx.Client()

    def start(self, ready: bool = True) -> Self:
        variables = {f"DQA_{name.upper()}": str(value) for name, value in self._settings.items()}
        environment = {**os.environ, "DQA_PORT": "0", **variables, "DQA_HOME": str(self.home)}
        command = [sys.executable, "-m", *self._module.split()]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log()
        self.url: str = json.loads(line)["url"]
        token = self._settings.get("token")
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.client.close()
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=60)
        if ready:
            wait_until(lambda: self.client.get("/readyz").status_code == 200, 90)
        return self

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def workers(self) -> list[psutil.Process]:
        """The worker processes that live now."""
        return [p for p in psutil.Process(self.process.pid).children() if "dqa.service.worker" in " ".join(p.cmdline())]

    def kill(self) -> None:
        self.process.kill()
        self._reap()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self) -> int:
        code = self.process.wait(120)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def stop(self) -> None:
        if self.process.poll() is None:
            self.terminate()
        self.client.close()
        self._log.close()

    def upload(self, path: Path = CLIP) -> str:
        with path.open("rb") as file:
            answer = self.client.post("/v1/media", files={"file": file})
        assert answer.status_code in (200, 201), answer.text
        return answer.json()["media_id"]

    def ask(self, media: str, prompt: str, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        body = {"media": media, "prompt": prompt, **more}
        return self.client.post("/v1/evaluations", json=body, headers=headers)

    def get(self, evaluation: str) -> dict[str, Any]:
        return self.client.get(f"/v1/evaluations/{evaluation}").json()

    def state(self, evaluation: str) -> str:
        return self.get(evaluation).get("status", "done")

    def ended(self, evaluation: str, seconds: float = 60) -> dict[str, Any]:
        wait_until(lambda: self.state(evaluation) not in ("queued", "running"), seconds)
        return self.get(evaluation)

    def events(self, evaluation: str, last_seen: int | None = None) -> list[tuple[int, str, dict[str, Any]]]:
        headers = {} if last_seen is None else {"Last-Event-ID": str(last_seen)}
        with self.client.stream("GET", f"/v1/evaluations/{evaluation}/events", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            text = "".join(answer.iter_text())
        blocks = [
            dict(line.split(": ", 1) for line in block.split("\n")) for block in text.split("\n\n") if block[:2] == "id"
        ]
        return [(int(b["id"]), b["event"], json.loads(b["data"])) for b in blocks]


@contextmanager
def running(
    home: Path, ready: bool = True, module: str = "tests.service.scripted", **settings: object
) -> Iterator[RunningService]:
    service = RunningService(home, module, **settings)
    try:
        yield service.start(ready)
    finally:
        service.stop()


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not within {seconds} seconds"
        time.sleep(0.05)
