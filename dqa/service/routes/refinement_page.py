"""``/refinements``: how many cycles an accepted clip took, over time, and each run with its attempts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from dqa.report import words
from dqa.service.context import ServiceDep
from dqa.service.web import ViewerDep, page, plots
from dqa.service.web.cycles_plot import cycles_plot

router = APIRouter(include_in_schema=False)

_RUNS = 20


@router.get("/refinements")
def refinements(
    viewer: ViewerDep,
    service: ServiceDep,
    window: Annotated[int, Query(ge=1, le=1000)] = 10,
    cursor: Annotated[str | None, Query(pattern=r"^rf_[0-9a-hjkmnp-tv-z]{26}$")] = None,
) -> Response:
    """Whole without script."""
    told = service.store.refinements.figures(viewer.user, window)
    found = service.store.refinements.listed(viewer.user, _RUNS + 1, cursor)
    older = {"window": window, "cursor": found[_RUNS - 1]["id"]} if len(found) > _RUNS else None
    return page(
        "refinements.html",
        viewer,
        section="refinements",
        told=told,
        plot=cycles_plot(told),
        frame=plots,
        runs=found[:_RUNS],
        older=older,
        words=words,
    )
