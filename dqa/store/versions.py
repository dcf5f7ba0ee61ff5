"""The versions of a user's taste: what each step told, and the tastes that are still kept.

What stands in the database may have been cut short or edited by hand: a taste that can't be read, or does not fit its
own features, is passed over with a warning, and the version before it serves.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
import structlog

from dqa.store.heads import Head, Range, parse
from dqa.store.tables import tuner_steps
from dqa.store.told import Output, read_output
from dqa.taste.shown import EMBEDDING
from dqa.taste.taste import Taste

log = structlog.get_logger(__name__)


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
        read_output(row.output, row.version, promoted=bool(row.promoted)),
        bool(row.kept),
    )


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


_LARGEST = 1e9
"""No weight, feature or variance is larger, and no precision: what goes beyond was not fitted."""


def _fits(taste: Taste) -> bool:
    """Whether its parts fit each other, and can be what was fitted."""
    d = len(taste.features)
    vectors = (taste.mean, taste.prior_mean, taste.prior_precision, taste.typical, taste.covariance, *taste.covariance)
    if not all(len(vector) == d for vector in vectors) or not _counts(taste):
        return False
    known = [value for value in taste.typical if value is not None]
    numbers = np.concatenate([taste.mean, taste.prior_mean, taste.prior_precision, known, *taste.covariance])
    return bool((np.abs(numbers) <= _LARGEST).all()) and min(taste.prior_precision, default=1) > 0 and _is_spread(taste)


def _counts(taste: Taste) -> bool:
    counts = (taste.choices, taste.effective_choices, taste.pairs, taste.confidence)
    sizes = {len(clip.embedding) for clip in taste.history.clips}
    return min(counts) >= 0 and sizes <= {EMBEDDING}


def _is_spread(taste: Taste) -> bool:
    """Whether the covariance is one: symmetric, and of no negative variance in any direction."""
    covariance = np.array(taste.covariance).reshape(len(taste.features), -1)
    if not np.allclose(covariance, covariance.T, rtol=1e-6, atol=1e-9):
        return False
    try:
        np.linalg.cholesky((covariance + covariance.T) / 2)
    except np.linalg.LinAlgError:
        return False
    return True


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
