"""Starting: where it listens, what it refuses, and what its process holds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dqa.config import Settings
from dqa.errors import ConfigError, UnavailableError
from dqa.service.server import listen, serve
from tests.service.running import ROOT, RunningService


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_off_loopback_without_a_token_it_refuses(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="DQA_TOKEN") as caught:
        serve(Settings(home=tmp_path, host=host))
    assert caught.value.exit_code == 2


def test_a_taken_port_is_a_clear_error() -> None:
    with listen("127.0.0.1", 0) as first:
        first.listen()
        with pytest.raises(UnavailableError, match="address already in use") as caught:
            listen("127.0.0.1", first.getsockname()[1])
        assert caught.value.exit_code == 4
    with pytest.raises(UnavailableError, match="can't listen"):
        listen("no.such.host.invalid", 0)


def test_a_store_that_cannot_be_opened_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "dqa.sqlite3").write_bytes(b"not a database" * 100)
    with pytest.raises(UnavailableError, match="not a database"):
        serve(Settings(home=tmp_path, port=0))


def test_stdout_holds_one_line_and_stderr_only_json(service: RunningService) -> None:
    import json

    assert service.url.startswith("http://127.0.0.1:")
    printed = "loading weights: 100%"  # by a careless library, on the prompt "print" of another test
    for line in service.log().splitlines():
        if line == printed:
            continue
        assert isinstance(json.loads(line), dict)


def test_it_listens_on_ipv6(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    service = RunningService(tmp_path, host="::1")
    try:
        service.start(ready=False)
    except AssertionError:
        pytest.skip("no IPv6 loopback here")
    try:
        assert service.url.startswith("http://[::1]:")
        assert service.client.get("/healthz").status_code == 200
        assert service.client.get("/v1/evaluations").status_code == 200
    finally:
        service.stop()


def test_the_service_process_loads_no_model_code() -> None:
    code = (
        "import sys; from dqa.service.server import serve; from dqa.service.app import create_app;"
        "from dqa.config import Settings; create_app(Settings(home='x'));"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == "[]", done.stderr
