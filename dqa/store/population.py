"""The prior of a user's taste: what the other users' serving tastes of a profile have in common."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import sqlalchemy as sa

from dqa.store.tables import tuner_heads, tuner_steps
from dqa.store.versions import parse_taste
from dqa.taste.prior import DEFAULT as NO_POPULATION
from dqa.taste.prior import MAX_USERS, MIN_USERS, Population, population
from dqa.taste.taste import Taste

__all__ = ["NO_POPULATION", "Population", "Populations"]

_Name = tuple[str, int, str]
"""User, version, and when it was made: a user who was deleted may come again with the same numbers."""

_TASTES, _PRIORS = 2 * MAX_USERS, 16


class Populations:
    """Priors by profile and by whom they leave out; made once for the same tastes. Threads may share it."""

    def __init__(self) -> None:
        self._tastes: OrderedDict[_Name, Taste | None] = OrderedDict()
        self._priors: OrderedDict[tuple[_Name, ...], Population] = OrderedDict()
        self._lock = Lock()

    def of(self, connection: sa.Connection, user: str, profile: str) -> Population:
        """The prior for one user: everybody else counts once, the most recently learned ones first."""
        names = _others(connection, user, profile)
        if len(names) < MIN_USERS:
            return NO_POPULATION
        with self._lock:
            if names not in self._priors:
                tastes = [self._taste(connection, name) for name in names]
                self._priors[names] = population([taste for taste in tastes if taste is not None])
            self._priors.move_to_end(names)
            while len(self._priors) > _PRIORS:
                self._priors.popitem(last=False)
            return self._priors[names]

    def _taste(self, connection: sa.Connection, name: _Name) -> Taste | None:
        if name not in self._tastes:
            user, version, _ = name
            query = sa.select(tuner_steps.c.taste).where(tuner_steps.c.user == user, tuner_steps.c.version == version)
            text = connection.scalar(query)
            self._tastes[name] = parse_taste(text) if text else None
        self._tastes.move_to_end(name)
        while len(self._tastes) > _TASTES:
            self._tastes.popitem(last=False)
        return self._tastes[name]


def _others(connection: sa.Connection, user: str, profile: str) -> tuple[_Name, ...]:
    heads, steps = tuner_heads.c, tuner_steps.c
    joined = tuner_heads.join(tuner_steps, (heads.user == steps.user) & (heads.version == steps.version))
    query = (
        sa.select(heads.user, heads.version, steps.created)
        .select_from(joined)
        .where(heads.profile == profile, heads.user != user)
        .order_by(heads.updated.desc(), heads.user)
        .limit(MAX_USERS)
    )
    return tuple(sorted((row.user, row.version, row.created) for row in connection.execute(query)))
