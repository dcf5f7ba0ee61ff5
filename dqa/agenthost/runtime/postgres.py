"""The embedded PostgreSQL with pgvector: made once, on loopback, with a generated password."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from dqa.agenthost.runtime.identity import Identity, give_to
from dqa.agenthost.runtime.processes import as_user
from dqa.errors import UnavailableError

ROLE = "letta"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
}
_COMMAND_PATIENCE_S = 120


def uri(password: str, host: str, port: int) -> str:
    """Address of the database ``letta``, in the form that Letta and its drivers take."""
    # Without sslmode=disable Letta's pool asks for TLS, which isn't there.
    return f"postgresql://{ROLE}:{quote(password, safe='')}@{host}:{port}/letta?sslmode=disable"


@dataclass(frozen=True)
class Postgres:
    """A cluster in ``folder``/data, owned by ``identity``.

    Args:
        programs: folder of ``postgres``, ``initdb``, ``pg_isready``, ``psql``.
        folder: private to ``identity``.
        port: TCP port on 127.0.0.1.
        password: of the one role, ``letta``.
    """

    programs: Path
    folder: Path
    port: int
    password: str
    identity: Identity | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def uri(self) -> str:
        """Address of its database ``letta``."""
        return uri(self.password, "127.0.0.1", self.port)

    def prepare(self) -> None:
        """Makes the cluster on first use.

        Raises:
            UnavailableError: initdb failed, or the cluster is of another PostgreSQL.
        """
        give_to(self.folder, self.identity)
        if (self.data / "PG_VERSION").is_file():
            self._require_same_version()
            return
        work = self.folder / "data.new"
        shutil.rmtree(work, ignore_errors=True)
        secret = self.folder / "password.new"
        handle = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(self.password)
        give_to(self.folder, self.identity)
        if self.identity is not None:
            os.chown(secret, self.identity.uid, self.identity.gid)
        try:
            named = ["--username", ROLE, "--pwfile", str(secret), "--auth", "scram-sha-256"]
            self._run(["initdb", "--pgdata", str(work), *named, "--encoding", "UTF8", "--locale", "C"])
        finally:
            secret.unlink()
        work.rename(self.data)

    def command(self) -> list[str]:
        """The server's command line; it stays in the foreground."""
        settings = [part for key, value in _SETTINGS.items() for part in ("-c", f"{key}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(self.port), *settings]

    def environment(self) -> dict[str, str]:
        """What the server and its programs need of an environment."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.folder), "TZ": "UTC"}

    def is_ready(self) -> bool:
        """Whether it takes connections."""
        command = [str(self.programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-t", "3", "-q"]
        try:
            done = subprocess.run(command, check=False, env=self.environment(), timeout=10)
        except (OSError, subprocess.TimeoutExpired):  # no memory for another process, say: asked again soon
            return False
        return done.returncode == 0

    def make_database(self) -> None:
        """Makes the database ``letta`` with pgvector, unless it is there.

        Raises:
            UnavailableError: the server refused.
        """
        exists = self.query("select 1 from pg_database where datname = 'letta'", database="postgres")
        if not exists:
            self.query("create database letta", database="postgres")
        self.query("create extension if not exists vector")

    def query(self, sql: str, database: str = "letta") -> str:
        """Runs one statement of ours (no input of anybody's) and returns its rows as text."""
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-U", ROLE, "-d", database]
        return self._run(["psql", *address, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]).strip()

    def revision(self) -> str:
        """Letta's migration that the database is at; empty before the first."""
        known = self.query("select to_regclass('alembic_version')")
        return self.query("select version_num from alembic_version") if known else ""

    def _require_same_version(self) -> None:
        ours = self._run(["postgres", "--version"]).split()[-1].partition(".")[0]
        theirs = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        if ours != theirs:
            raise UnavailableError(
                f"the database was made by PostgreSQL {theirs}, and this is {ours}",
                fix="dump it with the old version, or move the folder away to begin anew",
                where=str(self.data),
            )

    def _run(self, command: list[str]) -> str:
        try:
            done = subprocess.run(
                [str(self.programs / command[0]), *command[1:]],
                check=False,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                env={**self.environment(), "PGPASSWORD": self.password},
                cwd=self.folder if self.folder.is_dir() else None,
                timeout=_COMMAND_PATIENCE_S,
                **as_user(self.identity),
            )
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"{command[0]} did not end", fix="see the log of postgres") from None
        if done.returncode != 0:
            message = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise UnavailableError(f"{command[0]} failed ({message})", fix="see the log of postgres")
        return done.stdout
