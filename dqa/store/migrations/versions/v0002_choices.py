"""Choices between two evaluations, and the training steps made from them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "selections",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("test_id", sa.String(200), nullable=False),
        sa.Column("a", sa.String(200), nullable=False),
        sa.Column("b", sa.String(200), nullable=False),
        sa.Column("chosen", sa.String(3), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("created", sa.String(40), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("selections_once", "selections", ["user", "test_id"], unique=True)
    op.create_table(
        "tuner_steps",
        sa.Column("user", sa.String(200), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("consumed", sa.Integer, nullable=False),
        sa.Column("output", sa.Text, nullable=False),
        sa.Column("taste", sa.Text, nullable=False),
    )
