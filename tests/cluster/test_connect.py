"""Where Ray keeps its files while it runs for us."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dqa.cluster.connect import _answering, _short, _sweep, connected
from dqa.errors import UnavailableError, UsageError


def test_folders_of_runs_that_were_killed_are_swept_and_no_others(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    names = [f"dqa-ray-{gone.pid}-x1", f"dqa-ray-{os.getpid()}-x2", "dqa-ray-notes-x3", "other"]
    for name in names:
        (tmp_path / name / "session").mkdir(parents=True)
    _sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[1:])


def test_a_long_temporary_folder_is_not_used_for_sockets() -> None:
    assert _short("/var/tmp") == Path("/var/tmp")
    assert _short("/a" * 30) == Path("/tmp")


@pytest.mark.parametrize("address", ["nowhere", "host:", ":1", "127.0.0.1:port"])
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    with pytest.raises(UsageError, match="no address of a Ray cluster"):
        _answering(address)


def test_where_nobody_listens_nothing_is_waited_for() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        with pytest.raises(UnavailableError, match="no Ray cluster to join"):
            _answering(f"127.0.0.1:{taken.getsockname()[1]}")


def test_rays_settings_and_its_token_do_not_outlive_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    before = dict(os.environ)
    with pytest.raises(UnavailableError, match="ray is not installed"), connected(None):
        pass
    assert dict(os.environ) == before
