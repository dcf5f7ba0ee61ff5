"""``/taste``: what was learned from a user's choices, how good it is, and the way back."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from dqa.service.context import ServiceDep
from dqa.service.routes.tuner import state
from dqa.service.web import ViewerDep, page, plots, taste_words
from dqa.synthesis import WEIGHTS
from dqa.taste.explain import likings

router = APIRouter(include_in_schema=False)


@router.get("/taste")
def taste(viewer: ViewerDep, service: ServiceDep) -> Response:
    """Whole without script: ``make demo`` keeps it as a file."""
    told = state(service, viewer.user, viewer.profile)
    kept = service.store.tuner.taste(viewer.user, viewer.profile, None)
    return page(
        "taste.html",
        viewer,
        section="taste",
        told=told,
        taste=told.taste,
        sides=likings(kept),
        plot=plots.learning_curve(told.taste.curve if told.taste else ()),
        frame=plots,
        say=taste_words,
        training=taste_words.training_words(service.store.trainings.latest(viewer.user, viewer.profile)),
        usual=WEIGHTS,
    )
