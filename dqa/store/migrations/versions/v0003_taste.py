"""Taste over time: sides and reasons of choices, serving versions, what users say they like, adapter trainings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("selections", sa.Column("left_side", sa.String(1)))
    op.add_column("selections", sa.Column("why", sa.Text, nullable=False, server_default="[]"))
    op.add_column("selections", sa.Column("received", sa.Float))
    op.add_column("tuner_steps", sa.Column("profile", sa.String(64), nullable=False, server_default="embedded"))
    op.add_column("tuner_steps", sa.Column("promoted", sa.Boolean, nullable=False, server_default=sa.true()))
    op.add_column("tuner_steps", sa.Column("excluded", sa.Text, nullable=False, server_default="[]"))
    op.create_table(
        "tuner_heads",
        sa.Column("user", sa.String(200), primary_key=True),
        sa.Column("profile", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer),
        sa.Column("excluded", sa.Text, nullable=False),
        sa.Column("updated", sa.String(40), nullable=False),
    )
    op.create_table(
        "user_styles",
        sa.Column("user", sa.String(200), primary_key=True),
        sa.Column("style", sa.Text, nullable=False),
        sa.Column("updated", sa.String(40), nullable=False),
    )
    _adapters()


def _adapters() -> None:
    op.create_table(
        "trainings",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("user", sa.String(200), nullable=False),
        sa.Column("profile", sa.String(64), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("progress", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("owner", sa.String(200)),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("started", sa.Float),
        sa.Column("ended", sa.Float),
        sa.Column("cancel_at", sa.Float),
    )
    op.create_index("trainings_by_user", "trainings", ["user", "profile", "id"])
    op.create_table(
        "adapter_rewards",
        sa.Column("user", sa.String(200), primary_key=True),
        sa.Column("adapter", sa.String(64), primary_key=True),
        sa.Column("evaluation", sa.String(40), primary_key=True),
        sa.Column("reward", sa.Float, nullable=False),
    )
