"""Memory blocks of agents: choices are read from them, and what was learned is written into their text."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from dqa.agenthost.selections import Problem as EntryProblem
from dqa.agenthost.selections import read_selections
from dqa.agenthost.user_style import read_style
from dqa.agenthost.views import render
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.imports import Import, import_choices
from dqa.service.keyed import keyed
from dqa.service.problems import EVERYWHERE, documented, problem_of, respond
from dqa.store.selections import TooManyChoices
from dqa.store.styles import CHANGED, Said

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
    responses=documented(408, 409, 413, 415, 429),
)
def import_block(asked: ImportRequest, service: ServiceDep, key: KeyHeader = None) -> Imported | Response:
    """Both shapes of USER_SELECTIONS and both forms of a block are read; a test that is known adds nothing. Of a block
    with very many new choices the first 1000 are taken; send it again after a minute for the next."""
    user = _user(service, asked.user)
    known_by = keyed(key, "selections-import", asked, user)
    found = read_selections(asked.block)
    told = service.store.answered.recall(known_by)
    most = 0 if told is not None else service.limits.imports_per_minute  # what was answered is not done again
    done = import_choices(service.store, user, found.selections, most)
    if told is not None:
        return _told(done, found.problems, told, _as_it_stands(service, user, told) if asked.style else None)
    if done.left and not done.imported:
        error = TooManyChoices(f"over {most} imported choices in a minute", fix=f"go on in {done.retry_after_s} s")
        return respond(problem_of(error), {"Retry-After": str(done.retry_after_s)})
    told = f"{done.imported} {done.already_known}"
    style = None
    if asked.style is None:
        service.store.answered.remember(known_by, user, told)
    else:
        said, changed = service.store.styles.put(user, block=read_style(asked.style), key=known_by, told=told)
        style = _style(said, changed=changed)
    return _told(done, found.problems, told, style)


def _told(done: Import, unread: list[EntryProblem], told: str, style: StyleRead | None) -> Imported:
    imported, already_known = (int(count) for count in told.split()[:2])
    problems = [*unread, *done.problems]
    return Imported(imported=imported, already_known=already_known, problems=problems, style=style)


@router.post(
    "/tuner/blocks",
    summary="Set what was learned in the text of a memory block",
    response_model=Rendered,
    responses=documented(408, 409, 413, 415),
)
def render_block(asked: RenderRequest, service: ServiceDep, key: KeyHeader = None) -> Rendered:
    """Stores nothing: the caller writes the text. Keys that are not DQA's, comments, order and form stay."""
    user = _user(service, asked.user)
    service.store.answered.remember(keyed(key, "tuner-blocks", asked, user), user)
    text, keys = render(asked.label, asked.block, service.store.tuner.told(user))
    return Rendered(block=text, keys=keys)


def _as_it_stands(service: Service, user: str, told: str) -> StyleRead:
    return _style(service.store.styles.get(user), changed=told.endswith(CHANGED))


def _style(said: Said, *, changed: bool) -> StyleRead:
    return StyleRead(likes=len(said.style.likes), dislikes=len(said.style.dislikes), changed=changed)


def _user(service: Service, user: str | None) -> str:
    return user or service.settings.user
