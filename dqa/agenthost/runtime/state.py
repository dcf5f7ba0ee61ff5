"""What the supervisor writes down for the other commands: ``run/state.json``, without secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, ValidationError

from dqa.agenthost.runtime.processes import ProcessId

Phase = Literal["waiting", "starting", "healthy", "restarting", "stopped"]


class ProcessState(BaseModel):
    """One process of the deployment."""

    name: str
    phase: Phase = "waiting"
    detail: str = ""
    process: ProcessId | None = None
    restarts: int = 0
    log: str = ""


class State(BaseModel):
    """A deployment that was started."""

    supervisor: ProcessId
    service_url: str
    letta_url: str
    external: bool
    postgres_port: int | None = None
    environment: str = ""
    asked: dict[str, str] = Field(default_factory=dict[str, str], description="the options it runs with")
    settings: dict[str, str] = Field(default_factory=dict[str, str], description="the settings it runs with")
    processes: dict[str, ProcessState] = Field(default_factory=dict[str, ProcessState])

    @property
    def ready(self) -> bool:
        return bool(self.processes) and all(p.phase == "healthy" for p in self.processes.values())


def read_state(path: Path) -> State | None:
    """The state in ``path``; None where there is none that can be read."""
    try:
        return State.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None


def write_state(path: Path, state: State) -> None:
    """Writes it, all or nothing."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(state.model_dump_json(indent=1))
    temporary.replace(path)
