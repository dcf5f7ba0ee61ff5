"""Asking over HTTP whether something is well, and whether a port is free."""

from __future__ import annotations

import socket

import httpx

_PATIENCE_S = 5.0


def answers(url: str, key: str | None = None) -> bool:
    """Whether ``url`` answers with success within a few seconds."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        # A proxy set for the outside world has no business between us and our own processes.
        with httpx.Client(timeout=_PATIENCE_S, trust_env=False, headers=headers) as client:
            return client.get(url).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def port_is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on ``port`` now."""
    with socket.socket() as probe:
        # As servers do, so that a port in its resting time after a close counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
