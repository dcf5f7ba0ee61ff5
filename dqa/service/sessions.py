"""Sessions of browsers: a cookie that proves the token was given once, and does not hold it.

The cookie is ``expiry.name.mac``: a time, a random name, and an HMAC over both whose key is derived from the token. It
can be checked without keeping anything, ends by itself, and a new token ends every session there is.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie

from dqa.config import Settings

LIFETIME_S = 12 * 3600
"""How long a browser stays logged in."""

_MOST_ENDED = 10_000
_MOST_GUESSERS = 4096
_GUESSES = 10
_GUESS_WINDOW_S = 60.0


class Sessions:
    """Makes, checks and ends sessions.

    Args:
        settings: the token, and the port (a browser keeps one jar for all ports of a host).
        clock: seconds since the epoch.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        token = settings.token.get_secret_value().encode() if settings.token else None
        self._token = token
        self._key = hmac.digest(token, b"dqa session 1", "sha256") if token is not None else b""
        self._clock = clock
        self._ended: OrderedDict[str, None] = OrderedDict()
        self.guesses = Guesses(clock)
        self.cookie = f"dqa_session_{settings.port}"
        # Behind a proxy that ends TLS the service itself sees http; the address it is known by tells.
        self.https = (settings.url or "").startswith("https://")

    @property
    def needed(self) -> bool:
        """Whether there is a token to give at all."""
        return self._token is not None

    def is_token(self, given: str) -> bool:
        """Whether that is the token; takes the same time whatever is given."""
        digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
        return self._token is not None and hmac.compare_digest(digest, hashlib.sha256(self._token).digest())

    def begin(self) -> str:
        """A new session's cookie value."""
        body = f"{int(self._clock()) + LIFETIME_S}.{secrets.token_urlsafe(16)}"
        return f"{body}.{self._mac(body)}"

    def valid(self, cookie_header: str | None) -> bool:
        """Whether a Cookie header holds a session that was begun here and is not over."""
        value = self._value(cookie_header)
        if self._token is None or value is None:
            return False
        body, _, mac = value.rpartition(".")
        if not hmac.compare_digest(self._mac(body).encode(), mac.encode("utf-8", "surrogatepass")):
            return False
        expiry, _, name = body.partition(".")
        return int(expiry) > self._clock() and name not in self._ended

    def end(self, cookie_header: str | None) -> None:
        """Ends the session of a Cookie header, on the server too: a copy of the cookie is worth nothing."""
        if not self.valid(cookie_header):
            return
        self._ended[str(self._value(cookie_header)).split(".")[1]] = None
        while len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)

    def _value(self, cookie_header: str | None) -> str | None:
        if not cookie_header or self.cookie not in cookie_header:
            return None
        try:
            found = SimpleCookie(cookie_header).get(self.cookie)
        except CookieError:
            return None
        return found.value if found is not None else None

    def _mac(self, body: str) -> str:
        return hmac.new(self._key, body.encode("utf-8", "surrogatepass"), "sha256").hexdigest()


class Guesses:
    """Counts wrong tokens by address; who has given too many waits."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Seconds until that address may guess again; 0 now."""
        recent = self._recent(address)
        return 0 if len(recent) < _GUESSES else max(1, int(recent[0] + _GUESS_WINDOW_S - self._clock()) + 1)

    def wrong(self, address: str) -> None:
        """Notes a wrong token."""
        self._wrong[address] = [*self._recent(address), self._clock()]
        self._wrong.move_to_end(address)
        while len(self._wrong) > _MOST_GUESSERS:
            self._wrong.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - _GUESS_WINDOW_S
        return [at for at in self._wrong.get(address, []) if at > since]
