"""A real headless browser, where there is one: opens a page, and tells its complaints and requests."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-extensions", "--no-first-run", "--no-default-browser-check", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0", "--virtual-time-budget=2000",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


@dataclass(frozen=True)
class Visit:
    """What a page came to: its document as the browser has it, console messages, URLs it asked for."""

    document: str
    console: list[str]
    requests: list[str]


def visit(page: Path, folder: Path, width: int = 1200, height: int = 900) -> Visit:
    """Opens ``page`` and waits until it is done."""
    assert CHROMIUM is not None
    log = folder / "net.json"
    done = subprocess.run(
        [
            CHROMIUM, *_FLAGS, f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--dump-dom",
            f"--window-size={width},{height}", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Visit(done.stdout, console, _requests(log))


def screenshot(page: Path, out: Path, folder: Path, width: int, height: int, *flags: str) -> None:
    """Writes a picture of ``page``."""
    assert CHROMIUM is not None
    subprocess.run(
        [
            CHROMIUM, *_FLAGS, f"--user-data-dir={folder / 'profile'}", f"--screenshot={out}",
            f"--window-size={width},{height}", *flags, page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip


def _requests(log: Path) -> list[str]:
    """URLs that the page asked for; what the browser asks for on its own account belongs to no file."""
    events = json.loads(log.read_text(encoding="utf-8"))["events"]
    asked = [event.get("params") or {} for event in events]
    return sorted({p["url"] for p in asked if str(p.get("network_isolation_key", "")).startswith("file://")})
