"""Makes, checks and removes the environment of the official ``vbench`` package: ``$DQA_HOME/vbench-env``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dqa.errors import ModelUnavailable, UnavailableError
from dqa.models.vbench_env.dimensions import OFFICIAL
from dqa.resources import deployment_folder

PACKAGE = "vbench==0.1.5"
PYTHON = (3, 11)
"""tokenizers 0.13.3, which vbench's transformers 4.33.2 needs, has wheels up to this one."""

NEEDED_GB = 4.0
"""Free disk space asked for: the environment takes 2.2 GB with a CPU build of torch, and pip needs room to unpack."""

_NO_NETWORK = ("Could not find a version", "No matching distribution", "Connection", "NewConnectionError", "timed out")

Tell = Callable[[str], None]
"""Told how far it is, in words."""


@dataclass(frozen=True, slots=True)
class VBenchEnvironment:
    """Where its parts lie in the state folder ``home``."""

    home: Path

    @property
    def folder(self) -> Path:
        return self.home / "vbench-env"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def weights(self) -> Path:
        """VBENCH_CACHE_DIR: its files are placed by hand (:data:`~dqa.models.vbench_env.dimensions.OFFICIAL`)."""
        return self.home / "vbench-weights"

    @property
    def log(self) -> Path:
        return self.home / "logs" / "vbench-env.log"

    @property
    def _stamp(self) -> Path:
        return self.folder / "dqa.json"

    @property
    def ready(self) -> bool:
        """Whether the environment was finished from today's list of versions."""
        return self._kept().get("list") == listing()[1] and self.python.exists()

    @property
    def non_commercial(self) -> bool:
        """Whether the parts whose licences forbid commercial use were opted into."""
        return self._kept().get("non_commercial") is True

    def require(self) -> None:
        """Raises :class:`ModelUnavailable` unless it is :attr:`ready`."""
        if not self.ready:
            what = "unfinished or of another version" if self.folder.exists() else "not there"
            raise ModelUnavailable(
                f"the environment of the vbench package is {what}", fix="make it with dqa models vbench-env"
            )

    def create(self, tell: Tell, *, python: Path | None = None, non_commercial: bool = False) -> None:
        """Makes the environment, or takes up what an earlier try left; a finished one is kept.

        Args:
            tell: told of each step.
            python: a Python 3.11; default the running one, or the one on the path.
            non_commercial: also allow what may not be used commercially (AMT, MUSIQ through pyiqa).

        Raises:
            UnavailableError: no Python 3.11, no room, no network, or a package can't be installed.
        """
        if not self.ready:
            interpreter = find_python(python)
            self._require_room()
            self._stamp.unlink(missing_ok=True)
            if not self.python.exists():
                tell(f"making {self.folder}")
                self._run([interpreter, "-m", "venv", "--clear", self.folder], tell)
            constraints, _ = listing()
            tell(f"installing {PACKAGE} and what it needs: about 90 packages and 2 GB, once, some minutes")
            pip = [self.python, "-m", "pip", "--disable-pip-version-check", "install", "--no-input"]
            self._run([*pip, "-c", constraints, PACKAGE, "torch==2.13.0", "torchvision", "setuptools"], tell)
        self.weights.mkdir(parents=True, exist_ok=True)
        self._stamp.write_text(json.dumps({"list": listing()[1], "non_commercial": non_commercial}), encoding="utf-8")

    def remove(self) -> bool:
        """Removes the environment, not the weights; whether there was one."""
        there = self.folder.exists()
        shutil.rmtree(self.folder, ignore_errors=True)
        return there

    def blocked(self) -> dict[str, str]:
        """The dimensions that can't run, and what each lacks, in words."""
        found: dict[str, str] = {}
        for name, dimension in OFFICIAL.items():
            lacking = dimension.missing(self.weights)
            if dimension.non_commercial and not self.non_commercial:
                found[name] = (
                    f"{dimension.non_commercial} may not be used commercially; if that suits you, "
                    "run dqa models vbench-env --non-commercial"
                )
            elif lacking:
                files = " and ".join(f"{file.source} ({file.licence}) as {file.path}" for file in lacking)
                found[name] = f"its weights are missing; place {files} in the folder vbench-weights of the state folder"
        return found

    def _kept(self) -> dict[str, object]:
        with contextlib.suppress(OSError, ValueError):
            kept = json.loads(self._stamp.read_bytes())
            return kept if isinstance(kept, dict) else {}
        return {}

    def _require_room(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.home).free / 1e9
        if free < NEEDED_GB:
            raise UnavailableError(
                f"{free:.1f} GB are free, and the environment needs {NEEDED_GB:g}",
                fix="make room, or name another state folder with --home",
                where=str(self.home),
            )

    def _run(self, command: Sequence[str | Path], tell: Tell) -> None:
        """Runs a command, its output going to the log; a failure says the last complaint."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        complaint = ""
        with (
            self.log.open("a", encoding="utf-8") as log,
            subprocess.Popen(  # noqa: S603 - venv and pip of our own choice, arguments as a list
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            for line in process.stdout or ():
                log.write(line)
                if line.strip() and not complaint.startswith("ERROR"):
                    complaint = line.strip()
                if line.startswith(("Collecting ", "Installing collected", "Successfully built")):
                    tell(line.strip()[:100])
        if process.returncode:
            offline = any(word in complaint for word in _NO_NETWORK)
            what = "a package could not be fetched" if offline else "a package could not be installed"
            fix = "check the network or pip's index" if offline else "see the log"
            raise UnavailableError(
                f"{what} ({complaint[:200] or 'no message'})",
                fix=f"{fix}, and run dqa models vbench-env again: it goes on where it was",
                where=str(self.log),
            )


def listing() -> tuple[Path, str]:
    """The file of exact versions, and its SHA-256."""
    path = deployment_folder("workers") / "vbench" / "constraints.txt"
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def find_python(given: Path | None) -> Path:
    """A Python 3.11: the given one, the running one, or the one on the path.

    Raises:
        UnavailableError: there is none, or the given one is another version.
    """
    if given is None and sys.version_info[:2] == PYTHON:
        return Path(sys.executable)
    name = "python3.11"
    found = given or shutil.which(name)
    if found is None:
        raise UnavailableError(
            "vbench's packages need Python 3.11, and there is none on the path",
            fix="install it, or name it with --python PATH",
        )
    if given is not None and _version(given) != PYTHON:
        raise UnavailableError("this is not a Python 3.11", fix="name one with --python PATH", where=str(given))
    return Path(found)


def _version(python: Path) -> tuple[int, ...]:
    code = "import sys; sys.stdout.write('%d %d' % sys.version_info[:2])"
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own choice of a Python
            [str(python), "-I", "-c", code], capture_output=True, text=True, timeout=30, check=True
        )
        return tuple(int(part) for part in done.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError):
        return ()
