"""Where a deployment keeps what it needs, and its generated secrets.

::

    $DQA_HOME/
      run/       state.json, the locks              (no secrets)
      logs/      a file a process
      secrets/   token, letta_password, ...         (each 0600)
      letta/     environment/  database/  server/  tools/
"""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dqa.agenthost.runtime.identity import Identity, can_enter
from dqa.errors import UnavailableError

ELSEWHERE = Path("/var/lib/dqa")
"""Where ``letta/`` goes when the service user can't enter the state folder, as with one under /root."""

_EARLIER = "earlier-"


@dataclass(frozen=True)
class Layout:
    """The folders of one deployment. ``letta`` is resolved: a link in the state folder has been followed."""

    home: Path
    letta: Path
    environment: Path

    @property
    def state_file(self) -> Path:
        return self.home / "run" / "state.json"

    @property
    def supervisor_lock(self) -> Path:
        return self.home / "run" / "supervisor.lock"

    @property
    def command_lock(self) -> Path:
        return self.home / "run" / "command.lock"

    @property
    def database(self) -> Path:
        return self.letta / "database"

    @property
    def server_home(self) -> Path:
        return self.letta / "server"

    @property
    def tools(self) -> Path:
        return self.letta / "tools"

    @property
    def marker(self) -> str:
        """Put in the environment of every process of this deployment, to know them by."""
        return hashlib.sha256(str(self.home).encode()).hexdigest()[:24]

    def log(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def secret_file(self, name: str) -> Path:
        return self.home / "secrets" / name


def existing_layout(home: Path, environment: Path | None = None) -> Layout:
    """The layout of ``home`` as it stands; makes nothing."""
    letta = (home / "letta").resolve()
    return Layout(home=home, letta=letta, environment=environment or letta / "environment")


def make_layout(home: Path, identity: Identity | None, environment: Path | None = None) -> Layout:
    """Makes the folders, where they are missing.

    Raises:
        UnavailableError: a folder can't be made or entered.
    """
    try:
        for name in ("run", "logs", "secrets"):
            (home / name).mkdir(parents=True, exist_ok=True)
            (home / name).chmod(0o700)
        _make_letta_folder(home, identity)
        layout = existing_layout(home, environment)
        layout.environment.mkdir(parents=True, exist_ok=True)
        if layout.environment.stat().st_uid == os.geteuid():
            layout.environment.chmod(0o755)
    except OSError as error:
        raise UnavailableError(
            f"the state folder can't be prepared ({error.strerror})",
            fix="choose another with --home or DQA_HOME, or make this one writable",
            where=str(error.filename or home),
        ) from None
    if not can_enter(layout.environment, identity):
        name = identity.name if identity else "you"
        raise UnavailableError(f"{layout.environment} can't be entered by {name}", fix="choose another state folder")
    return layout


def _make_letta_folder(home: Path, identity: Identity | None) -> None:
    link = home / "letta"
    if link.is_symlink():
        link.resolve().mkdir(parents=True, exist_ok=True)
        return
    link.mkdir(exist_ok=True)
    link.chmod(0o755)
    if can_enter(link, identity):
        return
    target = ELSEWHERE / hashlib.sha256(str(home).encode()).hexdigest()[:12]
    target.mkdir(parents=True, exist_ok=True)
    for folder in (ELSEWHERE, target):
        folder.chmod(0o755)  # whatever root's umask is
    _set_aside(target)
    link.rmdir()
    link.symlink_to(target)


def _set_aside(target: Path) -> None:
    """Begins the folder anew, but for the environments, where a state folder that is gone left it.

    Its database opens with a password that is gone too. It is kept: whose it was may still want it.
    """
    left = [path for path in target.iterdir() if path.name != "environment" and not path.name.startswith(_EARLIER)]
    if left:
        earlier = Path(tempfile.mkdtemp(prefix=_EARLIER, dir=target))
        for path in left:
            path.rename(earlier / path.name)


def read_secret(path: Path) -> str | None:
    """The secret in ``path``, or None if there is none."""
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def write_secret(path: Path, value: str) -> None:
    """Writes ``value`` for the owner's eyes only, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(value)
    temporary.replace(path)


def kept_secret(path: Path, given: str | None = None) -> str:
    """The secret in ``path``; ``given`` replaces it, and where there is none one is made (192 bits, URL-safe)."""
    value = given or read_secret(path) or secrets.token_urlsafe(24)
    if read_secret(path) != value:
        write_secret(path, value)
    return value
