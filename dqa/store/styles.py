"""What each user says they like and dislike: their own words, and those of the user_style block their agents keep."""

from __future__ import annotations

import sqlalchemy as sa
import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from dqa.store import keys
from dqa.store.engine import reading, writing
from dqa.store.heads import now
from dqa.store.keys import IdempotencyKey
from dqa.store.tables import user_styles
from dqa.taste.style import NO_STYLE, Style
from dqa.taste.wishes import MOST_PHRASES

log = structlog.get_logger(__name__)

CHANGED = " changed"
"""Ends what a key remembers of words that were new."""


class Said(BaseModel):
    """What is kept of one user.

    Attributes:
        own: what the user said to DQA itself.
        block: what the user_style block said when it was last read.
    """

    model_config = ConfigDict(frozen=True)

    own: Style = NO_STYLE
    block: Style = NO_STYLE

    @property
    def style(self) -> Style:
        """Both together; where they differ over a phrase, the user's own word counts."""
        likes = [*self.own.likes, *(like for like in self.block.likes if like not in self.own.dislikes)]
        dislikes = [*self.own.dislikes, *(each for each in self.block.dislikes if each not in self.own.likes)]
        return Style(likes=_first(likes), dislikes=_first(dislikes))


class Styles:
    """The styles of one store. Threads may share it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def get(self, user: str) -> Said:
        """What a user said; nothing for one who never did."""
        with reading(self._engine) as connection:
            return read(connection, user)

    def put(
        self,
        user: str,
        *,
        own: Style | None = None,
        block: Style | None = None,
        key: IdempotencyKey | None = None,
        told: str = "",
    ) -> tuple[Said, bool]:
        """Replaces the user's own words, those of the block, or both; what is None stays.

        Args:
            user: whose.
            own: the user's words.
            block: the block's.
            key: the same key again changes nothing more.
            told: what the key remembers, with :data:`CHANGED` behind it if this changed anything.

        Returns:
            what is kept now, and whether that changed anything.

        Raises:
            Conflict: the key came with another content before.
        """
        with writing(self._engine) as connection:
            before = read(connection, user)
            if keys.recall(connection, key) is not None:
                return before, False
            after = Said(own=before.own if own is None else own, block=before.block if block is None else block)
            if after != before:
                _keep(connection, user, after)
            keys.remember(connection, key, f"{keys.mark(user)} {told}{CHANGED if after != before else ''}")
        return after, after != before


def read(connection: sa.Connection, user: str) -> Said:
    """What a user said; a row that can't be read says nothing."""
    text = connection.scalar(sa.select(user_styles.c.style).where(user_styles.c.user == user))
    if text is None:
        return Said()
    try:
        return _Row.model_validate_json(text).said
    except ValidationError:
        log.warning("a stored style is damaged; it is passed over")
        return Said()


class _Row(BaseModel):
    """The kept form: the user's own words at the top, the block's below them."""

    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    block: Style = NO_STYLE

    @property
    def said(self) -> Said:
        return Said(own=Style(likes=self.likes, dislikes=self.dislikes), block=self.block)


def _keep(connection: sa.Connection, user: str, said: Said) -> None:
    row = _Row(likes=said.own.likes, dislikes=said.own.dislikes, block=said.block)
    values = {"style": row.model_dump_json(), "updated": now()}
    table = user_styles
    done = connection.execute(table.update().where(table.c.user == user).values(**values))
    if done.rowcount == 0:
        connection.execute(table.insert().values(user=user, **values))


def _first(phrases: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(phrases))[:MOST_PHRASES]
