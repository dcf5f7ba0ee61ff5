"""The deployment as it is: a real Letta server on a real PostgreSQL, killed and restarted."""

from __future__ import annotations

import ipaddress
import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import dqa
from dqa.agenthost import local, runtime
from dqa.agenthost.manifest import load_manifest
from dqa.agenthost.runtime import processes
from dqa.agenthost.runtime.health import answers, free_port
from dqa.agenthost.runtime.layout import existing_layout
from dqa.agenthost.runtime.state import State, read_state
from dqa.cli.checks.agents import agents_side
from tests.agenthost.conftest import Stack
from tests.agenthost.scripted import EMBEDDING, HANDLE, ScriptedBrain

pytestmark = [pytest.mark.letta, pytest.mark.slow, pytest.mark.timeout(1800)]

LOOK_AROUND = '''
def look_around() -> str:
    """Tells what a tool can see.

    Returns:
        str: JSON.
    """
    import json, os
    parent = {}
    for name in ("environ", "mem"):
        try:
            with open(f"/proc/{os.getppid()}/{name}", "rb") as stream:
                parent[name] = len(stream.read(1))
        except OSError as error:
            parent[name] = type(error).__name__
    with open("/proc/self/environ", "rb") as stream:
        born_with = [pair.partition("=")[0] for pair in stream.read().decode().split(chr(0)) if pair]
    names = sorted({*os.environ, *born_with})
    return json.dumps({"names": names, "parent": parent, "uid": os.getuid(), "token": os.environ.get("DQA_TOKEN")})
'''


def state_of(stack: Stack) -> State:
    state = read_state(existing_layout(stack.settings.home).state_file)
    assert state is not None
    return state


def pid_of(stack: Stack, name: str) -> int:
    process = state_of(stack).processes[name].process
    assert process is not None
    return process.pid


def heals(stack: Stack, name: str, patience_s: float = 240.0) -> None:
    """Kills the process ``name`` and waits until another is healthy in its place."""
    before = pid_of(stack, name)
    os.kill(before, signal.SIGKILL)
    deadline = time.monotonic() + patience_s
    while True:
        entry = state_of(stack).processes[name]
        if entry.phase == "healthy" and entry.process and entry.process.pid != before:
            return
        assert time.monotonic() < deadline, f"{name} did not come back: {entry}"
        time.sleep(0.2)


@pytest.fixture
def looker(stack: Stack, scripted: ScriptedBrain) -> Iterator[str]:
    """The id of an agent with one tool that looks around; the brain calls it once a turn."""
    with stack.letta() as letta:
        tool = letta.put("/tools/", json={"source_code": LOOK_AROUND}).raise_for_status().json()
        agent: dict[str, Any] = {
            "name": "looker",
            "agent_type": "letta_v1_agent",
            "model": HANDLE,
            "embedding": EMBEDDING,
            "include_base_tools": False,
            "tool_ids": [tool["id"]],
            "tool_rules": [{"type": "exit_loop", "tool_name": "look_around"}],
            "tool_exec_environment_variables": {"DQA_TOKEN": "the agent's own"},
        }
        made = letta.post("/agents/", json=agent).raise_for_status().json()
        yield made["id"]
        letta.delete(f"/agents/{made['id']}")
        letta.delete(f"/tools/{tool['id']}")


def look(stack: Stack, agent_id: str) -> dict[str, Any]:
    with stack.letta() as letta:
        body = {"messages": [{"role": "user", "content": "look"}]}
        turn = letta.post(f"/agents/{agent_id}/messages", json=body).raise_for_status().json()
    returns = [m for m in turn["messages"] if m["message_type"] == "tool_return_message"]
    assert len(returns) == 1
    assert returns[0]["status"] == "success"
    return json.loads(returns[0]["tool_return"])


def test_everything_is_healthy_and_needs_the_password(stack: Stack) -> None:
    status = runtime.status(stack.settings)
    assert status.service_healthy
    assert status.letta_healthy
    assert [p.name for p in status.processes] == ["postgres", "worker", "letta"]
    assert httpx.get(f"{status.letta_url}/v1/agents/", trust_env=False).status_code == 401
    with stack.letta() as letta:
        assert letta.get("/agents/").status_code == 200
        assert HANDLE in [model["handle"] for model in letta.get("/models/").json()]
    assert httpx.get(f"{status.service_url}/v1/selections", trust_env=False).status_code == 401


def test_it_listens_on_this_machine_only_and_not_as_root(stack: Stack) -> None:
    for name in ("postgres", "worker", "letta"):
        process = psutil.Process(pid_of(stack, name))
        listening = [c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
        assert listening, name
        assert all(ipaddress.ip_address(ip).is_loopback for ip in listening), name
        if name != "worker":
            assert process.uids().effective != 0


def test_secrets_are_in_private_files_and_nowhere_else(stack: Stack) -> None:
    home = stack.settings.home
    files = list((home / "secrets").iterdir())
    assert {f.name for f in files} >= {"token", "letta_password", "postgres_password", "letta_encryption_key"}
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in files)
    values = [f.read_text() for f in files]
    shown = [*(home / "logs").iterdir(), home / "run" / "state.json"]
    for path in shown:
        text = path.read_text(encoding="utf-8", errors="replace")
        assert not [v for v in values if v in text], path
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        assert not [v for v in values if v in line]


