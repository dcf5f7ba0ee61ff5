"""Going back: making an earlier version of a taste serve again, or none, with the choices that came after set aside."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from dqa.errors import Conflict, VersionNotFound
from dqa.store.heads import Head, find, heads_of, merged, within
from dqa.store.selections import newest_choice
from dqa.store.versions import Version, kept_numbers, list_versions, read_taste


class NotRestorable(Conflict):
    """A version is there, and can't serve."""

    type = "version-not-restorable"
    title = "This version can't serve"


def rolled_back(connection: sa.Connection, user: str, version: int | None, profile: str | None) -> Head:
    """The head that makes a version serve and sets aside the choices it did not know.

    Args:
        connection: a transaction that will write the head.
        user: whose taste.
        version: which one; None for the one before the serving one, or after a reset, the newest.
        profile: of which profile; None for the version's, or without one, that of the newest head.

    Raises:
        VersionNotFound: there is no such version, or none before.
        NotRestorable: it was rejected, or its taste is not kept any more or unreadable.
    """
    versions = list_versions(connection, user)
    if not versions:
        raise VersionNotFound("nothing was learned of this user yet", fix="choose between clips, then dqa tuner step")
    if version is None:
        head = find(heads_of(connection, user), profile)
        wanted = _before(versions, head)
    else:
        wanted = _asked(versions, version, profile)
    _check(connection, user, wanted, versions)
    newest = newest_choice(connection, user)
    return Head(wanted.profile, wanted.version, merged([*wanted.excluded, (wanted.consumed, newest)]))


def emptied(connection: sa.Connection, user: str, profile: str | None) -> Head:
    """The head of a reset: nothing serves, and every choice so far is set aside.

    Raises:
        VersionNotFound: nothing was learned yet, for this profile.
    """
    head = find(heads_of(connection, user), profile)
    if head is None:
        raise _nothing(profile)
    return Head(head.profile, None, merged([(0, newest_choice(connection, user))]))


def _asked(versions: Sequence[Version], version: int, profile: str | None) -> Version:
    for each in versions:
        if each.version == version and profile in (None, each.profile):
            return each
    whose = "this user" if profile is None else f"this user and profile {profile}"
    raise VersionNotFound(f"there is no version {version} of {whose}", fix="see dqa tuner history")


def _before(versions: Sequence[Version], head: Head | None) -> Version:
    """The version that the serving one grew from.

    One whose last choice is set aside was left behind by an earlier rollback, and is not gone back to unasked.
    """
    if head is None:
        raise _nothing(None)
    for each in versions:
        if each.profile != head.profile or not each.promoted:
            continue
        if head.version is None or (each.version < head.version and not within(head.excluded, each.consumed)):
            return each
    what = f"no version before {head.version} can be gone back to"
    raise VersionNotFound(what, fix="see dqa tuner history and name one, or set everything aside with dqa tuner reset")


def _check(connection: sa.Connection, user: str, wanted: Version, versions: Sequence[Version]) -> None:
    kept = kept_numbers([v for v in versions if v.profile == wanted.profile and v.promoted])
    if not wanted.promoted:
        what = f"version {wanted.version} never served ({wanted.output.get('gate') or 'rejected'})"
        raise NotRestorable(what, fix=f"name one that did: {kept}")
    if not wanted.kept:
        raise NotRestorable(f"the taste of version {wanted.version} is not kept any more", fix=f"kept are {kept}")
    if read_taste(connection, user, wanted.version) is None:
        raise NotRestorable(
            f"the stored taste of version {wanted.version} can't be read any more", fix=f"kept are {kept}"
        )


def _nothing(profile: str | None) -> VersionNotFound:
    what = "nothing was learned of this user yet" if profile is None else f"nothing was learned for profile {profile}"
    return VersionNotFound(what, fix="choose between clips, then dqa tuner step")
