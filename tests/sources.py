"""What a page would load or run: for tests that nothing of a report leaves the machine or runs in a browser."""

from __future__ import annotations

from html.parser import HTMLParser


class Sources(HTMLParser):
    """Everything that a page would load, as (tag, start of the address); a script, or what could start one, fails."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, (value or "")[:5]) for name, value in attrs if name in ("src", "href")]
        assert tag not in ("script", "iframe", "link")
        assert not any(name.startswith("on") for name, _ in attrs)
