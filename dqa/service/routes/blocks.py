"""Memory blocks of agents: choices are read from them, and what was learned is written into their text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from dqa.agenthost.selections import Problem as EntryProblem
from dqa.agenthost.selections import read_selections
from dqa.agenthost.user_style import read_style
from dqa.agenthost.views import render
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.imports import import_choices
from dqa.service.problems import EVERYWHERE, documented

router = APIRouter(prefix="/v1", tags=["choices"], responses=EVERYWHERE)

_Text = Annotated[str, Field(max_length=2_000_000)]
_Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ImportRequest(_Strict):
    """The text of an ab_testing block, and of the user_style block beside it."""

    block: _Text
    style: _Text | None = Field(None, description="text of the user_style block; null leaves what it said before")
    user: _Name | None = Field(None, description="whose choices; default the service's user")


class StyleRead(BaseModel):
    """What came of a user_style block."""

    likes: int = Field(description="phrases that the user likes, as they count now")
    dislikes: int
    changed: bool


class Imported(BaseModel):
    """What came of the choices in a block."""

    imported: int
    already_known: int
    problems: list[EntryProblem] = Field(description="entries that could not be taken, each by itself")
    style: StyleRead | None = Field(None, description="what came of the user_style block; null without one")


class RenderRequest(_Strict):
    """A block as it stands."""

    label: _Name
    block: _Text
    user: _Name | None = Field(None, description="whose taste; default the service's user")


class Rendered(BaseModel):
    """The block's text as it should be, and the keys that were set in it."""

    block: str
    keys: list[str]


@router.post(
    "/selections/import",
    summary="Import the choices of an ab_testing block, each test once",
    response_model=Imported,
    responses=documented(408, 413, 415),
)
def import_block(asked: ImportRequest, service: ServiceDep, key: KeyHeader = None) -> Imported:
    """Both shapes of USER_SELECTIONS and both forms of a block are read; a test that is known adds nothing."""
    del key
    user = _user(service, asked.user)
    found = read_selections(asked.block)
    done = import_choices(service.store, user, found.selections)
    return Imported(
        imported=done.imported,
        already_known=done.already_known,
        problems=[*found.problems, *done.problems],
        style=None if asked.style is None else _read_style(service, user, asked.style),
    )


@router.post(
    "/tuner/blocks",
    summary="Set what was learned in the text of a memory block",
    response_model=Rendered,
    responses=documented(408, 413, 415),
)
def render_block(asked: RenderRequest, service: ServiceDep, key: KeyHeader = None) -> Rendered:
    """Stores nothing: the caller writes the text. Keys that are not DQA's, comments, order and form stay."""
    del key
    text, keys = render(asked.label, asked.block, service.store.tuner.told(_user(service, asked.user)))
    return Rendered(block=text, keys=keys)


def _read_style(service: Service, user: str, text: str) -> StyleRead:
    said, changed = service.store.styles.put(user, block=read_style(text))
    return StyleRead(likes=len(said.style.likes), dislikes=len(said.style.dislikes), changed=changed)


def _user(service: Service, user: str | None) -> str:
    return user or service.settings.user
