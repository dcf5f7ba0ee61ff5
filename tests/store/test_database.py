"""The database itself: migrations, several processes at once, and its failures as sentences."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dqa.config import Settings
from dqa.errors import ConfigError, UnavailableError
from dqa.ids import new_id
from dqa.store import NewJob, Store
from dqa.store.engine import create, explain
from dqa.store.migrate import HEAD, alembic_config
from dqa.store.tables import metadata
from dqa.testing import scripted_record

ROOT = Path(__file__).parents[2]


def test_the_migrations_make_the_tables_the_code_uses(store: Store, settings: Settings) -> None:
    engine = create(settings.database)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD


def test_two_processes_that_start_at_once_make_one_database(tmp_path: Path) -> None:
    code = (
        "import sys; from dqa.config import Settings; from dqa.store import Store;"
        "Store.open(Settings(home=sys.argv[1])).close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in started:
        assert process.communicate()[1] == b""
        assert process.returncode == 0


def test_opening_what_is_up_to_date_is_quick_and_leaves_alembic_alone(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    Store.open(home).close()
    code = (
        "import sys, time; from dqa.config import Settings; from dqa.store import Store;"
        "home = Settings(home=sys.argv[1]);"
        "began = time.process_time(); Store.open(home).close();"
        "print(time.process_time() - began, 'alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, alembic = done.stdout.split()
    assert alembic == "False"
    assert float(seconds) < 0.5, "CPU seconds; 0.004 where it was measured"


def test_a_newer_database_is_refused_unharmed(tmp_path: Path) -> None:
    home = Settings(home=tmp_path)
    Store.open(home).close()
    with sqlite3.connect(tmp_path / "dqa.sqlite3") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(UnavailableError, match="newer version"):
        Store.open(home)


@pytest.mark.parametrize("url", ["nonsense", "mysql://x", "sqlite+foo://x"])
def test_a_malformed_url_names_the_setting(tmp_path: Path, url: str) -> None:
    with pytest.raises((ConfigError, UnavailableError)):
        Store.open(Settings(home=tmp_path, database_url=url))


def test_a_full_disk_is_one_clear_sentence_and_loses_nothing(tmp_path: Path) -> None:
    store = Store.open(Settings(home=tmp_path))
    kept = scripted_record(new_id("ev"))
    store.save_record(kept, tmp_path)

    def small(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 2}")

    sa.event.listen(store._engine, "checkout", small)
    big = scripted_record(new_id("ev"), "x" * 100_000)
    with pytest.raises(UnavailableError, match="the disk is full"):
        store.save_record(big, tmp_path)
    assert store.get_record(kept.id) == kept
    assert [r.id for r in store.list_records(9)] == [kept.id]
    store.close()


def test_a_database_that_another_writes_for_long_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dqa.store.engine._BUSY_S", 0.1)
    store = Store.open(Settings(home=tmp_path))
    other = sqlite3.connect(tmp_path / "dqa.sqlite3")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(UnavailableError, match="busy"):
        store.save_record(scripted_record(new_id("ev")), tmp_path)
    assert store.list_records(1) == [], "readers go on"
    other.rollback()
    other.close()
    store.close()


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "dqa.sqlite3").write_bytes(b"not a database, but long enough to look at" * 100)
    with pytest.raises(UnavailableError, match="not a database"):
        Store.open(Settings(home=tmp_path))


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnavailableError, match="state folder"):
        Store.open(Settings(home=tmp_path / "file" / "home"))


def test_unknown_failures_tell_no_details() -> None:
    assert "secret" not in explain("secret internals").sentence()


def test_a_write_is_whole_or_not_at_all_when_the_process_is_killed(tmp_path: Path) -> None:
    """A child writes pairs of rows until it is killed; every job that exists has its event."""
    code = (
        "import sys; from dqa.config import Settings; from dqa.store import Store, NewJob; from dqa.ids import new_id\n"
        "store = Store.open(Settings(home=sys.argv[1]))\n"
        "while True: store.jobs.add(NewJob(new_id('ev'), 'u', 'p', {}), 10**6); print('one more', flush=True)"
    )
    for _ in range(int(os.environ.get("DQA_TEST_KILLS", "3"))):
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.2)
        child.kill()
        child.communicate()
    store = Store.open(Settings(home=tmp_path))
    jobs = store.jobs.count("queued")
    assert jobs > 0
    assert len(store.jobs.events(0, limit=10**6)) == jobs
    with sqlite3.connect(tmp_path / "dqa.sqlite3") as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
    store.jobs.add(NewJob(new_id("ev"), "u", "p", {}), 10**6)
    store.close()
