"""Rewards that users' language-model adapters gave to clips, and which of them count as evidence."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from dqa.record import EvaluationRecord
from dqa.store.heads import heads_of
from dqa.store.tables import adapter_rewards, evaluations, trainings
from dqa.taste.heavy.evidence import RewardEvidence


def keep(connection: sa.Connection, user: str, adapter: str, rewards: Mapping[str, float]) -> None:
    """Keeps the rewards of an adapter, by evaluation; those that are not finite are left out."""
    rows = [
        {"user": user, "adapter": adapter, "evaluation": key, "reward": value}
        for key, value in rewards.items()
        if math.isfinite(value)
    ]
    if rows:
        connection.execute(adapter_rewards.insert(), rows)


def keep_of(connection: sa.Connection, record: EvaluationRecord) -> None:
    """Keeps the reward that a clip got while it was judged, if it got one."""
    preference = record.channels.get("preference")
    told: dict[str, Any] = dict(preference.raw) if preference is not None else {}
    adapter, reward = told.get("adapter"), told.get("reward")
    if isinstance(adapter, str) and len(adapter) <= 64 and isinstance(reward, float):
        keep(connection, record.user, adapter, {record.id: reward})


def evidence_of(connection: sa.Connection, user: str, profile: str) -> RewardEvidence | None:
    """What the newest adapter's rewards may tell the light tier of a user and profile; None without an adapter.

    None also when the adapter was trained on choices that have been set aside since: they must not be learned back
    through it.
    """
    made = trainings.c
    query = sa.select(made.outcome).where(made.user == user, made.profile == profile, made.status == "done")
    text = connection.scalar(query.order_by(made.id.desc()).limit(1))
    if text is None:
        return None
    outcome: dict[str, Any] = json.loads(text)
    head = heads_of(connection, user).get(profile)
    if head is not None and any(head.sets_aside(seq) for seq in outcome["seqs"]):
        return None
    return _of_adapter(connection, user, outcome["adapter"], set(outcome["videos"]))


def _of_adapter(connection: sa.Connection, user: str, adapter: str, trained: set[str]) -> RewardEvidence:
    table = adapter_rewards.c
    query = sa.select(table.evaluation, table.reward, evaluations.c.sha256).join_from(
        adapter_rewards, evaluations, evaluations.c.id == table.evaluation
    )
    rows = connection.execute(query.where(table.user == user, table.adapter == adapter)).all()
    return RewardEvidence(
        adapter,
        {row.evaluation: row.reward for row in rows},
        frozenset(row.evaluation for row in rows if row.sha256 in trained),
    )
