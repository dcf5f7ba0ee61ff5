"""``up``, ``down`` and ``status`` of the local deployment."""

from __future__ import annotations

import functools
import signal
import subprocess
import sys
import time

import psutil

from dqa.agenthost.runtime import processes
from dqa.agenthost.runtime.health import answers
from dqa.agenthost.runtime.layout import Layout, existing_layout, read_secret
from dqa.agenthost.runtime.locks import held, is_held
from dqa.agenthost.runtime.options import AgentsProbe, Connection, ProcessStatus, Status, Tell, UpOptions
from dqa.agenthost.runtime.plan import Plan
from dqa.agenthost.runtime.planning import PASSWORD, asked_for, connection, make_plan, public_settings
from dqa.agenthost.runtime.processes import ProcessId
from dqa.agenthost.runtime.state import ProcessState, State, read_state
from dqa.config import Settings
from dqa.errors import UnavailableError, UsageError

_UP_WAITS_S = 1800.0
_DOWN_WAITS_S = 30.0
_SUPERVISOR_ENDS_S = 60.0
_POLL_S = 0.25
_HOPELESS_RESTARTS = 3


def up(settings: Settings, options: UpOptions, tell: Tell, agents: AgentsProbe | None = None) -> Status:
    """Starts the deployment, or finds it running; returns when everything is healthy.

    Args:
        tell: told what is being done, a line at a time.
        agents: asks Letta for the deployed agents, for the status that is returned.

    Raises:
        UnavailableError: something could not be started; nothing is left running then.
        UsageError: it runs already, with other options than those given now.
    """
    layout = existing_layout(settings.home)
    with held(layout.command_lock, waiting=_waiting(tell), patience_s=_UP_WAITS_S):
        state = _running(layout)
        if state is None:
            _sweep(layout, tell)
            _start(make_plan(settings, options, tell), tell)
        else:
            _require_same(state, settings, options, tell)
            if not state.ready:
                _wait_until_ready(layout, options.patience_s, tell)
    return status(settings, agents)


def down(settings: Settings, tell: Tell) -> None:
    """Stops everything that belongs to the state folder, and proves that nothing is left.

    Raises:
        UnavailableError: a process could not be stopped.
    """
    layout = existing_layout(settings.home)
    if not (settings.home / "run").is_dir():
        tell("nothing is running")
        return
    with held(layout.command_lock, waiting=_waiting(tell), patience_s=_DOWN_WAITS_S):
        was_running = _stop(layout, tell)
    tell("everything is stopped" if was_running else "nothing is running")


def status(settings: Settings, agents: AgentsProbe | None = None) -> Status:
    """How the deployment is now, by asking each part."""
    layout = existing_layout(settings.home)
    state = read_state(layout.state_file)
    if state is None:
        url = settings.service_url
        return Status(url, answers(f"{url}/healthz"), None, False, None)
    link = connection(settings, state)
    well = answers(f"{link.letta_url}/v1/health/", link.letta_key)
    password = layout.secret_file(PASSWORD)
    return Status(
        service_url=state.service_url,
        service_healthy=answers(f"{state.service_url}/healthz"),
        letta_url=state.letta_url,
        letta_healthy=well,
        letta_password_file=str(password) if read_secret(password) else None,
        agents=agents(link) if agents and well else {},
        processes=tuple(_process_status(p) for p in state.processes.values()),
        supervised=is_held(layout.supervisor_lock),
    )


def connect(settings: Settings) -> Connection:
    """How to reach the running deployment, secrets included.

    Raises:
        UnavailableError: none is running.
    """
    state = read_state(existing_layout(settings.home).state_file)
    if state is None:
        raise UnavailableError("the deployment is not running", fix="start it with dqa up")
    return connection(settings, state)


def _start(plan: Plan, tell: Tell) -> None:
    process = processes.start(
        [sys.executable, "-m", "dqa.agenthost.runtime"],
        environment=plan.own_environment({}),
        log=plan.layout.log("supervisor"),
        folder=plan.home,
        stdin=plan.model_dump_json().encode(),
    )
    try:
        _wait_until_ready(plan.layout, plan.patience_s, tell, process)
    except BaseException:
        # Also when interrupted: a half-started deployment is no use to anybody.
        _stop(plan.layout, tell)
        raise
    finally:
        if process.poll() is None:
            process.returncode = 0  # it lives on by intent, and is not ours to wait for


def _running(layout: Layout) -> State | None:
    """The state of a deployment whose supervisor lives."""
    return read_state(layout.state_file) if is_held(layout.supervisor_lock) else None


