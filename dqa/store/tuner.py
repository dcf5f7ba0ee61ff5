"""What is learned from the choices: steps, the versions they make, and which of them serves.

A step looks at the database, computes, and then writes everything it made in one transaction, if what it rests on is
still the same (no other step, rollback, reset or deletion came in between); otherwise it looks again. So choices are
consumed exactly once whatever overlaps, and a process killed at any moment leaves neither a half-made taste nor a
consumed choice. Computing first and comparing then, instead of one long transaction around all of it, is what lets
others write meanwhile: a step takes up to a second, and SQLite has one writer for the whole database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

import sqlalchemy as sa

from dqa.errors import UnavailableError
from dqa.store import heads, keys, restore, steps, versions
from dqa.store.choices import Clips
from dqa.store.engine import reading, writing
from dqa.store.heads import Head
from dqa.store.keys import IdempotencyKey
from dqa.store.population import Populations
from dqa.store.tables import selections
from dqa.store.told import FIRST, Output
from dqa.store.versions import Version
from dqa.taste.taste import Taste

__all__ = ["KEPT", "Output", "State", "Tuner", "Version"]

KEPT = 20
"""Tastes of a user that are kept, unless the setting says otherwise."""

_TRIES = 50

_SERVED = ("patterns", "winning_patterns", "model_confidence", "held_out")
_UNLEARNED: Output = {"patterns": [], "winning_patterns": [], "model_confidence": 0.0, "held_out": None}
"""What is known when nothing serves."""


@dataclass(frozen=True, slots=True)
class State:
    """A user's taste for one profile.

    Attributes:
        user: whose.
        profile: whose scores it judges; None before the first step.
        serving: the version that serves; None before the first step and after a reset. Where the taste that should
            serve is damaged, the earlier one that does.
        choices: how many choices the user has made, for any profile.
        taste: the serving taste; None without one.
        versions: the newest versions of this profile, newest first.
    """

    user: str
    profile: str | None
    serving: int | None
    choices: int
    taste: Taste | None
    versions: tuple[Version, ...]


class Tuner:
    """The tastes of one store. Threads may share it.

    Args:
        engine: of the database.
        kept: how many tastes of a user are kept; the serving ones always are.
    """

    def __init__(self, engine: sa.Engine, kept: int = KEPT) -> None:
        self._engine = engine
        self._kept = kept
        self._clips = Clips()
        self._populations = Populations()
        self._computing = Lock()

    def step(self, user: str, key: IdempotencyKey | None = None, *, again: bool = False) -> Output:
        """Learns from the choices that no version has seen yet; without any, tells the last output again.

        The output is ``{training_step, loss, new_patterns, model_confidence}`` and ``choices_seen``, ``new_choices``,
        ``unresolved`` (test_ids whose clips have no evaluation here, or evaluations of two profiles),
        ``unresolved_because`` (how many for each reason), ``patterns``, ``winning_patterns``, ``loss_trend``,
        ``held_out``, ``promoted`` and ``gate`` (whether this version came to serve, and why), ``serving`` and
        ``profile``. Each profile with new choices gets a version of its own; the output is that of the newest choice.

        Args:
            user: whose choices.
            key: the same key again gets the same answer, and nothing is learned.
            again: make a version even without new choices, where one serves.

        Raises:
            Conflict: the key came with another content before.
        """
        with self._computing:  # two threads of one process would compute the same, and one of them in vain
            for _ in range(_TRIES):
                output = self._try(user, key, again=again)
                if output is not None:
                    return output
        raise UnavailableError("this user's taste changes all the time", fix="try again in a moment")

    def _try(self, user: str, key: IdempotencyKey | None, *, again: bool) -> Output | None:
        """One attempt; None when something came in between."""
        with reading(self._engine) as connection:
            told = _recall(connection, user, key)
            if told is not None:
                return told
            seen = steps.look(connection, user, self._clips, self._populations, again=again)
            if not seen.due and key is None:
                return _told_again(connection, user, seen)
        made = steps.make(seen)
        with writing(self._engine) as connection:
            told = _recall(connection, user, key)
            if told is None and steps.token(connection, user, seen.newest) == seen.token:
                told = _keep(connection, seen, made, self._kept)
                keys.remember(connection, key, str(told["training_step"]) + ("" if made else _AGAIN))
        return told

    def current(self, user: str, profile: str | None = None) -> Taste | None:
        """The serving taste of a user for a profile (None: that of the newest head); None when nothing serves."""
        with reading(self._engine) as connection:
            head = heads.find(heads.heads_of(connection, user), profile)
            return None if head is None else versions.serving_taste(connection, user, head)

    def taste(self, user: str, profile: str, version: int | None) -> Taste | None:
        """The serving taste for a profile's scores (``version`` None), or that of a version; what an evaluator asks.

        None for a version of another profile, one that is not kept any more, and version 0.
        """
        if version is None:
            return self.current(user, profile)
        taste = self.version(user, version)
        return taste if taste is not None and taste.profile == profile else None

    def version(self, user: str, version: int) -> Taste | None:
        """The taste that a step made; None if there was no such step, or it is not kept any more."""
        with reading(self._engine) as connection:
            return versions.read_taste(connection, user, version)

    def history(self, user: str, limit: int = 100, profile: str | None = None) -> list[Output]:
        """What the steps told, newest first, each with ``created``, ``kept`` and ``serves``."""
        with reading(self._engine) as connection:
            found = versions.list_versions(connection, user, profile, limit)
            serving = _served(connection, user)
        return [{**v.output, "created": v.created, "kept": v.kept, "serves": v.version in serving} for v in found]

    def told(self, user: str) -> Output | None:
        """The last step's output with what the serving version knows, which is what may be acted on; None before it.

        They differ after a rejected step, a rollback or a reset.
        """
        with reading(self._engine) as connection:
            last = next(iter(versions.list_versions(connection, user, limit=1)), None)
            return None if last is None else {**last.output, **_facts(connection, user, last.profile)}

    def state(self, user: str, profile: str | None = None, limit: int = 100) -> State:
        """How a user's taste for a profile (None: that of the newest head) stands."""
        with reading(self._engine) as connection:
            head = heads.find(heads.heads_of(connection, user), profile)
            where = head.profile if head is not None else profile
            taste = None if head is None else versions.serving_taste(connection, user, head)
            count = sa.select(sa.func.count()).select_from(selections).where(selections.c.user == user)
            return State(
                user=user,
                profile=where,
                serving=None if head is None else _really(taste, head),
                choices=connection.scalar(count) or 0,
                taste=taste,
                versions=tuple(versions.list_versions(connection, user, where, limit)) if head is not None else (),
            )

    def rollback(
        self, user: str, version: int | None = None, profile: str | None = None, key: IdempotencyKey | None = None
    ) -> None:
        """Makes a version serve, and sets aside the choices that it did not know.

        Nothing is deleted: rolling forward to a later version brings its choices back.

        Args:
            user: whose taste.
            version: None for the version before the serving one; after a reset, the newest.
            profile: None for the version's, or without one, that of the newest head.
            key: the same key again changes nothing more.

        Raises:
            VersionNotFound: there is no such version, or none before.
            NotRestorable: it was rejected, or its taste is not kept any more or unreadable.
            Conflict: the key came with another content before.
        """
        with writing(self._engine) as connection:
            if keys.recall(connection, key) is None:
                _set(connection, user, restore.rolled_back(connection, user, version, profile), key)

    def reset(self, user: str, profile: str | None = None, key: IdempotencyKey | None = None) -> None:
        """Lets nothing serve, and sets every choice so far aside. A rollback undoes it.

        Raises:
            VersionNotFound: nothing was learned yet.
            Conflict: the key came with another content before.
        """
        with writing(self._engine) as connection:
            if keys.recall(connection, key) is None:
                _set(connection, user, restore.emptied(connection, user, profile), key)


