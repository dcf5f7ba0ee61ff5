"""A node gives the verdict that the command gives for the same file, models and all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.comfy.node_pack.hosting import Host, run
from tests.conftest import real_clips
from tests.service.running import ROOT, running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CLIP = real_clips()[0]


def verdict(record: dict[str, Any]) -> dict[str, Any]:
    """A record without what may differ between two runs, or names where the file lies."""
    record["reproduce"].pop("media")
    return {key: value for key, value in record.items() if key not in ("id", "created", "timings_s")}


def test_the_node_gives_the_verdict_of_the_command(
    host: Host, pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(CLIP.path, host.output / "clip_00001_.mp4")
    with running(tmp_path / "home", module="dqa serve") as service:
        monkeypatch.setenv("DQA_URL", service.url)
        got = run(pack, "DQAEvaluateVideo", prompt=CLIP.prompt, file="clip_00001_.mp4")
    home = ["--home", str(tmp_path / "other"), "--quiet"]
    command = [sys.executable, "-m", "dqa", "evaluate", str(CLIP.path), "--prompt", CLIP.prompt, "--json", *home]
    environ = {"PATH": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    assert verdict(json.loads(got["report_json"])) == verdict(json.loads(done.stdout))
    assert got["score"] == json.loads(done.stdout)["final"]
    assert host.shown[-1] == 100
