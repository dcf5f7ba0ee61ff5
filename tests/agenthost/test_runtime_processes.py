"""Starting, knowing again and ending processes; locks; the watcher that starts again what ends."""

from __future__ import annotations

import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from dqa.agenthost.runtime import processes, supervisor
from dqa.agenthost.runtime.locks import FileLock, held, is_held
from dqa.agenthost.runtime.plan import Plan
from dqa.agenthost.runtime.processes import MARKER_VARIABLE, ProcessId, find, identify
from dqa.agenthost.runtime.services import Service
from dqa.agenthost.runtime.state import State, read_state
from dqa.agenthost.runtime.supervisor import Board, Watcher, trim, trim_all
from dqa.errors import UnavailableError

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"
PARENT = "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); p.wait()"


def wait_for(condition: object, patience_s: float = 90.0) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.05)


def begin(code: str, log: Path, marker: str = "test-marker", stdin: bytes | None = None) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"], MARKER_VARIABLE: marker}
    return processes.start([sys.executable, "-c", code], environment=environment, log=log, stdin=stdin)


def known(process: subprocess.Popen[bytes]) -> ProcessId:
    found = identify(process.pid)
    assert found is not None
    return found


def test_a_process_gets_its_stdin_and_writes_its_log_for_the_owner_only(tmp_path: Path) -> None:
    process = begin("import sys; print(sys.stdin.read().upper())", tmp_path / "log", stdin=b"secret")
    assert process.wait(60) == 0
    assert (tmp_path / "log").read_text() == "SECRET\n"
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_number_used_again_is_not_taken_for_ours(tmp_path: Path) -> None:
    stranger = begin("import time; time.sleep(60)", tmp_path / "log")
    try:
        earlier = ProcessId(pid=stranger.pid, started=known(stranger).started - 100)
        assert find(earlier) is None
        processes.stop(earlier)
        assert stranger.poll() is None, "a stranger was ended"
    finally:
        stranger.kill()
        stranger.wait()


def test_stop_ends_what_ignores_the_signal_and_its_children(tmp_path: Path) -> None:
    process = begin(PARENT.format(child=STUBBORN), tmp_path / "log")
    wait_for(lambda: "on" in (tmp_path / "log").read_text())
    family = processes.with_children([psutil.Process(process.pid)])
    assert len(family) == 2
    processes.stop(known(process), patience_s=1.0)
    process.wait()
    assert processes.gone_by(time.monotonic() + 60, family) == []


def test_what_carries_the_marker_is_found_and_nothing_else(tmp_path: Path) -> None:
    ours = begin("import time; time.sleep(60)", tmp_path / "a", marker="marker-a")
    other = begin("import time; time.sleep(60)", tmp_path / "b", marker="marker-b")
    try:
        wait_for(lambda: {p.pid for p in processes.marked("marker-a")} == {ours.pid})
        assert processes.kill(processes.marked("marker-a")) == []
        assert ours.wait(60) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_zombie_counts_as_ended(tmp_path: Path) -> None:
    process = begin("pass", tmp_path / "log")
    identity = known(process)
    wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
    assert find(identity) is None
    process.wait()


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from dqa.agenthost.runtime.locks import FileLock;"
        "l = FileLock(Path(sys.argv[1])); assert l.try_acquire(); print('held', flush=True); time.sleep(60)"
    )
    assert not is_held(path)
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_held(path)
        waited: list[str] = []
        with (
            pytest.raises(UnavailableError, match="another dqa command"),
            held(path, waiting=lambda: waited.append("x"), patience_s=0.3),
        ):
            pytest.fail("two held it")
        assert waited == ["x"]
        holder.kill()
    assert not is_held(path)
    lock = FileLock(path)
    assert lock.try_acquire()
    lock.release()


def test_a_log_over_its_limit_is_moved_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"a" * 100)
        trim(log, limit=1000)
        assert log.stat().st_size == 100
        trim(log, limit=99)
        writer.write(b"after")
    assert log.read_bytes() == b"after"
    assert (tmp_path / "x.log.1").read_bytes() == b"a" * 100


def test_a_log_that_can_t_be_trimmed_keeps_none_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to("gone")
    (tmp_path / "b.log").write_bytes(b"b" * 100)
    (tmp_path / "b.log.1").mkdir()  # nothing can be moved there
    (tmp_path / "c.log").write_bytes(b"c" * 100)
    trim_all(tmp_path, limit=99)
    assert (tmp_path / "b.log").read_bytes() == b"b" * 100
    assert (tmp_path / "c.log.1").read_bytes() == b"c" * 100


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    for name in ("run", "logs"):
        (tmp_path / name).mkdir()
    state = State(supervisor=known_self(), service_url="http://x", letta_url="http://y", external=True)
    return Plan(
        home=tmp_path,
        letta_folder=tmp_path / "letta",
        environment=tmp_path / "env",
        identity=None,
        worker={},
        worker_url="http://x",
        letta=None,
        patience_s=3.0,
        state=state,
    )


