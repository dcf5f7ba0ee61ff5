"""Letta's server: its own small environment, its migrations, its interpreter for tools.

The server is started with these variables and no others, so that nothing of the caller's reaches the tools, which get
the server's environment; and the tools' interpreter takes even these away again (``tool_python``).
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from dqa.agenthost.runtime.environment import Environment
from dqa.agenthost.runtime.identity import Identity, give_to
from dqa.agenthost.runtime.layout import Layout
from dqa.agenthost.runtime.processes import as_user
from dqa.errors import UnavailableError

TOOL_TIMEOUT_S = 7200
"""Longest a tool call may take. The Director's waits for a whole turn of the Cameraman, in which ComfyUI may take half
an hour for a clip; for two variations it waits for two."""

_MIGRATION_PATIENCE_S = 600
_TOOLS_KEEP = {"PATH", "HOME", "LANG", "LETTA_BASE_URL", "LETTA_SERVER_URL"}
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class LettaServer:
    """One server.

    Args:
        database_uri: of an empty or already migrated database with pgvector, as :attr:`Postgres.uri` spells it.
        host: address to listen on.
        brain_url: OpenAI-compatible endpoint, ending in ``/v1``.
        providers: further variables for model providers; they win over ``brain_url``.
    """

    environment: Environment
    layout: Layout
    database_uri: str
    port: int
    password: str
    encryption_key: str
    brain_url: str
    identity: Identity | None
    marker: Mapping[str, str]
    providers: Mapping[str, str] = field(default_factory=dict[str, str])
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def launchers(self) -> Path:
        """Our two scripts, where the service user can read them."""
        return self.layout.letta / "launchers"

    def prepare(self) -> None:
        """Lays out the folders and the tools' interpreter."""
        give_to(self.layout.server_home, self.identity)
        give_to(self.layout.tools, self.identity)
        self.launchers.mkdir(exist_ok=True)
        self.launchers.chmod(0o755)
        for name in ("launch.py", "tool_python.py"):
            shutil.copyfile(_HERE / name, self.launchers / name)
            (self.launchers / name).chmod(0o644)
        self._lay_tools_interpreter()

    def command(self) -> list[str]:
        """The server's command line; the secrets go to its stdin."""
        # -P keeps the launcher's folder off the path; -I would do so too, but hide HOME's settings as well.
        python = str(self.environment.server_python)
        return [python, "-P", str(self.launchers / "launch.py"), self.host, str(self.port)]

    def variables(self) -> dict[str, str]:
        """The server's environment: what is no secret."""
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.layout.server_home),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "LETTA_SERVER_SECURE": "true",
            "LETTA_SERVER_URL": self.url,
            "LETTA_BASE_URL": self.url,
            "LETTA_DISABLE_TRACING": "true",
            # Without a pool a turn with a tool stalls for a minute or two.
            "LETTA_DISABLE_SQLALCHEMY_POOLING": "false",
            "TOOL_EXEC_DIR": str(self.layout.tools),
            "TOOL_EXEC_VENV_NAME": "venv",
            "TOOL_EXEC_AUTORELOAD_VENV": "false",
            "TOOL_SANDBOX_TIMEOUT": str(TOOL_TIMEOUT_S),
            "OPENAI_BASE_URL": self.brain_url,
            **self.marker,
        }

    def secrets(self) -> dict[str, str]:
        """The variables that only the server itself may see."""
        return {
            "LETTA_PG_URI": self.database_uri,
            "LETTA_SERVER_PASSWORD": self.password,
            "LETTA_ENCRYPTION_KEY": self.encryption_key,
            "OPENAI_API_KEY": "sk-local",
            **self.providers,
        }

    def encoded_secrets(self) -> bytes:
        """:meth:`secrets` as the launcher reads them."""
        return json.dumps(self.secrets()).encode()

    def _lay_tools_interpreter(self) -> None:
        """A "virtual environment" of one script, which Letta takes for the tools' interpreter."""
        listing = self.launchers / "server-variables.txt"
        names = {*self.variables(), *self.secrets()} - _TOOLS_KEEP - set(self.marker)
        listing.write_text("\n".join(sorted(names)), encoding="utf-8")
        listing.chmod(0o644)
        programs = self.launchers / "venv" / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        python = self.environment.tools_python
        words = [str(python), "-I", "-S", str(self.launchers / "tool_python.py"), str(python), str(listing)]
        script = programs / "python3"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n', encoding="utf-8")
        for path in (programs.parent, programs, script):
            path.chmod(0o755)
        link = self.layout.tools / "venv"
        if not link.is_symlink():
            shutil.rmtree(link, ignore_errors=True)
            link.symlink_to(programs.parent)

    def migrate(self) -> None:
        """Brings the database to Letta's newest form.

        Raises:
            UnavailableError: a migration failed.
        """
        # The migrations' driver takes no sslmode.
        variables = {**self.variables(), "LETTA_PG_URI": self.database_uri.partition("?")[0]}
        try:
            done = subprocess.run(
                [str(self.environment.server_python), "-m", "alembic", "upgrade", "head"],
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                env=variables,
                cwd=self.environment.migrations,
                timeout=_MIGRATION_PATIENCE_S,
                **as_user(self.identity),
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError("Letta's migrations did not end", fix="run dqa down, then dqa up again") from None
        if done.returncode != 0:
            log = self.layout.log("migrations")
            log.write_text(
                (done.stdout + done.stderr).replace(_password_in(self.database_uri), "***"), encoding="utf-8"
            )
            raise UnavailableError("Letta's migrations failed", fix=f"see {log}")


def _password_in(uri: str) -> str:
    return urlsplit(uri).password or "no password"
