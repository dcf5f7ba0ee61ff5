"""Which addresses are open without a token, and which are pages that lead to the login instead of refusing."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

LOGIN = "/login"
HOME = "/choose"

_PAGE = re.compile(r"/(?:choose|taste|refinements|evaluations(?:/\w{1,64})?)?", re.ASCII)
_ASSET = re.compile(r"/assets/[\w.-]{1,64}", re.ASCII)
_PRINTABLE = re.compile(r"[!-\[\]-~]{1,2000}", re.ASCII)


def is_page(path: str) -> bool:
    """Whether that is a page for people.

    >>> is_page("/taste"), is_page("/evaluations/ev_1"), is_page("/v1/tuner")
    (True, True, False)
    """
    return _PAGE.fullmatch(path) is not None


def needs_no_token(method: str, path: str) -> bool:
    """The login itself, and what it looks like; Host and Origin are checked there too."""
    return path == LOGIN or (method in ("GET", "HEAD") and _ASSET.fullmatch(path) is not None)


def login_for(path: str, query: str) -> str:
    """The login's address that leads on to a page."""
    return f"{LOGIN}?{urlencode({'next': path + (f'?{query}' if query else '')})}"


def safe_next(asked: str | None) -> str:
    """Where to go after the login: a page of this service, whatever was asked.

    >>> safe_next("/taste?user=ann"), safe_next("//evil.example/taste"), safe_next("https://evil.example")
    ('/taste?user=ann', '/choose', '/choose')
    """
    if not asked or _PRINTABLE.fullmatch(asked) is None:
        return HOME
    try:
        parts = urlsplit(asked)
    except ValueError:
        return HOME
    ours = not parts.scheme and not parts.netloc and not parts.fragment and is_page(parts.path)
    return asked if ours and parts.path != "/" and not asked.startswith("//") else HOME
