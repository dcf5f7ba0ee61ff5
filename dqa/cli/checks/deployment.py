"""The deployment around the evaluator: state folder, log, store, service, agents."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dqa.cli import runtime
from dqa.cli.checks.agents import agents_side
from dqa.cli.checks.finding import Finding
from dqa.cli.logs import log_path
from dqa.cli.status import is_healthy
from dqa.config import Settings
from dqa.errors import DQAError


def deployment(settings: Settings) -> Iterator[Finding]:
    """State folder, logging, store, service, and what of the agents' side there is."""
    state = _state_folder(settings.home)
    yield state
    if state.level == "ok":
        yield _logging(settings.home)
        yield _store(settings)
    yield _roots(settings)
    yield _service(settings)
    yield from agents_side(settings)


def _state_folder(home: Path) -> Finding:
    folder = next(p for p in (home, *home.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Finding("state folder", "ok", str(home))
    except OSError as error:
        found = f"{home} can't be written ({(error.strerror or str(error)).lower()})"
        return Finding("state folder", "fail", found, "set DQA_HOME to a folder you may write")


def _logging(home: Path) -> Finding:
    path = log_path(home)
    if not path.exists():
        return Finding("logging", "ok", f"will go to {path}")
    if not os.access(path, os.W_OK):
        return Finding("logging", "warn", f"{path} can't be written", "make it writable, or delete it")
    return Finding("logging", "ok", f"{path}, {path.stat().st_size / 1024:.0f} kB")


def _store(settings: Settings) -> Finding:
    if settings.database_url is None and not (settings.home / "dqa.sqlite3").exists():
        return Finding("store", "ok", "none yet; the first evaluation makes it")
    try:
        runtime.open_store(settings)
    except DQAError as error:
        return Finding("store", "fail", error.sentence())
    except Exception as error:  # noqa: BLE001 - whatever ails the database is what this check is for
        fix = "check DQA_DATABASE_URL, or move the file away: a new one is made"
        return Finding("store", "fail", f"does not open ({type(error).__name__})", fix)
    return Finding("store", "ok", "opens, schema up to date")


def _roots(settings: Settings) -> Finding:
    missing = [str(root) for root in settings.roots if not root.is_dir()]
    if missing:
        return Finding("media folders", "warn", f"not there: {', '.join(missing)}", "correct DQA_ROOTS")
    if not settings.roots:
        return Finding("media folders", "ok", "none set: the service reads uploads only")
    return Finding("media folders", "ok", ", ".join(map(str, settings.roots)))


def _service(settings: Settings) -> Finding:
    if is_healthy(settings):
        return Finding("service", "ok", f"answers at {settings.service_url}")
    return Finding(
        "service", "warn", f"does not answer at {settings.service_url}", "start it with dqa serve, if you want it"
    )
