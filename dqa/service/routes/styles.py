"""``/v1/users/{user}/style``: what a user says they like and dislike."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from dqa.agenthost.user_style import read_style
from dqa.service.context import KeyHeader, ServiceDep
from dqa.service.keyed import keyed
from dqa.service.problems import EVERYWHERE, documented
from dqa.service.routes.users import UserPath
from dqa.store.styles import Said
from dqa.taste.style import Style
from dqa.taste.wishes import MOST_PHRASES

router = APIRouter(prefix="/v1/users", tags=["users"], responses={**EVERYWHERE, **documented(404)})

_Text = Annotated[str, Field(max_length=1000)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class StyleRequest(_Strict):
    """What a user likes and dislikes, in their own words: "warm tones, slow pans", "no neon"."""

    likes: list[_Text] = Field(max_length=MOST_PHRASES)
    dislikes: list[_Text] = Field(max_length=MOST_PHRASES)


class BlockRequest(_Strict):
    """The text of a user_style block."""

    block: str = Field(max_length=2_000_000)


class Phrases(BaseModel):
    """Words and phrases that are looked for in a clip."""

    likes: list[str]
    dislikes: list[str]


class UserStyle(Phrases):
    """What counts for a user: what they said themselves and what their user_style block says; their own word wins."""

    user: str
    own: Phrases
    block: Phrases


@router.get("/{user:path}/style", summary="What a user likes and dislikes", response_model=UserStyle)
def read(user: UserPath, service: ServiceDep) -> UserStyle:
    """Of a user who never said anything, the lists are empty."""
    return _body(user, service.store.styles.get(user))


@router.put(
    "/{user:path}/style",
    summary="Say what a user likes and dislikes",
    response_model=UserStyle,
    responses=documented(408, 413, 415),
)
def write(user: UserPath, asked: StyleRequest, service: ServiceDep) -> UserStyle:
    """Replaces what was said before; the words of the block stay. "No" and "avoid" among the likes turn a phrase round.

    The next training step learns with it.
    """
    return _body(user, service.store.styles.put(user, own=Style.of(asked.likes, asked.dislikes))[0])


@router.post(
    "/{user:path}/style",
    summary="Read a user_style block",
    response_model=UserStyle,
    responses=documented(408, 409, 413, 415),
)
def read_block(user: UserPath, asked: BlockRequest, service: ServiceDep, key: KeyHeader = None) -> UserStyle:
    """Replaces what the block said before; the user's own words stay. The same block again changes nothing; a repeated
    ``Idempotency-Key`` tells how it stands."""
    known_by = keyed(key, "style", asked, user)
    return _body(user, service.store.styles.put(user, block=read_style(asked.block), key=known_by)[0])


def _body(user: str, said: Said) -> UserStyle:
    both = said.style
    return UserStyle(
        user=user,
        likes=list(both.likes),
        dislikes=list(both.dislikes),
        own=_phrases(said.own),
        block=_phrases(said.block),
    )


def _phrases(style: Style) -> Phrases:
    return Phrases(likes=list(style.likes), dislikes=list(style.dislikes))
