"""The files a page loads: listed once, so that a name from outside is looked up and never becomes a path."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file.

    Attributes:
        body: its bytes.
        media_type: what a browser must take it for.
        tag: its ETag, quotes included; another content has another one.
    """

    body: bytes
    media_type: str
    tag: str


def find_asset(name: str) -> Asset | None:
    """The file of that name, or None."""
    return _assets().get(name)


@cache
def _assets() -> dict[str, Asset]:
    found: dict[str, Asset] = {}
    for file in files("dqa.service.web").joinpath("static").iterdir():
        media_type = _TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            found[file.name] = _asset(file.read_bytes(), media_type)
    # A verdict looks the same in the page and in the report.
    report = files("dqa.report").joinpath("templates", "style.css").read_bytes()
    return found | {"report.css": _asset(report, _TYPES[".css"])}


def _asset(body: bytes, media_type: str) -> Asset:
    return Asset(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
