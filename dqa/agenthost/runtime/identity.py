"""Who runs the database and the agent server: the caller, or a service user where the caller is root.

PostgreSQL refuses to run as root, and Letta runs the agents' tools as whoever it runs as itself.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from dqa.errors import UnavailableError

SERVICE_USER = "dqa"


class Identity(BaseModel):
    """A user to run processes as."""

    model_config = ConfigDict(frozen=True)

    name: str
    uid: int
    gid: int


def service_identity() -> Identity | None:
    """The user to drop to; None where the caller is not root and everything runs as the caller.

    Root's is the system user ``dqa``, made on first use; where no user can be made, ``nobody``.

    Raises:
        UnavailableError: the machine has no user to drop to.
    """
    if os.geteuid() != 0:
        return None
    identity = _lookup(SERVICE_USER) or _created() or _lookup("nobody")
    if identity is None:
        raise UnavailableError(
            "PostgreSQL may not run as root, and there is no user to run it as",
            fix=f"make one with useradd --system {SERVICE_USER}, or run dqa up as another user",
        )
    return identity


def can_enter(folder: Path, identity: Identity | None) -> bool:
    """Whether ``identity`` reaches what lies in ``folder``, by asking the system as that user."""
    return _asks("-x", folder, identity)


def can_read(folder: Path, identity: Identity | None) -> bool:
    """Whether ``identity`` may list ``folder`` and open what is in it by name."""
    return _asks("-r", folder, identity) and _asks("-x", folder, identity)


def can_run(program: Path, identity: Identity | None) -> bool:
    """Whether ``identity`` may execute ``program``."""
    return can_read(program, identity)


def give_to(folder: Path, identity: Identity | None, mode: int = 0o700) -> None:
    """Makes ``folder`` if need be, private to ``identity``, with all that is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if identity is not None and folder.stat().st_uid != identity.uid:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
    folder.chmod(mode)


def _asks(question: str, path: Path, identity: Identity | None) -> bool:
    program = shutil.which("test", path="/usr/bin:/bin") or "test"
    command = [program, question, str(path)]
    if identity is None:
        done = subprocess.run(command, check=False)
    else:
        done = subprocess.run(command, check=False, user=identity.uid, group=identity.gid, extra_groups=[])
    return done.returncode == 0


def _lookup(name: str) -> Identity | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Identity(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


def _created() -> Identity | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    subprocess.run([*command, "--shell", "/usr/sbin/nologin", SERVICE_USER], check=False, capture_output=True)
    return _lookup(SERVICE_USER)
