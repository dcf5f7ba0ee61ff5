"""A real headless Chromium that tells what a page complained of and whom it asked; it can reach this machine only."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.report.browser import CHROMIUM

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--no-first-run", "--no-default-browser-check", "--mute-audio",
    "--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding", "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
_OWN_MACHINE = re.compile(r"^(?:127\.0\.0\.1|localhost)$")


@dataclass
class Watch:
    """What a page did besides showing itself.

    Attributes:
        complaints: console errors and warnings, Content-Security-Policy violations, uncaught exceptions.
        requests: every URL asked for.
        expected: parts of complaints that the test causes on purpose.
    """

    complaints: list[str] = field(default_factory=list[str])
    requests: list[str] = field(default_factory=list[str])
    expected: list[str] = field(default_factory=list[str])

    def expect(self, *parts: str) -> None:
        """Names complaints that are no fault, e.g. the browser's own line about a 404 that the test makes."""
        self.expected += parts

    def strangers(self) -> list[str]:
        """Requests to any other machine."""
        asked = [urlsplit(url) for url in self.requests]
        return [url.geturl() for url in asked if url.scheme != "blob" and not _OWN_MACHINE.match(url.hostname or "")]

    def unexpected(self) -> list[str]:
        return [line for line in self.complaints if not any(part in line for part in self.expected)]

    def listen(self, context: BrowserContext) -> None:
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("console", lambda line: self._note(line.type, line.text))
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")


@contextmanager
def browser() -> Iterator[Browser]:
    """The browser, for as long as tests need it."""
    assert CHROMIUM is not None
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_FLAGS))
        try:
            yield started
        finally:
            started.close()


@contextmanager
def visit(started: Browser, **options: object) -> Iterator[tuple[Page, Watch]]:
    """A fresh profile with one page; fails when the page complained, or asked anyone but this machine."""
    context = started.new_context(**{"viewport": {"width": 1200, "height": 900}, **options})  # type: ignore[arg-type]
    context.set_default_timeout(45_000)
    watch = Watch()
    watch.listen(context)
    try:
        yield context.new_page(), watch
    finally:
        context.close()
    complaints, strangers = watch.unexpected(), watch.strangers()
    assert not complaints, "\n".join(complaints)
    assert not strangers, "\n".join(strangers)
