"""``/v1/tuner``: learn from the choices, and see what was learned."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from dqa.service.context import KeyHeader, ServiceDep
from dqa.service.problems import EVERYWHERE, documented
from dqa.service.schemas import TunerState, TunerStep, TunerStepRequest

router = APIRouter(prefix="/v1/tuner", tags=["choices"], responses=EVERYWHERE)


@router.post(
    "/steps",
    summary="Learn from the choices that no step has seen yet",
    response_model=TunerStep,
    responses=documented(408, 413, 415),
)
def step(asked: TunerStepRequest, service: ServiceDep, key: KeyHeader = None) -> TunerStep:
    """Overlapping calls wait for each other; without new choices the last step is told again, with none new."""
    del key
    return TunerStep.model_validate(service.store.tuner.step(asked.user or service.settings.user))


@router.get("", summary="What was learned so far", response_model=TunerState)
def state(
    service: ServiceDep, user: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None
) -> TunerState:
    whose = user or service.settings.user
    steps = [TunerStep.model_validate(step) for step in service.store.tuner.history(whose)]
    return TunerState(user=whose, version=steps[0].training_step if steps else None, steps=steps)
