"""``dqa serve``: listens, says where, and stops in order."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from dqa.config import Settings
from dqa.errors import ConfigError, UnavailableError
from dqa.service import logs
from dqa.service.app import create_app
from dqa.service.connections import PatientProtocol
from dqa.service.guard import is_loopback
from dqa.service.supervisor import REAL_EVALUATOR

log = structlog.get_logger(__name__)

_GRACE_S = 5
"""How long requests under way may take to end once the service is told to stop."""


def serve(settings: Settings, *, evaluator: str = REAL_EVALUATOR) -> int:
    """Runs the service until SIGTERM or SIGINT.

    Once it listens, it writes one JSON line to stdout: ``{"url": ..., "pid": ...}``. Logs go to stderr.

    Returns:
        0 after an orderly stop.

    Raises:
        ConfigError: it would be reachable from other machines without a token.
        UnavailableError: the port is taken, the address can't be listened on, or the store can't be opened.
    """
    if not is_loopback(settings.host) and settings.token is None:
        raise ConfigError(
            f"listening on {settings.host} without a token would let anyone in",
            fix="set DQA_TOKEN, or listen on 127.0.0.1",
            where="DQA_HOST",
        )
    logs.configure(settings)
    with listen(settings.host, settings.port) as listener:
        bound = settings.model_copy(update={"port": listener.getsockname()[1]})
        _open_once(bound)
        app = create_app(bound, evaluator=evaluator)
        server = Server(app, lambda: _announce(bound))
        server.run(sockets=[listener])
    if not server.started:
        raise UnavailableError("the service could not start", fix="see the log")
    return 0


class Server(uvicorn.Server):
    """uvicorn, which tells when it listens, and lets waiting requests go when it is told to stop."""

    def __init__(self, app: FastAPI, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            loop="asyncio",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S,
            timeout_keep_alive=15,
            h11_max_incomplete_event_size=65_536,
        )
        super().__init__(config)
        self._app = app
        self._tell = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._tell()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        service = getattr(self._app.state, "service", None)
        if service is not None:
            service.changes.stopping = True  # event streams and waiting POSTs end now, not when their time is over
        # uvicorn's own would raise the signal again at the end, and an orderly stop would look like a crash.
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to that address; raises ``UnavailableError`` when it is taken."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise UnavailableError(
            f"can't listen on {host} port {port} ({reason.lower()})", fix="free the port, or give another with --port"
        ) from None
    return listener


def _open_once(settings: Settings) -> None:
    """Opens the store before anyone is let in, so that what is wrong with it is one clear sentence."""
    from dqa.store import Store

    Store.open(settings).close()


def _announce(settings: Settings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = settings.url or f"http://{host}:{settings.port}"
    sys.stdout.write(json.dumps({"url": url.rstrip("/"), "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    log.info("listening", url=url)
