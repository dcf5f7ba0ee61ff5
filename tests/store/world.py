"""A store with several users who share uploads: what one of them leaves behind must be his alone."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dqa.ids import new_id, user_key
from dqa.record import EvaluationRecord
from dqa.store import NewJob, Store
from dqa.store import tables as t
from dqa.store.engine import reading, writing
from dqa.store.keys import IdempotencyKey
from dqa.store.selections import Selection
from dqa.testing import scripted_record

USER_TABLES = [table for table in t.metadata.sorted_tables if "user" in table.c]


def canary(user: str) -> str:
    """A word that stands in every text this user wrote; the name is not in it."""
    return f"canary-{user[::-1]}"


def upload(store: Store, content: bytes, name: str) -> tuple[str, str]:
    """Keeps an upload; returns its id and SHA-256."""
    part = store.media.temporary()
    part.write_bytes(content)
    sha256 = hashlib.sha256(content).hexdigest()
    kept, _ = store.media.add(part, sha256, ".mp4", name, IdempotencyKey(new_id("key"), "media", sha256))
    return kept.id, sha256


def judged(user: str, sha256: str, n: int = 0) -> EvaluationRecord:
    prompt = f"a wolf {n}, {canary(user)}, " + "moonlit forest " * (n % 40)
    return scripted_record(new_id("ev"), prompt, user, f"{canary(user)}.mp4", sha256)


def evaluate(store: Store, user: str, media_id: str, sha256: str, n: int = 0) -> str:
    """An evaluation as the service makes it: asked for under a key, run, done."""
    record = judged(user, sha256, n)
    asked: dict[str, Any] = {"media": media_id, "prompt": record.prompt, "path": "x.mp4", "user": user}
    key = IdempotencyKey(f"{canary(user)}-{record.id}", "evaluations", sha256)
    store.jobs.add(NewJob(record.id, user, "embedded", asked, media_id), 1000, key)
    leased = store.jobs.lease("me", 60)
    assert leased is not None
    store.jobs.progress(leased.id, "me", "decode", 0.5)
    assert store.jobs.complete(leased.id, "me", record, f"/clips/{canary(user)}/{n}.mp4")
    return record.id


def furnish(store: Store, home: Path, user: str, shared: tuple[str, str], rng: random.Random) -> None:
    """Something of this user in every table and folder."""
    own = upload(store, f"clip of {canary(user)}".encode(), f"{canary(user)}.mp4")
    pool = [own, shared]
    ids = [evaluate(store, user, *pool[n % 2], n) for n in range(rng.randint(2, 6))]
    for n in range(rng.randint(3, 8)):
        a, b = rng.choice(ids[::2]), rng.choice(ids[1::2])  # of one's own clip and the shared one
        store.selections.add(Selection(user, f"{canary(user)}-{n}", a, b, "a", why=(canary(user),)))
    _rows(store, user, ids[0])
    folder = home / "adapters" / user_key(user) / "v1"
    folder.mkdir(parents=True)
    (folder / "adapter.safetensors").write_bytes(b"weights of " + canary(user).encode())


def _rows(store: Store, user: str, evaluation: str) -> None:
    with writing(engine_of(store)) as connection:
        for table, values in {
            t.tuner_steps: {
                "version": 1,
                "created": "now",
                "consumed": 1,
                "output": json.dumps({"patterns": [canary(user)]}),
                "taste": json.dumps({"version": 1, "style": {"likes": [canary(user)]}}),
            },
            t.tuner_heads: {"profile": "embedded", "excluded": "[]", "updated": "now"},
            t.user_styles: {"style": json.dumps({"likes": [canary(user)], "dislikes": []}), "updated": "now"},
            t.trainings: {
                "id": new_id("tr"),
                "profile": "embedded",
                "status": "done",
                "request": json.dumps({"note": canary(user)}),
                "progress": "{}",
                "outcome": json.dumps({"promoted": True}),
                "created": 1.0,
            },
            t.adapter_rewards: {"adapter": "v1", "evaluation": evaluation, "reward": 0.25},
            t.refinements: {
                "id": (refined := new_id("rf")),
                "created": "now",
                "profile": "embedded",
                "outcome": "accepted",
                "cycles": 1,
                "accepted": evaluation,
                "record": json.dumps({"id": refined, "brief": canary(user)}),
            },
            t.generations: {
                "id": new_id("gen"),
                "created": 1.0,
                "status": "cancelled",
                "request": json.dumps({"prompt": canary(user)}),
                "run": "a run",
                "submitted": False,
            },
        }.items():
            connection.execute(table.insert().values(user=user, **values))


def engine_of(store: Store) -> sa.Engine:
    return store._engine


def rows_of(store: Store, user: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a user, by table."""
    with reading(engine_of(store)) as connection:
        return {
            table.name: sorted(
                (tuple(row) for row in connection.execute(sa.select(table).where(table.c.user == user))), key=str
            )
            for table in USER_TABLES
        }


def files_with(home: Path, word: str) -> list[str]:
    """Files of the state folder whose name or bytes hold a word, database and its log included."""
    found = [p for p in home.rglob("*") if word in p.name or (p.is_file() and word.encode() in p.read_bytes())]
    return [p.relative_to(home).as_posix() for p in found]
