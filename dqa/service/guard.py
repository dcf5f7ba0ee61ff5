"""Who may talk to the service at all: checked on headers alone, before a byte of a body is read (ASGI layer)."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dqa.config import Settings
from dqa.errors import DQAError
from dqa.service.doors import is_page, login_for, needs_no_token
from dqa.service.headers import SECURITY_HEADERS
from dqa.service.limits import HttpLimits
from dqa.service.problems import HeadersTooLarge, HostRefused, OriginRefused, Unauthorized, problem_of, respond
from dqa.service.sessions import Sessions

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Answer anyone, whatever name was asked for: they tell nothing, and orchestrators ask by address."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Checks header size, Host, token or session, and Origin; adds the security headers to every answer."""

    def __init__(self, app: ASGIApp, settings: Settings, limits: HttpLimits, sessions: Sessions) -> None:
        self._app = app
        self._limits = limits
        self._hosts = served_hosts(settings)
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope, Headers(scope=scope))
        except DQAError as error:
            if isinstance(error, Unauthorized) and scope["method"] in ("GET", "HEAD") and is_page(scope["path"]):
                onward = login_for(scope["path"], scope["query_string"].decode("latin-1"))
                await RedirectResponse(onward, 303, SECURITY_HEADERS)(scope, receive, send)
                return
            extra = {"WWW-Authenticate": "Bearer"} if error.status == Unauthorized.status else None
            await respond(problem_of(error), extra)(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send))

    def _check(self, scope: Scope, headers: Headers) -> None:
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        if len(raw) > self._limits.headers or sum(len(k) + len(v) for k, v in raw) > self._limits.header_bytes:
            raise HeadersTooLarge("the request has too many or too long headers", fix="send fewer")
        if scope["path"] in OPEN_PATHS:
            return
        self._check_host(headers)
        if not needs_no_token(scope["method"], scope["path"]):
            self._check_token(scope, headers)
        if scope["method"] not in _SAFE_METHODS:
            _check_origin(headers)

    def _check_host(self, headers: Headers) -> None:
        # A web page can make a browser call this machine by a name of its own (DNS rebinding); the name gives it away.
        hosts = headers.getlist("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self._hosts:
            raise HostRefused("this host name is not served", fix="add it to DQA_ALLOWED_HOSTS")

    def _check_token(self, scope: Scope, headers: Headers) -> None:
        if not self._sessions.needed:
            return
        if "authorization" not in headers and self._sessions.valid(headers.get("cookie")):
            self._check_session_use(scope, headers)
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        same = self._sessions.is_token(given.strip())
        if scheme.lower() != "bearer" or not same:
            raise Unauthorized("a valid token is needed", fix="send Authorization: Bearer with the service's token")

    def _check_session_use(self, scope: Scope, headers: Headers) -> None:
        # A browser sends its cookie by itself, so what changes anything must also say which page it comes from.
        if scope["method"] not in _SAFE_METHODS and "origin" not in headers:
            raise OriginRefused("the request does not say where it comes from", fix="send its Origin")
        scope["dqa.session"] = True


def _check_origin(headers: Headers) -> None:
    origin = headers.get("origin")
    site = headers.get("sec-fetch-site", "none")
    if origin is not None and (origin == "null" or _host_of(origin) != headers.get("host")):
        raise OriginRefused("the request comes from another web site", fix="call the service from its own pages")
    if site not in ("none", "same-origin"):
        raise OriginRefused("the request comes from another web site", fix="call the service from its own pages")


def _host_of(origin: str) -> str | None:
    """Name and port of an origin; None where it is none, which is no host's."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def served_hosts(settings: Settings) -> frozenset[str]:
    """Names the service answers to: loopback, the bound address, its public URL, and what is allowed on top."""
    names = {"localhost", "127.0.0.1", "::1", *settings.allowed_hosts}
    names |= {settings.host} - {"0.0.0.0", "::", ""}  # noqa: S104 - compared, not bound
    names |= {urlsplit(settings.url).hostname or ""} if settings.url else set()
    return frozenset(name.lower().strip("[]") for name in names if name)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets; empty when malformed.

    >>> host_name("[::1]:8765"), host_name("LOCALHOST:80"), host_name("a@localhost")
    ('::1', 'localhost', '')
    """
    if any(c in host for c in "/@?#\\ \t"):
        return ""
    try:
        parts = urlsplit(f"//{host}")
        return (parts.hostname or "") if parts.port is None or parts.port >= 0 else ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
