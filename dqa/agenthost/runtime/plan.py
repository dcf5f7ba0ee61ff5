"""Everything that the supervisor needs to run a deployment, handed to it on its stdin (it holds secrets)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, SecretStr

from dqa.agenthost.runtime.identity import Identity
from dqa.agenthost.runtime.layout import Layout
from dqa.agenthost.runtime.processes import MARKER_VARIABLE
from dqa.agenthost.runtime.state import State
from dqa.config import Settings


class OwnLetta(BaseModel):
    """A Letta server of our own, with its database, and its brain if that is ours too."""

    port: int
    postgres_port: int
    password: str
    postgres_password: str
    encryption_key: str
    brain_url: str
    brain_port: int | None
    providers: dict[str, str]


class Plan(BaseModel):
    """A whole deployment."""

    home: Path
    letta_folder: Path
    environment: Path
    identity: Identity | None
    worker: dict[str, str]
    worker_url: str
    letta: OwnLetta | None
    patience_s: float
    state: State

    @property
    def layout(self) -> Layout:
        return Layout(home=self.home, letta=self.letta_folder, environment=self.environment)

    @property
    def marker(self) -> dict[str, str]:
        """The variable that all processes of the deployment carry."""
        return {MARKER_VARIABLE: self.layout.marker}

    def own_environment(self, further: Mapping[str, str]) -> dict[str, str]:
        """The caller's environment for our own processes, with the settings as they were resolved."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("DQA_")}
        return {**inherited, **further, **self.marker}


def settings_variables(settings: Settings) -> dict[str, str]:
    """The settings as ``DQA_*`` variables, so that another process has the very same ones."""
    variables: dict[str, str] = {}
    for name in Settings.model_fields:
        value: object = getattr(settings, name)
        if value is None or value == ():
            continue
        variables[f"DQA_{name.upper()}"] = _as_text(value)
    return variables


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, tuple):
        return os.pathsep.join(str(part) for part in value)  # pyright: ignore[reportUnknownVariableType]
    return str(value)
