"""Letta's server as the only process of a container: ``python -m dqa.agenthost.runtime.container``.

The same server as under ``dqa up``, with the same small environment and the same interpreter for tools. Its secrets
are files under /run/secrets; the database and the brain are other containers. See docker-compose.yml.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from dqa.agenthost.runtime.environment import Environment
from dqa.agenthost.runtime.layout import Layout, read_secret
from dqa.agenthost.runtime.letta_server import LettaServer
from dqa.agenthost.runtime.postgres import uri
from dqa.errors import ConfigError


def server_from(variables: Mapping[str, str]) -> LettaServer:
    """The server that the container's variables and secrets describe.

    Raises:
        ConfigError: a secret is missing.
    """
    secrets = Path(variables.get("SECRETS", "/run/secrets"))
    port = int(variables.get("POSTGRES_PORT", "5432"))
    state = Path(variables.get("LETTA_STATE", "/var/lib/letta"))
    environment = Path(variables.get("LETTA_ENVIRONMENT", "/opt/letta"))
    return LettaServer(
        environment=Environment(environment),
        layout=Layout(home=state, letta=state, environment=environment),
        database_uri=uri(_secret(secrets, "postgres_password"), variables.get("POSTGRES_HOST", "postgres"), port),
        port=int(variables.get("LETTA_PORT", "8283")),
        password=_secret(secrets, "letta_password"),
        encryption_key=_secret(secrets, "letta_encryption_key"),
        brain_url=variables.get("BRAIN_URL", "http://brain:8764/v1"),
        identity=None,
        marker={},
        providers=_provider_variables(read_secret(secrets / "provider_variables") or ""),
        host=variables.get("LETTA_HOST", "0.0.0.0"),  # noqa: S104 - published on loopback only
    )


def main() -> None:
    """Prepares the folders and the database, then becomes the server."""
    server = server_from(os.environ)
    (server.layout.home / "logs").mkdir(parents=True, exist_ok=True)
    server.prepare()
    server.migrate()
    reading, writing = os.pipe()
    os.write(writing, server.encoded_secrets())  # a few hundred bytes: they fit the pipe
    os.close(writing)
    os.dup2(reading, 0)
    os.chdir(server.layout.server_home)
    command = server.command()
    os.execve(command[0], command, server.variables())  # noqa: S606 - no shell: a list of arguments


def _secret(folder: Path, name: str) -> str:
    value = read_secret(folder / name)
    if value is None:
        raise ConfigError(f"the secret {name} is missing", fix="set it, as docs/how-to/deployment.md says")
    return value


def _provider_variables(text: str) -> dict[str, str]:
    """``NAME=value`` words, as a shell splits them."""
    pairs = (word.partition("=") for word in shlex.split(text) if "=" in word)
    return {name: value for name, _, value in pairs}


if __name__ == "__main__":
    main()
