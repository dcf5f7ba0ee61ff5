"""What a list of verdicts shows, in rows small enough to read by the thousand; filled in for the records there are."""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_AT_ONCE = 200
_KEPT = ("id", "created", "user", "profile", "grade", "final")


def upgrade() -> None:
    op.create_table(
        "summaries",
        sa.Column("id", sa.String(40), sa.ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("grade", sa.String(2)),
        sa.Column("final", sa.Float),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("duration_s", sa.Float, nullable=False),
        sa.Column("excerpt", sa.String(300), nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
    )
    op.create_index("summaries_by_user", "summaries", ["user", "id"])
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    names = (*_KEPT, "record")
    evaluations = sa.table("evaluations", *(sa.column(name) for name in names))
    summaries = sa.table("summaries", *(sa.column(name) for name in (*_KEPT, *_summary({}))))
    last = ""
    while True:
        query = sa.select(evaluations).where(evaluations.c.id > last).order_by(evaluations.c.id).limit(_AT_ONCE)
        rows = connection.execute(query).mappings().all()
        if not rows:
            return
        last = rows[-1]["id"]
        values = [{**{name: row[name] for name in _KEPT}, **_summary(json.loads(row["record"]))} for row in rows]
        connection.execute(summaries.insert(), values)


def _summary(record: dict[str, Any]) -> dict[str, Any]:
    media = record.get("media", {})
    prompt = record.get("prompt", "").replace("\0", "�").encode("utf-8", "replace").decode("utf-8")
    return {
        "action": record.get("action", "review"),
        "kind": media.get("kind", "video"),
        "duration_s": media.get("duration_s", 0.0),
        "excerpt": prompt[:300],
        "folded": prompt.casefold(),
    }
