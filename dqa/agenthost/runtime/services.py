"""The processes of a deployment: how each is started, and how one tells that it is well."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from dqa.agenthost.runtime import processes
from dqa.agenthost.runtime.environment import Environment
from dqa.agenthost.runtime.health import answers
from dqa.agenthost.runtime.letta_server import LettaServer
from dqa.agenthost.runtime.plan import OwnLetta, Plan
from dqa.agenthost.runtime.postgres import Postgres


@dataclass(frozen=True)
class Service:
    """One process. ``start`` prepares what it needs and returns it, running; ``healthy`` must return within seconds."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    healthy: Callable[[], bool]
    needs: tuple[str, ...] = ()
    ask: signal.Signals = signal.SIGTERM


def services_of(plan: Plan) -> list[Service]:
    """The processes, those first that others need."""
    if plan.letta is None:
        return [_worker(plan)]
    postgres = _postgres(plan, plan.letta)
    listed = [_postgres_service(plan, postgres)]
    if plan.letta.brain_port is not None:
        listed.append(_brain(plan, plan.letta.brain_port))
    needs = tuple(service.name for service in listed)
    return [*listed, _worker(plan), _letta(plan, plan.letta, postgres, needs)]


def _postgres(plan: Plan, letta: OwnLetta) -> Postgres:
    return Postgres(
        programs=Environment(plan.environment).postgres_programs,
        folder=plan.layout.database,
        port=letta.postgres_port,
        password=letta.postgres_password,
        identity=plan.identity,
    )


def _postgres_service(plan: Plan, postgres: Postgres) -> Service:
    def start() -> subprocess.Popen[bytes]:
        postgres.prepare()
        return processes.start(
            postgres.command(),
            environment={**postgres.environment(), **plan.marker},
            log=plan.layout.log("postgres"),
            identity=plan.identity,
            folder=postgres.folder,
        )

    # SIGINT ends the connections; SIGTERM would wait for the clients to go.
    return Service("postgres", start, postgres.is_ready, ask=signal.SIGINT)


def _worker(plan: Plan) -> Service:
    def start() -> subprocess.Popen[bytes]:
        return processes.start(
            [sys.executable, "-m", "dqa", "serve"],
            environment=plan.own_environment(plan.worker),
            log=plan.layout.log("worker"),
            folder=plan.home,
        )

    return Service("worker", start, lambda: answers(f"{plan.worker_url}/healthz"))


def _brain(plan: Plan, port: int) -> Service:
    def start() -> subprocess.Popen[bytes]:
        return processes.start(
            [sys.executable, "-m", "dqa.brain", "--port", str(port), "--home", plan.home],
            environment=plan.own_environment({"OMP_NUM_THREADS": "1"}),
            log=plan.layout.log("brain"),
            folder=plan.home,
        )

    return Service("brain", start, lambda: answers(f"http://127.0.0.1:{port}/healthz"))


def _letta(plan: Plan, letta: OwnLetta, postgres: Postgres, needs: tuple[str, ...]) -> Service:
    server = LettaServer(
        environment=Environment(plan.environment),
        layout=plan.layout,
        database_uri=postgres.uri,
        port=letta.port,
        password=letta.password,
        encryption_key=letta.encryption_key,
        brain_url=letta.brain_url,
        identity=plan.identity,
        marker=plan.marker,
        providers=letta.providers,
    )

    def start() -> subprocess.Popen[bytes]:
        server.prepare()
        postgres.make_database()
        if postgres.revision() != server.environment.migration_head:
            server.migrate()
        return processes.start(
            server.command(),
            environment=server.variables(),
            log=plan.layout.log("letta"),
            identity=plan.identity,
            folder=plan.layout.server_home,
            stdin=server.encoded_secrets(),
        )

    # The model list is read from the brain at start: without it there would be no model.
    return Service("letta", start, lambda: answers(f"{server.url}/v1/health/"), needs=needs)
