"""Progress of a run over ComfyUI's websocket, where the package ``websockets`` is installed.

It only reports: whether a run is done is decided by polling, so that a lost socket costs nothing.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Generator
from typing import Any

Progress = Callable[[str, float | None], None]
"""Told what the server does, and the share that is done where that is known."""

_LARGEST = 16 * 2**20
_CONNECT_S = 5.0


@contextlib.contextmanager
def watching(url: str, prompt_id: str, tell: Progress) -> Generator[None]:
    """Tells ``tell`` of each node and step of a run while the block runs. ``prompt_id`` is the client id, too."""
    try:
        from websockets.sync.client import connect
    except ModuleNotFoundError:
        yield
        return
    address = "ws" + url.removeprefix("http") + f"/ws?clientId={prompt_id}"
    try:
        socket = connect(address, open_timeout=_CONNECT_S, close_timeout=1, max_size=_LARGEST, proxy=None)
    except Exception:  # noqa: BLE001 - whatever keeps the socket from opening, the run goes on without it
        yield
        return
    with socket:
        reader = threading.Thread(target=_read, args=(socket, prompt_id, tell), daemon=True)
        reader.start()
        yield
    reader.join(timeout=2)


def _read(socket: Any, prompt_id: str, tell: Progress) -> None:
    # A socket that closes, breaks or says something odd ends the reports, and nothing else.
    with contextlib.suppress(Exception):
        for message in socket:
            if isinstance(message, str):  # binary messages are previews
                _pass_on(json.loads(message), prompt_id, tell)


def _pass_on(message: dict[str, Any], prompt_id: str, tell: Progress) -> None:
    data = message.get("data") or {}
    if data.get("prompt_id") != prompt_id:
        return
    if message.get("type") == "progress" and data.get("max"):
        tell(f"node {data.get('node')}", float(data["value"]) / float(data["max"]))
    elif message.get("type") == "executing" and data.get("node"):
        tell(f"node {data['node']}", None)
