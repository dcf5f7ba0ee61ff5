"""Every store there is goes through the same tests: SQLite always, PostgreSQL where $DQA_TEST_POSTGRES names one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from dqa.config import Settings
from dqa.store import Store
from dqa.store.engine import create

POSTGRES = os.environ.get("DQA_TEST_POSTGRES")
"""URL of a PostgreSQL database that may be emptied."""


@pytest.fixture(params=["sqlite", "postgresql"] if POSTGRES else ["sqlite"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    if request.param == "sqlite":
        return Settings(home=tmp_path / "home")
    assert POSTGRES is not None
    engine = create(POSTGRES)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return Settings(home=tmp_path / "home", database_url=POSTGRES)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings)
    yield opened
    opened.close()
