"""``/v1/pairs/next``: which two clips to choose between next, without a word on what is thought of them."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from dqa.agenthost import blocks
from dqa.errors import DQAError
from dqa.ids import new_id
from dqa.record import EvaluationRecord
from dqa.service import answers
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.found import find_media
from dqa.service.keyed import keyed
from dqa.service.problems import EVERYWHERE, InvalidRequest, NoPair, documented
from dqa.taste.ask import Pair

router = APIRouter(prefix="/v1/pairs", tags=["choices"], responses=EVERYWHERE)

_PLAIN = r"^[^\x00]*$"
_SKIP = r"^[\w.~,-]*$"


class Side(BaseModel):
    """One clip of a pair: what is needed to show it, and nothing that tells how it was judged or what made it."""

    id: str = Field(description="of its evaluation")
    prompt: str
    profile: str
    kind: Literal["video", "image"]
    width: int
    height: int
    fps: float
    frames: int
    duration_s: float


class NextPair(BaseModel):
    """Two clips to choose between."""

    test_id: str = Field(description="names the choice: send it back with `POST /v1/selections`")
    a: Side
    b: Side
    left: Literal["a", "b"] = Field(description="which to show on the left, at random; send it back too")
    why: str = Field(description="why this pair")


class TestRequest(BaseModel):
    """Two evaluations to choose between, and the text of the ab_testing block that shall say so."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    block: str = Field(max_length=2_000_000)
    a: str = Field(max_length=64)
    b: str = Field(max_length=64)
    test_id: str = Field(min_length=1, max_length=200, pattern=r"^[\w.:-]+$")


class TestBlock(BaseModel):
    """The block's text as it should be, the keys that were set in it, and where the user chooses."""

    block: str
    keys: list[str]
    choose: str = Field(description="address of the page that asks about these two first")


@router.get(
    "/next",
    summary="The pair whose choice would tell most about a user's taste",
    response_model=NextPair,
    responses=documented(404),
)
def next_pair(
    service: ServiceDep,
    user: Annotated[str | None, Query(max_length=200, pattern=_PLAIN)] = None,
    profile: Annotated[str | None, Query(max_length=64, pattern=_PLAIN)] = None,
    prompt: Annotated[
        str | None, Query(max_length=20_000, pattern=_PLAIN, description="only clips made from this text")
    ] = None,
    skip: Annotated[
        str | None,
        Query(max_length=8000, pattern=_SKIP, description="pairs not to ask about now, as `id~id,id~id`"),
    ] = None,
    a: Annotated[str | None, Query(max_length=64, description="with `b`: ask about these two evaluations")] = None,
    b: Annotated[str | None, Query(max_length=64)] = None,
    test_id: Annotated[
        str | None, Query(max_length=200, pattern=r"^[\w.:-]*$", description="with `a` and `b`: the test's own name")
    ] = None,
) -> NextPair:
    """Of the newest 200 evaluations of the user and profile, two clips of one prompt if there are any.

    A user who graded nothing, or has chosen between all their pairs, is asked about the clips of the service's own
    default user. Asking changes nothing, and two calls may name the same pair.
    """
    if a or b:
        return _named(service, a or "", b or "", test_id or None)
    whose = user or service.settings.user
    offered = service.store.asking.pairs(
        whose,
        profile or service.settings.profile,
        prompt=prompt or None,
        passed_over={frozenset(pair.split("~")) for pair in (skip or "").split(",") if pair.count("~") == 1},
        shared_by=service.settings.user,
    )
    if not offered:
        raise NoPair(
            "there are no two clips to choose between",
            fix="grade at least two clips, best of one prompt, then come back",
        )
    pair = next((pair for pair in offered if _can_be_shown(service, pair)), offered[0])
    one, other = (_side(service.store.get_record(clip.id)) for clip in (pair.a, pair.b))
    return _asked(one, other, _why(pair))


@router.post(
    "/block",
    summary="Announce a test of two clips in the text of an ab_testing block",
    response_model=TestBlock,
    responses=documented(404, 408, 409, 413, 415),
)
def announce(asked: TestRequest, service: ServiceDep, key: KeyHeader = None) -> TestBlock:
    """Stores nothing: the caller writes the text. Keys that are not the test's, comments, order and form stay."""
    user = service.settings.user
    service.store.answered.remember(keyed(key, "pairs-block", asked, user), user)
    pair = _named(service, asked.a, asked.b, asked.test_id)
    one, other = (service.store.get_record(evaluation) for evaluation in (asked.a, asked.b))
    test: dict[str, JsonValue] = {
        "ACTIVE_TEST": pair.test_id,
        "VARIATIONS": [one.reproduce.media, other.reproduce.media],
        "VARIATION_A_ID": one.id,
        "VARIATION_B_ID": other.id,
    }
    whose = {"user": one.user, "profile": one.profile, "a": one.id, "b": other.id, "test_id": pair.test_id}
    choose = f"{service.settings.service_url}/choose?{urlencode(whose)}"
    return TestBlock(block=blocks.update(asked.block, test), keys=list(test), choose=choose)


def _named(service: Service, a: str, b: str, test_id: str | None) -> NextPair:
    """The pair that was asked for by name, if it is one that can be chosen between."""
    for evaluation in (a, b):
        answers.check_id(evaluation)
    one, other = (_side(service.store.get_record(evaluation)) for evaluation in (a, b))
    if a == b:
        raise InvalidRequest("a and b are the same evaluation", fix="name two")
    if one.profile != other.profile:
        raise InvalidRequest(
            "the two were judged by different profiles, which are never compared", fix="evaluate both with one"
        )
    asked = _asked(one, other, "the two clips that this page was opened for")
    return asked.model_copy(update={"test_id": test_id}) if test_id else asked


def _asked(a: Side, b: Side, why: str) -> NextPair:
    return NextPair(test_id=new_id("test"), a=a, b=b, left=secrets.choice(("a", "b")), why=why)


def _can_be_shown(service: Service, pair: Pair) -> bool:
    """Whether the service may and can send both clips; if it can't send any pair, whoever asks may have the files."""
    try:
        for clip in (pair.a, pair.b):
            find_media(service, clip.id)
    except DQAError:
        return False
    return True


def _side(record: EvaluationRecord) -> Side:
    media = record.media.model_dump(include={"kind", "width", "height", "fps", "frames", "duration_s"})
    return Side(id=record.id, prompt=record.prompt, profile=record.profile, **media)


def _why(pair: Pair) -> str:
    prompts = "two clips of one prompt" if pair.same_prompt else "two clips of different prompts"
    if pair.again:
        return f"{prompts}; you chose between them before, and no new pair is left"
    return f"{prompts}: this choice would tell most about what you like ({pair.gain:.2f} of 1 bit)"
