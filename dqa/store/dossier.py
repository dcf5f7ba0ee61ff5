"""Everything kept of a user as one JSON document, written piece by piece.

Each page of rows is a read of its own, so that a slow reader of the document holds no transaction open.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from dqa.store import references
from dqa.store.engine import reading
from dqa.store.jobs import Jobs
from dqa.store.selections import Selection, read
from dqa.store.tables import (
    adapter_rewards,
    evaluations,
    generations,
    jobs,
    media,
    refinements,
    selections,
    trainings,
    tuner_heads,
    tuner_steps,
    user_styles,
)

SCHEMA = "dqa.user/1"
_AT_ONCE = 100
_KEYED = frozenset({"user"})


def write(engine: sa.Engine, user: str, folders: Sequence[Path]) -> Iterator[str]:
    """The document's text; ``folders`` are those that hold the user's adapters."""
    created = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = json.dumps({"schema": SCHEMA, "user": user, "created": created})
    yield head[:-1]
    for name, items in _lists(engine, user, folders).items():
        yield f", {json.dumps(name)}: ["
        for number, item in enumerate(items):
            yield f"{',' if number else ''}\n{item}"
        yield "]"
    yield f', "style": {_style(engine, user)}}}\n'


_CALIBRATION = ("calibration", "axes", "axes_toml", "run_tag", "ref_desc", "negative", "seed")


def choice_line(selection: Selection) -> dict[str, JsonValue]:
    """A choice as ``dqa choose --import`` takes it."""
    line: dict[str, JsonValue] = {
        "test_id": selection.test_id,
        "user": selection.user,
        "a": selection.a,
        "b": selection.b,
        "chosen": selection.chosen,
        "timestamp": selection.created,
    }
    if selection.left is not None:
        line["left"] = selection.left
    if selection.why:
        line["why"] = list[JsonValue](selection.why)
    return line


def choices(engine: sa.Engine, user: str) -> Iterator[Selection]:
    """A user's choices in the order they came."""
    after = 0
    while True:
        query = sa.select(selections).where(selections.c.user == user, selections.c.seq > after)
        with reading(engine) as connection:
            page = read(connection, query.order_by(selections.c.seq).limit(_AT_ONCE))
        if not page:
            return
        yield from page
        after = page[-1].seq


def _lists(engine: sa.Engine, user: str, folders: Sequence[Path]) -> dict[str, Iterator[str]]:
    def rows(column: sa.Column[Any], form: Callable[[sa.RowMapping], str]) -> Iterator[str]:
        return (form(row) for row in _paged(engine, user, column))

    return {
        "evaluations": rows(evaluations.c.id, lambda row: str(row["record"])),
        "jobs": rows(jobs.c.id, lambda row: _job(engine, row)),
        "choices": (json.dumps(choice_line(choice)) for choice in choices(engine, user)),
        "steps": rows(tuner_steps.c.version, _opened("output", "taste", "excluded")),
        "serving": rows(tuner_heads.c.profile, _opened("excluded")),
        "trainings": rows(trainings.c.id, _opened("request", "progress", "outcome", without=frozenset({"owner"}))),
        "adapters": (json.dumps(file) for folder in folders for file in _files(folder)),
        "rewards": _rewards(engine, user),
        "refinements": rows(refinements.c.id, lambda row: str(row["record"])),
        "generations": rows(generations.c.id, _opened("request", "error", without=frozenset({"owner", "submitted"}))),
        "media": _media(engine, user),
    }


def _paged(engine: sa.Engine, user: str, column: sa.Column[Any]) -> Iterator[sa.RowMapping]:
    """A user's rows of a table, by a column that no two of them share."""
    table = column.table
    last: Any = None
    while True:
        query = sa.select(table).where(table.c.user == user).order_by(column).limit(_AT_ONCE)
        with reading(engine) as connection:
            page = connection.execute(query if last is None else query.where(column > last)).mappings().all()
        if not page:
            return
        yield from page
        last = page[-1][column.name]


def _opened(*columns: str, without: frozenset[str] = frozenset()) -> Callable[[sa.RowMapping], str]:
    """A row as JSON, with what some columns hold as JSON text opened up."""

    def form(row: sa.RowMapping) -> str:
        kept = {name: value for name, value in row.items() if name not in _KEYED | without}
        return json.dumps({name: _parsed(value) if name in columns else value for name, value in kept.items()})

    return form


def _parsed(text: str | None) -> JsonValue:
    return json.loads(text) if text else None


def _job(engine: sa.Engine, row: sa.RowMapping) -> str:
    """Without the places on the service's disk, which are nobody's data; a calibration with the report it made."""
    request = json.loads(row["request"])
    asked = {name: request.get(name) for name in ("media", "prompt", "profile", "channels")}
    told = {"id": row["id"], "created": row["created"], "status": row["status"], "request": asked}
    if "calibration" in request:
        asked |= {name: request[name] for name in _CALIBRATION if name in request}
        asked["reference"] = references.named_in(request)
        told["report"] = Jobs(engine).report(row["id"])
    return json.dumps({**told, "error": _parsed(row["error"])})


def _files(folder: Path) -> Iterator[dict[str, JsonValue]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            name = path.relative_to(folder).as_posix()
            yield {"file": name, "sha256": digest, "bytes": path.stat().st_size}


def _rewards(engine: sa.Engine, user: str) -> Iterator[str]:
    table = adapter_rewards
    query = sa.select(table.c.adapter, table.c.evaluation, table.c.reward).where(table.c.user == user)
    with reading(engine) as connection:
        found = connection.execute(query.order_by(table.c.adapter, table.c.evaluation)).mappings().all()
    return (json.dumps(dict(row)) for row in found)


def _media(engine: sa.Engine, user: str) -> Iterator[str]:
    """The uploads this user had judged, or compared others with, and the clips made for this user."""
    judged = sa.select(evaluations.c.sha256).where(evaluations.c.user == user)
    asked = sa.select(jobs.c.media_id).where(jobs.c.user == user, jobs.c.media_id.is_not(None))
    made = sa.select(generations.c.media_id).where(generations.c.user == user, generations.c.media_id.is_not(None))
    query = sa.select(media.c.id, media.c.sha256, media.c.name, media.c.bytes).order_by(media.c.id)
    with reading(engine) as connection:
        beside = references.uploads_of(connection, user)
        ids = (media.c.id.in_(named) for named in (asked, made, beside))
        query = query.where(sa.or_(media.c.sha256.in_(judged), *ids))
        found = connection.execute(query).mappings().all()
    return (json.dumps(dict(row)) for row in found)


def _style(engine: sa.Engine, user: str) -> str:
    query = sa.select(user_styles.c.style).where(user_styles.c.user == user)
    with reading(engine) as connection:
        return json.dumps(_parsed(connection.scalar(query)))