_AGAIN = " again"


def _keep(connection: sa.Connection, seen: steps.Seen, made: Sequence[steps.Made], kept: int) -> Output:
    """Writes what a step made; the transaction that calls this is all or nothing."""
    if not made:
        return _told_again(connection, seen.user, seen)
    for each in made:
        versions.insert(connection, seen.user, each.version, each.taste)
        heads.keep(connection, seen.user, each.head)
    versions.prune(connection, seen.user, kept, _serving(heads.heads_of(connection, seen.user).values()))
    return made[-1].version.output


def _set(connection: sa.Connection, user: str, head: Head, key: IdempotencyKey | None) -> None:
    heads.keep(connection, user, head)
    keys.remember(connection, key, str(head.version or 0))


def _recall(connection: sa.Connection, user: str, key: IdempotencyKey | None) -> Output | None:
    """What a step under this key told; None when there was none, or what it made is deleted."""
    known = keys.recall(connection, key)
    if known is None:
        return None
    number = int(known.removesuffix(_AGAIN))
    version = versions.find_version(connection, user, number)
    output = FIRST if version is None else version.output
    return {**output, "new_choices": 0, "new_patterns": []} if known.endswith(_AGAIN) else output


def _told_again(connection: sa.Connection, user: str, seen: steps.Seen) -> Output:
    last = next(iter(versions.list_versions(connection, user, limit=1)), None)
    told = FIRST if last is None else {**last.output, **_facts(connection, user, last.profile)}
    return {
        **told,
        "new_choices": 0,
        "new_patterns": [],
        "unresolved": list(seen.matched.named()),
        "unresolved_because": dict(seen.matched.reasons()),
    }


def _facts(connection: sa.Connection, user: str, profile: str) -> Output:
    """Which version serves, and what it knows: what may be acted on after a rejected step, a rollback or a reset."""
    head = heads.heads_of(connection, user).get(profile)
    taste = None if head is None else versions.serving_taste(connection, user, head)
    serving = None if head is None else _really(taste, head)
    known = None if serving is None else versions.find_version(connection, user, serving)
    facts = _UNLEARNED if known is None else {name: known.output.get(name, _UNLEARNED[name]) for name in _SERVED}
    return {**facts, "serving": serving}


def _really(taste: Taste | None, head: Head) -> int | None:
    """The version that serves: not the head's where that is damaged and an earlier one steps in."""
    return head.version if taste is None else taste.version


def _served(connection: sa.Connection, user: str) -> set[int]:
    """The versions that serve any profile."""
    found = heads.heads_of(connection, user).values()
    served = (_really(versions.serving_taste(connection, user, head), head) for head in found)
    return {version for version in served if version is not None}


def _serving(found: Iterable[Head]) -> set[int]:
    return {head.version for head in found if head.version is not None}
