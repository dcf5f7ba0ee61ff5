"""Ray, started for the moment on this machine or joined where the operator runs it.

Who reaches a Ray cluster runs code on it, and by itself Ray asks nobody who they are. So a cluster that does not ask
for a token is refused. The one that is started here asks for one that lives as long as it does, and listens on
loopback.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import psutil

from dqa.errors import UnavailableError, UsageError

_OBJECTS_BYTES = 100 * 2**20
"""Ray's shared memory; the least that it takes is 75 MB, and only text goes through it."""

_LONGEST_FOLDER = 40
"""Ray puts sockets some 60 characters below its folder, and a socket's path may have 107."""

_PREFIX = "dqa-ray-"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_CONNECT_S = 5

_PROBE = "import sys; from ray._raylet import GcsClient; GcsClient(address=sys.argv[1])"
_PROBE_S = 30

_CLOSE_IT = "start it with RAY_AUTH_MODE=token on every machine (docs/how-to/cluster.md)"


@contextmanager
def connected(address: str | None) -> Generator[Any]:
    """The module ``ray``, connected; afterwards no longer, and what was started for it has ended.

    Until then nothing gets to stdout, where Ray tells of machines that died, and Ray's settings are in the environment.

    Args:
        address: ``host:port`` of a running cluster; None starts one on this machine.

    Raises:
        UnavailableError: Ray is not installed, does not start, or no cluster is there.
        UsageError: the cluster takes anyone.
    """
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        _environment_restored(),
        _started() if address is None else _joined(address) as ray,
    ):
        yield ray


@contextmanager
def _environment_restored() -> Generator[None]:
    """Else a cluster joined later in this process would be offered the token of one that is gone."""
    before = _ray_settings()
    try:
        yield
    finally:
        for name in _ray_settings():
            del os.environ[name]
        os.environ.update(before)


def _ray_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("RAY_")}


def _imported(**environment: str) -> Any:
    # All of this is read as it is imported. It would tell its makers of each start, and wrap itself around uv.
    os.environ.update(
        RAY_USAGE_STATS_ENABLED="0",
        RAY_ENABLE_UV_RUN_RUNTIME_ENV="0",
        RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0",
        **environment,
    )
    try:
        import ray
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "ray":
            raise
        raise UnavailableError(
            "the Python package ray is not installed", fix="run make setup, or pip install 'dqa[cluster]'"
        ) from None
    return ray


@contextmanager
def _started() -> Generator[Any]:
    ray = _imported(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    _stay_on_loopback()
    parent = _short(tempfile.gettempdir())
    _sweep(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))
    try:
        _init(
            ray,
            address="local",
            include_dashboard=False,
            object_store_memory=_OBJECTS_BYTES,
            _temp_dir=str(folder),
            _node_ip_address="127.0.0.1",
        )
        yield ray
    finally:
        ray.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


def _stay_on_loopback() -> None:
    """Else Ray takes the machine's outward address for 127.0.0.1. There is no public way to say so."""
    from ray._private import ray_constants

    ray_constants.ENABLE_RAY_CLUSTER = False


def _sweep(parent: Path) -> None:
    """Takes away what runs left behind that were killed."""
    for folder in parent.glob(f"{_PREFIX}*-*"):
        pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _short(folder: str) -> Path:
    return Path(folder if len(folder) <= _LONGEST_FOLDER else "/tmp")  # noqa: S108 - mkdtemp makes a private one in it


@contextmanager
def _joined(address: str) -> Generator[Any]:
    if os.environ.get("RAY_AUTH_MODE") != "token":
        raise UsageError(
            "a Ray cluster that asks for no token runs anyone's code, so none is joined without one",
            fix=f"set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH; {_CLOSE_IT}",
            where=address,
        )
    host = _answering(address)
    ray = _imported()
    if host in _LOOPBACK:
        _stay_on_loopback()
    try:
        _init(ray, address=address)
        if _takes_anyone(address):
            raise UsageError("this Ray cluster takes anyone, with or without a token", fix=_CLOSE_IT, where=address)
        yield ray
    finally:
        with suppress(Exception):  # what is not connected need not be left
            ray.shutdown()


def _answering(address: str) -> str:
    """The host of an address at which somebody listens: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise UsageError("this is no address of a Ray cluster", fix="give host:port, e.g. 10.0.0.5:6379", where=address)
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _nothing_there(address, getattr(error, "strerror", None) or str(error)) from None
    return host


def _nothing_there(address: str, what: str) -> UnavailableError:
    fix = "see ray status there, and check DQA_RAY_ADDRESS and the token"
    return UnavailableError(f"there is no Ray cluster to join ({what.lower()})", fix=fix, where=address)


def _init(ray: Any, **arguments: Any) -> None:
    try:
        ray.init(log_to_driver=False, configure_logging=False, **arguments)
    except Exception as error:
        what = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        address = arguments["address"]
        if address == "local":
            raise UnavailableError(f"Ray does not start here ({what})", fix="use --engine local") from error
        raise _nothing_there(address, what) from error


def _takes_anyone(address: str) -> bool:
    """Whether a cluster answers one who has no token."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    command = [sys.executable, "-P", "-c", _PROBE, address]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, arguments as a list
            command,
            env={**env, "RAY_AUTH_MODE": "disabled", "HOME": os.devnull},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PROBE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
