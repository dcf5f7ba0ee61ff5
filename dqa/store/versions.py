"""The versions of a user's taste: what each step told, and the tastes that are still kept.

What stands in the database may have been cut short or edited by hand: a taste that can't be read, or does not fit its
own features, is passed over with a warning, and the version before it serves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
import structlog
from pydantic import JsonValue

from dqa.store.heads import Head, Range, parse
from dqa.store.tables import tuner_steps
from dqa.taste.taste import Taste

log = structlog.get_logger(__name__)

Output = dict[str, JsonValue]
"""What a step tells: ``{training_step, loss, new_patterns, model_confidence, ...}`` (mission 1.4)."""


@dataclass(frozen=True, slots=True)
class Version:
    """One step of one user, without its taste.

    Attributes:
        version: its number; a user's versions of all profiles are counted together.
        profile: whose scores it was learned from.
        created: when, ISO 8601 UTC.
        consumed: the last choice in the log that it has seen.
        promoted: whether it came to serve.
        excluded: the choices that were set aside when it was made.
        output: what it told.
        kept: whether its taste is still there.
    """

    version: int
    profile: str
    created: str
    consumed: int
    promoted: bool
    excluded: tuple[Range, ...]
    output: Output
    kept: bool


def list_versions(
    connection: sa.Connection, user: str, profile: str | None = None, limit: int | None = None
) -> list[Version]:
    """The versions of a user, newest first; of one profile if it is named."""
    return _read(connection, user, profile, None, limit)


def find_version(connection: sa.Connection, user: str, version: int) -> Version | None:
    """One version of a user; None when there is no such version."""
    return next(iter(_read(connection, user, None, version, 1)), None)


def _read(
    connection: sa.Connection, user: str, profile: str | None, version: int | None, limit: int | None
) -> list[Version]:
    columns = [column for column in tuner_steps.c if column.name != "taste"]
    kept = (tuner_steps.c.taste != "").label("kept")
    query = sa.select(*columns, kept).where(tuner_steps.c.user == user).order_by(tuner_steps.c.version.desc())
    if profile is not None:
        query = query.where(tuner_steps.c.profile == profile)
    if version is not None:
        query = query.where(tuner_steps.c.version == version)
    return [_version(row) for row in connection.execute(query.limit(limit))]


def _version(row: Any) -> Version:
    return Version(
        row.version,
        row.profile,
        row.created,
        row.consumed,
        bool(row.promoted),
        parse(row.excluded),
        _output(row.output, row.version),
        bool(row.kept),
    )


_LEAST: Output = {
    "loss": None,
    "new_patterns": [],
    "model_confidence": 0.0,
    "choices_seen": 0,
    "new_choices": 0,
    "unresolved": [],
    "patterns": [],
    "loss_trend": [],
}
"""What any output holds; of a damaged one this is all that is left."""

FIRST: Output = {
    **_LEAST,
    "training_step": 0,
    "unresolved_because": {},
    "winning_patterns": [],
    "held_out": None,
    "promoted": False,
    "serving": None,
    "profile": None,
    "gate": "there is nothing to learn from yet",
}
"""What is told before the first step."""


def _output(text: str, version: int) -> Output:
    try:
        found = json.loads(text, parse_constant=_refuse)
    except ValueError:
        found = None
    if not isinstance(found, dict) or any(_damaged(found, name) for name in _LEAST):
        log.warning("what a training step told can't be read", version=version)
        found = {}
    return {**_LEAST, **found, "training_step": version}


def _damaged(output: Output, name: str) -> bool:
    """Whether one of the things that any output holds has become something else."""
    value, least = output.get(name, _LEAST[name]), _LEAST[name]
    if isinstance(least, list):
        return not isinstance(value, list)
    return value is not None and (isinstance(value, bool) or not isinstance(value, int | float))


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and its like are no JSON, and nobody could be told of them


def read_taste(connection: sa.Connection, user: str, version: int) -> Taste | None:
    """The taste of a version; None when there is none, it is not kept any more, or it can't be read."""
    steps = tuner_steps.c
    query = sa.select(steps.taste, steps.profile).where(steps.user == user, steps.version == version)
    row = connection.execute(query).first()
    if row is None or not row.taste:
        return None
    taste = parse_taste(row.taste)
    if taste is None or (taste.version, taste.profile) != (version, row.profile):
        log.warning(
            "a stored taste can't be read: damaged, or of an early version of DQA; dqa tuner step makes a new one",
            version=version,
        )
        return None
    return taste


def parse_taste(text: str) -> Taste | None:
    """A taste as it is kept; None when it is damaged."""
    try:
        taste = Taste.model_validate_json(text)
    except ValueError:
        return None
    return taste if _fits(taste) else None


def _fits(taste: Taste) -> bool:
    d = len(taste.features)
    vectors = (taste.mean, taste.prior_mean, taste.prior_precision, taste.typical, taste.covariance, *taste.covariance)
    return all(len(vector) == d for vector in vectors)


def serving_taste(connection: sa.Connection, user: str, head: Head) -> Taste | None:
    """The taste that serves a profile: the head's, or where that is damaged, the newest sound one before it."""
    if head.version is None:
        return None
    taste = read_taste(connection, user, head.version)
    if taste is not None:
        return taste
    for earlier in list_versions(connection, user, head.profile):
        if earlier.version < head.version and earlier.promoted and earlier.kept:
            taste = read_taste(connection, user, earlier.version)
            if taste is not None:
                log.warning("an earlier taste serves", version=earlier.version, instead_of=head.version)
                return taste
    return None


def prune(connection: sa.Connection, user: str, keep: int, serving: Collection[int]) -> None:
    """Empties the tastes beyond the newest ``keep``; serving ones stay, and so does what every step told."""
    steps = tuner_steps.c
    newest = connection.scalars(
        sa.select(steps.version).where(steps.user == user, steps.taste != "").order_by(steps.version.desc())
    ).all()
    old = [version for version in newest[keep:] if version not in serving]
    if old:
        connection.execute(tuner_steps.update().where(steps.user == user, steps.version.in_(old)).values(taste=""))


def insert(connection: sa.Connection, user: str, made: Version, taste: Taste | None) -> None:
    """Writes a version; ``taste`` None where none came out."""
    connection.execute(
        tuner_steps.insert().values(
            user=user,
            version=made.version,
            profile=made.profile,
            created=made.created,
            consumed=made.consumed,
            promoted=made.promoted,
            excluded=json.dumps(made.excluded),
            output=json.dumps(made.output),
            taste=taste.model_dump_json() if taste is not None else "",
        )
    )


def kept_numbers(versions: Sequence[Version]) -> str:
    """The versions whose taste is kept, for an error's words."""
    numbers = sorted(v.version for v in versions if v.kept)
    return ", ".join(map(str, numbers)) or "none"
