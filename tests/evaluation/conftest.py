"""Fake backends and loaders in the place of real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dqa.channels import registry
from dqa.models import pool
from tests.evaluation import fakes


@pytest.fixture(autouse=True)
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, home in fakes.BACKENDS.items():
        monkeypatch.setitem(registry.BACKENDS, name, home)
    monkeypatch.setitem(pool.FOUND, "fake", "tests.evaluation.fakes:load")
    fakes.EVENTS.clear()
    fakes.TROUBLE.clear()
    yield
    fakes.TROUBLE.clear()
