"""Refinements (a brief taken to an accepted clip, cycle by cycle), and clips asked of a generator."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "refinements",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("cycles", sa.Integer, nullable=False),
        sa.Column("accepted", sa.String(40)),
        sa.Column("record", sa.Text, nullable=False),
    )
    op.create_index("refinements_by_user", "refinements", ["user", "id"])
    op.create_table(
        "generations",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("run", sa.String(40), nullable=False),
        sa.Column("submitted", sa.Boolean, nullable=False),
        sa.Column("media_id", sa.String(40), sa.ForeignKey("media.id")),
        sa.Column("owner", sa.String(200)),
        sa.Column("started", sa.Float),
        sa.Column("ended", sa.Float),
        sa.Column("cancel_at", sa.Float),
        sa.Column("error", sa.Text),
    )
    op.create_index("generations_by_status", "generations", ["status", "id"])
