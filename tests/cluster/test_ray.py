"""``dqa batch --engine ray`` on a real Ray: started for the run, or joined; nothing of it is left behind."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from dqa.config import Settings
from dqa.store import Store
from tests.cli.conftest import ROOT, Run, command, sentence
from tests.conftest import real_clips

pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_CLUSTER = """
import os, sys, time
os.environ.update(RAY_USAGE_STATS_ENABLED="0")
import ray, ray._private.ray_constants as constants
constants.ENABLE_RAY_CLUSTER = False
ray.init(address="local", num_cpus=2, include_dashboard=False, object_store_memory=100 * 2**20, log_to_driver=False,
         configure_logging=False, _temp_dir=sys.argv[1], _node_ip_address="127.0.0.1")
print(ray.get_runtime_context().gcs_address, flush=True)
time.sleep(500)
"""


def manifest(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "m.jsonl"
    path.write_text("".join(json.dumps({"prompt": "a red apple", **row}) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({line["request_id"] for line in lines}) == len(lines)
    return {line["request_id"]: line for line in lines}


def of_ray(*but: str) -> set[int]:
    """Processes of any Ray on this machine, but those with such a word in their command."""
    found: set[int] = set()
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        named = ("/ray/" in line or line.startswith("ray::")) and not any(word in line for word in but)
        if named and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.add(process.pid)
    return found


@contextmanager
def nothing_is_left() -> Iterator[None]:
    """Neither a process nor a folder of Ray's stays behind."""
    processes, folders = of_ray(), set(Path(tempfile.gettempdir()).glob("dqa-ray-*"))
    yield
    deadline = time.monotonic() + 30
    while of_ray() - processes and time.monotonic() < deadline:
        time.sleep(0.2)
    assert of_ray() - processes == set()
    assert set(Path(tempfile.gettempdir()).glob("dqa-ray-*")) - folders == set()