def known_self() -> ProcessId:
    found = identify(os.getpid())
    assert found is not None
    return found


class Watched:
    """A watcher of one service in a thread, stopped at the end of the block."""

    def __init__(self, plan: Plan, service: Service) -> None:
        self._plan = plan
        self._name = service.name
        self._stopping = threading.Event()
        self.board = Board(plan, [service.name])
        self.watcher = Watcher(service, self.board, self._stopping, plan)
        self._thread = threading.Thread(target=self.watcher.run)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(10)
        self.watcher.end()

    @property
    def phase(self) -> str:
        state = read_state(self._plan.layout.state_file)
        return state.processes[self._name].phase if state else ""

    @property
    def detail(self) -> str:
        state = read_state(self._plan.layout.state_file)
        return state.processes[self._name].detail if state else ""

    @property
    def process(self) -> ProcessId | None:
        state = read_state(self._plan.layout.state_file)
        return state.processes[self._name].process if state else None


def test_what_is_killed_is_started_again(plan: Plan) -> None:
    service = Service("sleeper", lambda: begin("import time; time.sleep(60)", plan.layout.log("s")), lambda: True)
    with Watched(plan, service) as watched:
        wait_for(lambda: watched.phase == "healthy")
        first = watched.process
        assert first is not None
        os.kill(first.pid, signal.SIGKILL)
        wait_for(lambda: watched.phase == "restarting")
        assert watched.detail == "ended by itself (signal 9)"
        wait_for(lambda: watched.phase == "healthy")
        second = watched.process
        assert second is not None
        assert second != first
    assert find(second) is None
    assert watched.phase == "stopped"


def test_on_a_full_disk_what_ends_is_started_again(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        began.append(begin("import time; time.sleep(60)", plan.layout.log("s")))
        return began[-1]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with Watched(plan, Service("sleeper", start, lambda: True)) as watched:
        wait_for(lambda: watched.phase == "healthy")
        with monkeypatch.context() as patch:
            patch.setattr(supervisor, "write_state", full)
            began[0].kill()
            wait_for(lambda: len(began) == 2)
            wait_for(lambda: watched.board.healthy(("sleeper",)))
        watched.board.write_down()  # as the supervisor does every few seconds
        assert watched.process is not None
        assert watched.process.pid == began[1].pid


def test_what_never_gets_ready_is_ended_and_tried_again(plan: Plan) -> None:
    service = Service("mute", lambda: begin("import time; time.sleep(60)", plan.layout.log("m")), lambda: False)
    with Watched(plan, service) as watched:
        wait_for(lambda: watched.process is not None)
        first = watched.process
        assert first is not None
        wait_for(lambda: watched.phase == "restarting")
        assert watched.detail == "was not ready after 3 s"
        assert find(first) is None


def test_a_failed_preparation_is_told_and_tried_again(plan: Plan) -> None:
    tries: list[int] = []

    def start() -> subprocess.Popen[bytes]:
        tries.append(1)
        if len(tries) == 1:
            raise UnavailableError("the disk is full", fix="make room")
        return begin("import time; time.sleep(60)", plan.layout.log("p"))

    with Watched(plan, Service("picky", start, lambda: True)) as watched:
        wait_for(lambda: watched.phase == "restarting")
        assert watched.detail == "the disk is full; make room."
        wait_for(lambda: watched.phase == "healthy")


def test_the_backoff_grows(plan: Plan) -> None:
    began: list[float] = []

    def start() -> subprocess.Popen[bytes]:
        began.append(time.monotonic())
        return begin("pass", plan.layout.log("b"))

    with Watched(plan, Service("brief", start, lambda: False)):
        wait_for(lambda: len(began) == 3)
    assert began[1] - began[0] >= 1.0
    assert began[2] - began[1] >= 2.0


def test_http_health_needs_a_success(tmp_path: Path) -> None:
    from dqa.agenthost.runtime.health import answers, free_port, port_is_free

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.headers.get("Authorization") == "Bearer right" else 401)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        assert answers(url, "right")
        assert not answers(url, "wrong")
        assert not port_is_free(server.server_port)
        server.shutdown()
    assert not answers(f"http://127.0.0.1:{free_port()}/")
    assert not answers("not an address")
