"""Where the service is and what token it takes: never an input of a node, so never in a workflow or an image.

``DQA_URL``, ``DQA_TOKEN`` and ``DQA_TIMEOUT_S``, else ``dqa.json`` in ComfyUI's user folder:
``{"url": "http://127.0.0.1:8765", "token": "...", "timeout_s": 1800}``.

An address in the workflow would be one that the workflow's author chose, and would be sent the token.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from . import host
from .errors import DQAProblem

DEFAULT_URL = "http://127.0.0.1:8765"
DEFAULT_TIMEOUT_S = 1800.0
_NAMES = ("url", "token", "timeout_s")


@dataclass(frozen=True)
class Connection:
    """A service. ``url`` has no trailing slash; the token is kept out of what is printed."""

    url: str
    token: str = field(default="", repr=False)
    timeout_s: float = DEFAULT_TIMEOUT_S


def connection() -> Connection:
    """The service as it is set now: read anew for each run, so that a change needs no restart.

    Raises:
        DQAProblem: a setting is malformed; the token is never quoted.
    """
    given: dict[str, Any] = {**_from_file(), **_from_environment()}
    url = str(given.get("url") or DEFAULT_URL).strip().rstrip("/")
    token = str(given.get("token") or "").strip()
    _check_url(url)
    if not token.isascii() or any(c.isspace() or not c.isprintable() for c in token):
        raise DQAProblem("DQA_TOKEN holds what no token can; copy it again, without spaces or line breaks.")
    try:
        timeout_s = float(given.get("timeout_s") or DEFAULT_TIMEOUT_S)
    except (TypeError, ValueError):
        timeout_s = 0.0
    if not 0 < timeout_s < 7 * 86400:
        raise DQAProblem("DQA_TIMEOUT_S is no number of seconds; write it like 1800.")
    return Connection(url, token, timeout_s)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
        parts = urlsplit("")
    if not sound or parts.username or parts.password or parts.query or parts.fragment:
        raise DQAProblem("DQA_URL is no address of a DQA service; write it like http://127.0.0.1:8765.")


def _from_environment() -> dict[str, str]:
    given = {name: os.environ.get(f"DQA_{name.upper()}", "") for name in _NAMES}
    return {name: value for name, value in given.items() if value}


def _from_file() -> dict[str, Any]:
    folder = host.user_folder()
    path = None if folder is None else folder / "dqa.json"
    if path is None or not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict) or not set(found) <= set(_NAMES):
        raise DQAProblem('dqa.json in ComfyUI\'s user folder can\'t be used; write {"url": "...", "token": "..."}.')
    return found
