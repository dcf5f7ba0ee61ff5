"""``/v1/tuner/predictions``: which of two evaluations a user would choose."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from dqa.service import answers
from dqa.service.context import ServiceDep
from dqa.service.problems import EVERYWHERE, documented
from dqa.taste.predict import Prediction

router = APIRouter(prefix="/v1/tuner/predictions", tags=["choices"], responses=EVERYWHERE)

_EvaluationId = Annotated[str, Query(min_length=1, max_length=200, description="an evaluation id")]


@router.get(
    "",
    summary="Which of two evaluations a user would choose, how surely, and why",
    response_model=Prediction,
    responses=documented(404),
)
def predictions(
    service: ServiceDep,
    a: _EvaluationId,
    b: _EvaluationId,
    user: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")] = None,
) -> Prediction:
    """By the taste that serves their profile; `version` is null, and the prior alone speaks, where there is none.

    Evaluations of two profiles are refused: their scores are never compared.
    """
    for evaluation in (a, b):
        answers.check_id(evaluation)
    one, other = (service.store.get_record(evaluation) for evaluation in (a, b))
    return service.store.asking.predict(user or service.settings.user, one, other)
