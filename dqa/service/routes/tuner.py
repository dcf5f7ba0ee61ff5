"""``/v1/tuner``: learn from the choices, see what was learned, go back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.keyed import keyed
from dqa.service.problems import EVERYWHERE, documented
from dqa.service.tuner_schemas import (
    MOST_VERSIONS,
    ResetRequest,
    RollbackRequest,
    TasteView,
    TunerState,
    TunerStep,
    TunerStepRequest,
    VersionView,
)
from dqa.store.tuner import Version
from dqa.taste.explain import likes_and_dislikes
from dqa.taste.taste import Taste

router = APIRouter(prefix="/v1/tuner", tags=["choices"], responses=EVERYWHERE)

_PLAIN = r"^[^\x00]*$"


@router.post(
    "/steps",
    summary="Learn from the choices that no step has seen yet",
    response_model=TunerStep,
    responses=documented(408, 409, 413, 415),
)
def step(asked: TunerStepRequest, service: ServiceDep, key: KeyHeader = None) -> TunerStep:
    """Overlapping calls learn from each choice once; without new choices the last step is told again, with none new."""
    user = asked.user or service.settings.user
    return TunerStep.model_validate(service.store.tuner.step(user, keyed(key, "tuner-steps", asked, user)))


@router.get("", summary="What was learned so far", response_model=TunerState)
def state(
    service: ServiceDep,
    user: Annotated[str | None, Query(max_length=200, pattern=_PLAIN)] = None,
    profile: Annotated[str | None, Query(max_length=64, pattern=_PLAIN)] = None,
) -> TunerState:
    """Of one profile; default the one that was learned last."""
    return _state(service, user or service.settings.user, profile or None)


@router.post(
    "/rollback",
    summary="Let an earlier version serve, and set the choices after it aside",
    response_model=TunerState,
    responses=documented(404, 408, 409, 413, 415),
)
def rollback(asked: RollbackRequest, service: ServiceDep, key: KeyHeader = None) -> TunerState:
    """Nothing is deleted: a rollback to a later version brings its choices back."""
    user = asked.user or service.settings.user
    service.store.tuner.rollback(user, asked.version, asked.profile, keyed(key, "tuner-rollback", asked, user))
    return _state(service, user, asked.profile)


@router.post(
    "/reset",
    summary="Begin anew: nothing serves, and all choices so far are set aside",
    response_model=TunerState,
    responses=documented(404, 408, 409, 413, 415),
)
def reset(asked: ResetRequest, service: ServiceDep, key: KeyHeader = None) -> TunerState:
    """A rollback to a version undoes it."""
    user = asked.user or service.settings.user
    service.store.tuner.reset(user, asked.profile, keyed(key, "tuner-reset", asked, user))
    return _state(service, user, asked.profile)


def _state(service: Service, user: str, profile: str | None) -> TunerState:
    found = service.store.tuner.state(user, profile, MOST_VERSIONS)
    steps = service.store.tuner.history(user, MOST_VERSIONS, found.profile) if found.versions else []
    return TunerState(
        user=user,
        version=found.serving,
        steps=[TunerStep.model_validate(step) for step in steps],
        profile=found.profile or service.settings.profile,
        choices=found.choices,
        taste=_taste(found.taste) if found.taste is not None else None,
        versions=[_version(version, found.serving) for version in found.versions],
    )


def _taste(taste: Taste) -> TasteView:
    likes, dislikes = likes_and_dislikes(taste)
    return TasteView(
        likes=list(likes),
        dislikes=list(dislikes),
        held_out=taste.held_out,
        curve=list(taste.curve),
        position=taste.position,
        patterns=list(taste.patterns),
        winning_patterns=list(taste.winning_patterns),
        channel_weights=taste.channel_weights,
        confidence=taste.confidence,
        half_life=taste.half_life,
        adapter=taste.adapter,
        usable=taste.usable,
    )


def _version(version: Version, serving: int | None) -> VersionView:
    told = TunerStep.model_validate(version.output)
    return VersionView(
        version=version.version,
        created=version.created,
        profile=version.profile,
        promoted=version.promoted,
        serving=version.version == serving,
        kept=version.kept,
        choices=told.choices_seen,
        loss=told.loss,
        accuracy=told.held_out.accuracy if told.held_out is not None else None,
        gate=told.gate,
    )