def test_a_second_up_is_quick_and_changes_nothing(stack: Stack) -> None:
    before = state_of(stack)
    began = time.monotonic()
    status = stack.up()
    assert time.monotonic() - began < 60, "a moment: it waits for nothing to start"
    assert status.letta_healthy
    assert state_of(stack) == before


def test_tools_see_the_agents_variables_and_not_the_servers_secrets(stack: Stack, looker: str) -> None:
    seen = look(stack, looker)
    assert seen["token"] == "the agent's own"
    assert {"LETTA_AGENT_ID", "LETTA_TOOL_ID"} <= set(seen["names"])
    hidden = ("PASSWORD", "KEY", "SECRET", "PG_URI", "OPENAI")
    assert not [name for name in seen["names"] if any(word in name for word in hidden)]
    assert seen["uid"] != 0
    assert set(seen["parent"].values()) == {"PermissionError"}, "a tool could read the server's memory"


@pytest.mark.alone
def test_a_tool_call_takes_about_a_second(stack: Stack, looker: str) -> None:
    def seconds() -> float:
        began = time.monotonic()
        look(stack, looker)
        return time.monotonic() - began

    # The least of up to five: the first warms up, and a busy machine can hold up any of the others.
    assert any(seconds() < 8 for _ in range(5)), "a slim interpreter takes one or two; the server's own takes ten"


def test_a_killed_letta_comes_back_with_its_agents(stack: Stack, looker: str) -> None:
    heals(stack, "letta")
    assert look(stack, looker)["uid"] != 0


def test_a_killed_database_comes_back_and_letta_goes_on(stack: Stack, looker: str) -> None:
    letta = pid_of(stack, "letta")
    heals(stack, "postgres")
    assert pid_of(stack, "letta") == letta
    assert look(stack, looker)["uid"] != 0


def test_a_killed_supervisor_leaves_no_trouble_and_nothing_is_left_after_down(stack: Stack, looker: str) -> None:
    before = state_of(stack)
    os.kill(before.supervisor.pid, signal.SIGKILL)
    time.sleep(0.5)
    assert not runtime.status(stack.settings).supervised
    assert stack.up().supervised
    assert not [p for p in before.processes.values() if p.process and processes.find(p.process)]
    assert look(stack, looker)["uid"] != 0

    family = [p.process for p in state_of(stack).processes.values() if p.process]
    everything = processes.with_children([psutil.Process(p.pid) for p in family])
    stack.down()
    assert processes.gone_by(time.monotonic(), everything) == []
    assert processes.marked(existing_layout(stack.settings.home).marker) == set()
    assert not existing_layout(stack.settings.home).state_file.exists()

    began = time.monotonic()
    status = stack.up()
    assert time.monotonic() - began < 90 + 60, "a warm start, with room for a busy machine"
    assert status.letta_healthy
    assert look(stack, looker)["uid"] != 0


def test_a_groups_turn_counter_can_be_set(stack: Stack) -> None:
    reset = runtime.turn_counter_reset(stack.settings)
    assert reset is not None
    reset("group-00000000-0000-4000-8000-000000000000")
    with pytest.raises(Exception, match="no id of a group"):
        reset("x'; drop table groups; --")


def test_the_agents_are_deployed_once_and_doctor_finds_them(stack: Stack) -> None:
    local.deploy_agents(stack.settings, stack.connection)
    assert local.compare(stack.settings, stack.connection).in_sync
    agents = runtime.status(stack.settings, local.agents_probe(stack.settings)).agents
    assert len(agents) == len(load_manifest().agents)
    assert all(agent["id"] and agent["in_sync"] for agent in agents.values())
    assert [(f.check, f.level) for f in agents_side(stack.settings)] == [
        ("letta", "ok"),
        ("agents", "ok"),
        ("memory blocks", "ok"),
    ]


def test_the_container_serves_with_the_secrets_in_its_files(stack: Stack, tmp_path: Path) -> None:
    """What the image of docker-compose.yml runs, on the stack's database."""
    state, home = state_of(stack), stack.settings.home
    port = free_port()
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(dqa.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SECRETS": str(home / "secrets"),
        "LETTA_STATE": str(tmp_path),
        "LETTA_ENVIRONMENT": state.environment,
        "LETTA_HOST": "127.0.0.1",
        "LETTA_PORT": str(port),
        "POSTGRES_HOST": "127.0.0.1",
        "POSTGRES_PORT": str(state.postgres_port),
        "BRAIN_URL": stack.brain.url,
    }
    python = Path(state.environment) / "server" / "bin" / "python3"
    command = [python, "-m", "dqa.agenthost.runtime.container"]
    password = (home / "secrets" / "letta_password").read_text()
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 300
        while not answers(f"http://127.0.0.1:{port}/v1/health/"):
            assert server.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert answers(f"http://127.0.0.1:{port}/v1/agents/", password)
        assert not answers(f"http://127.0.0.1:{port}/v1/agents/")
        assert password not in (tmp_path / "log").read_text()
    finally:
        server.kill()
        server.wait()


def test_the_service_user_owns_what_it_writes_and_no_more(stack: Stack) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root drops to a service user")
    layout = existing_layout(stack.settings.home)
    for folder in (layout.database, layout.server_home, layout.tools):
        assert folder.stat().st_uid != 0
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for folder in (layout.letta, layout.home / "secrets", Path(state_of(stack).environment)):
        assert folder.stat().st_uid == 0