def listening(pids: set[int]) -> set[str]:
    """The addresses on which processes listen."""
    found: set[str] = set()
    for pid in pids:
        try:
            connections = psutil.Process(pid).net_connections("tcp")
        except psutil.NoSuchProcess:
            continue
        found |= {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
    return found


def test_a_batch_on_ray_gives_the_verdicts_of_one_here(shell: Run, home: Path, tmp_path: Path) -> None:
    clips = real_clips()[:2]
    path = manifest(tmp_path, *({"id": clip.id, "media": str(clip.path), "prompt": clip.prompt} for clip in clips))
    here, there = tmp_path / "here.jsonl", tmp_path / "there.jsonl"
    assert shell("batch", path, "--output", here, "--quiet").code == 0
    with nothing_is_left():
        done = shell("batch", path, "--output", there, "--engine", "ray", "--json")
    assert done.code == 0, done.err
    assert (done.json["graded"], done.json["failed"]) == (2, 0)
    expected, got = read(here), read(there)
    assert set(got) == set(expected)
    for name, record in got.items():
        for passing in ("id", "created", "timings_s", "memory"):
            assert record.pop(passing) != ""
            expected[name].pop(passing)
        assert record == expected[name]
    store = Store.open(Settings(home=home))
    assert len(store.list_records(10)) == 4, "kept in the store as others are"
    store.close()


def test_clips_that_break_or_kill_cost_themselves_alone(
    shell: Run, clip: Callable[[str], Path], tmp_path: Path
) -> None:
    names = ["a-0.7", "die", "crash", "b-0.5", "gone", "c-0.9"]
    for name in set(names) - {"gone"}:
        clip(f"{name}.mp4")
    path, out = manifest(tmp_path, *({"id": n, "media": f"{n}.mp4"} for n in names)), tmp_path / "o.jsonl"
    arguments = ("batch", path, "--output", out, "--engine", "ray", "--evaluators", "2", "--json")
    with nothing_is_left():
        done = shell(*arguments, scripted=True)
    assert done.code == 3, done.err
    assert (done.json["graded"], done.json["failed"]) == (3, 3)
    lines = read(out)
    assert {name: line["final"] for name, line in lines.items() if "final" in line} == {
        "a-0.7": 0.7, "b-0.5": 0.5, "c-0.9": 0.9,
    }  # fmt: skip
    errors = {name: line["error"] for name, line in lines.items() if "error" in line}
    assert {name: error["type"] for name, error in errors.items()} == {
        "die": "worker-died", "crash": "internal", "gone": "media-not-found",
    }  # fmt: skip
    assert "unexpected ZeroDivisionError in DQA itself" in errors["crash"]["detail"]
    assert "secret detail" not in out.read_text() + done.err
    before = out.read_bytes()
    again = shell(*arguments, scripted=True)
    assert (again.code, out.read_bytes()) == (3, before)
    assert again.json["seconds"] < 5, "with nothing to do, nothing is started"


def test_what_stops_a_run_stops_it_on_ray_and_an_interrupt_does(
    shell: Run, home: Path, clip: Callable[[str], Path], tmp_path: Path
) -> None:
    clip("nomodel.mp4")
    path, out = manifest(tmp_path, {"id": "n", "media": "nomodel.mp4"}), tmp_path / "o.jsonl"
    with nothing_is_left():
        done = shell("batch", path, "--output", out, "--engine", "ray", "--quiet", scripted=True)
    assert done.code == 4
    assert "the weights are gone; run make setup" in sentence(done)
    assert out.read_text() == ""

    clip("slow-0.5.mp4")
    path = manifest(tmp_path, {"id": "s", "media": "slow-0.5.mp4"})
    for end in (signal.SIGINT, signal.SIGKILL):
        (tmp_path / "underway").unlink(missing_ok=True)
        folders = set(Path(tempfile.gettempdir()).glob("dqa-ray-*"))
        before = of_ray()
        process = subprocess.Popen(
            command("batch", path, "--output", out, "--engine", "ray", scripted=True),
            cwd=ROOT,
            env={**os.environ, "DQA_TEST_SLOW_S": "400"},
            stderr=subprocess.DEVNULL,
            # A shell's background job ignores it, and whoever it starts does too.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - this test has one thread
        )
        deadline = time.monotonic() + 150
        while not (tmp_path / "underway").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert listening(of_ray() - before) <= {"127.0.0.1", "::ffff:127.0.0.1"}, "nobody else's business"
        process.send_signal(end)
        process.wait(60)
        deadline = time.monotonic() + 60
        # Two agents of Ray's, which hold nothing, take a minute to notice that the rest has been killed.
        helpers = ("Agent",) if end is signal.SIGKILL else ()
        while of_ray(*helpers) - before and time.monotonic() < deadline:
            time.sleep(0.2)
        assert of_ray(*helpers) - before == set(), end
        if end is signal.SIGINT:
            assert set(Path(tempfile.gettempdir()).glob("dqa-ray-*")) == folders


@contextmanager
def cluster(folder: Path, **auth: str) -> Iterator[str]:
    """A Ray cluster as an operator runs it; its address."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with (
        tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short,
        (folder / "ray.err").open("w") as errors,
    ):
        process = subprocess.Popen(
            [sys.executable, "-c", _CLUSTER, short],
            cwd=ROOT,
            env={**env, **auth},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            assert address, (folder / "ray.err").read_text()
            yield address
        finally:
            process.kill()
            process.communicate()


def test_a_cluster_is_joined_only_if_it_asks_for_a_token(
    shell: Run, clip: Callable[[str], Path], tmp_path: Path
) -> None:
    clip("a-0.7.mp4")
    path = manifest(tmp_path, {"id": "a", "media": "a-0.7.mp4"})
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}

    def batch(out: str, address: str, **env: str) -> Any:
        arguments = ("batch", path, "--output", tmp_path / out, "--engine", "ray", "--evaluators", "1", "--quiet")
        return shell(*arguments, scripted=True, DQA_RAY_ADDRESS=address, **env)

    with cluster(tmp_path, **token) as address:
        assert batch("o1", address, **token).code == 0
        assert read(tmp_path / "o1")["a"]["final"] == 0.7
        without = batch("o2", address)
        assert without.code == 2
        assert "set RAY_AUTH_MODE=token" in sentence(without)
    with cluster(tmp_path, RAY_AUTH_MODE="disabled") as address:
        done = batch("o3", address, **token)
        assert done.code == 2
        assert "this Ray cluster takes anyone" in sentence(done)
        assert (tmp_path / "o3").read_text() == ""