def _require_same(state: State, settings: Settings, options: UpOptions, tell: Tell) -> None:
    for name, value in asked_for(options).items():
        if state.asked.get(name) != value:
            runs = state.asked.get(name, "the default")
            raise UsageError(f"the deployment runs with {name} {runs}, not {value}", fix="run dqa down first")
    now = public_settings(settings)
    changed = sorted(n for n in {*now, *state.settings} if now.get(n) != state.settings.get(n))
    if changed:
        tell(f"it runs with the settings of its start; {', '.join(changed)} changed since: dqa down, then up, to apply")


def _wait_until_ready(
    layout: Layout, patience_s: float, tell: Tell, supervisor: subprocess.Popen[bytes] | None = None
) -> None:
    told: dict[str, str] = {}
    before: dict[str, int] = {}
    began = time.monotonic()
    # The longest chain is the database and the brain, then Letta.
    while time.monotonic() - began < 3 * patience_s:
        if supervisor is not None and supervisor.poll() is not None:
            raise UnavailableError(
                f"the supervisor ended (exit code {supervisor.returncode})", fix=f"see {layout.log('supervisor')}"
            )
        state = read_state(layout.state_file) if is_held(layout.supervisor_lock) else None
        for entry in state.processes.values() if state else ():
            _tell_change(entry, told, tell, time.monotonic() - began)
            _require_hope(entry, before.setdefault(entry.name, entry.restarts))
        if state is not None and state.ready:
            return
        time.sleep(_POLL_S)
    raise UnavailableError("the deployment did not become ready", fix=f"see the logs in {layout.home / 'logs'}")


def _tell_change(entry: ProcessState, told: dict[str, str], tell: Tell, elapsed_s: float) -> None:
    if told.get(entry.name) == entry.phase or entry.phase == "waiting":
        return
    told[entry.name] = entry.phase
    words = {"starting": "starting", "healthy": f"ready ({elapsed_s:.0f} s)", "restarting": f"ended: {entry.detail}"}
    tell(f"{entry.name}: {words.get(entry.phase, entry.phase)}")


def _require_hope(entry: ProcessState, restarts_before: int) -> None:
    if entry.phase == "restarting" and entry.restarts - restarts_before >= _HOPELESS_RESTARTS:
        raise UnavailableError(f"{entry.name} can't be started ({entry.detail.rstrip('.')})", fix=f"see {entry.log}")


def _stop(layout: Layout, tell: Tell) -> bool:
    """Stops the supervisor, which stops the rest, then whatever is left; returns whether there was anything."""
    state = read_state(layout.state_file)
    was_running = is_held(layout.supervisor_lock)
    if was_running:
        tell("stopping")
        for supervisor in _supervisors(layout, state):
            processes.stop(supervisor, patience_s=_SUPERVISOR_ENDS_S)
    swept = _sweep(layout, tell if not was_running else lambda _: None)
    return was_running or swept


def _supervisors(layout: Layout, state: State | None) -> list[ProcessId]:
    if state is not None and processes.find(state.supervisor):
        return [state.supervisor]
    found = (processes.identify(p.pid) for p in processes.marked(layout.marker) if _is_supervisor(p))
    return [known for known in found if known]


def _is_supervisor(process: psutil.Process) -> bool:
    try:
        return "dqa.agenthost.runtime" in process.cmdline()
    except psutil.Error:
        return False


def _sweep(layout: Layout, tell: Tell) -> bool:
    """Ends what an ended supervisor left behind; returns whether there was anything.

    Raises:
        UnavailableError: a process could not be ended.
    """
    state = read_state(layout.state_file)
    known = [entry.process for entry in state.processes.values() if entry.process] if state else []
    left = [process for process in known if processes.find(process)]
    if left or processes.marked(layout.marker):
        tell("ending what an earlier run left behind")
    for process in reversed(left):
        processes.stop(process, ask=signal.SIGINT)  # PostgreSQL waits for its clients at a SIGTERM
    remaining = processes.kill(processes.marked(layout.marker))
    stubborn = sorted({p.pid for p in remaining} | {p.pid for p in left if processes.find(p)})
    if stubborn:
        raise UnavailableError(
            f"these processes could not be ended: {', '.join(map(str, stubborn))}", fix="end them by hand"
        )
    layout.state_file.unlink(missing_ok=True)
    return bool(left)


def _process_status(entry: ProcessState) -> ProcessStatus:
    alive = entry.process is not None and processes.find(entry.process) is not None
    gone = entry.phase == "healthy" and not alive
    pid = entry.process.pid if entry.process and alive else None
    phase, detail = ("stopped", "its process is gone") if gone else (entry.phase, entry.detail)
    return ProcessStatus(entry.name, phase, detail, pid, entry.restarts)


def _waiting(tell: Tell) -> functools.partial[None]:
    return functools.partial(tell, "waiting for another dqa command at work on this deployment")
