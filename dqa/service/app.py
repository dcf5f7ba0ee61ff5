"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import structlog
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

import dqa
from dqa.config import Settings
from dqa.errors import DQAError
from dqa.service import docs
from dqa.service.bodies import JsonBodies, Linger
from dqa.service.changes import Changes
from dqa.service.context import Service
from dqa.service.doors import is_page
from dqa.service.generating import Generating
from dqa.service.guard import Guard
from dqa.service.limits import HttpLimits
from dqa.service.methods import Heads, allowed
from dqa.service.metrics import Metrics
from dqa.service.observe import Observed
from dqa.service.problems import BodyTimeout, InvalidRequest, MethodRefused, NoSuchRoute, internal, problem_of, respond
from dqa.service.routes import (
    assets,
    blocks,
    calibrations,
    evaluation_frames,
    evaluation_media,
    evaluation_pages,
    evaluations,
    generations,
    health,
    login,
    media,
    pages,
    pairs,
    predictions,
    refinement_page,
    refinements,
    selections,
    styles,
    taste_page,
    tuner,
    users,
)
from dqa.service.sessions import Sessions
from dqa.service.supervisor import REAL_EVALUATOR, Supervisor
from dqa.service.training import TrainingSchedule
from dqa.service.web import page
from dqa.store import Store
from dqa.store.disk import explained, is_full

log = structlog.get_logger(__name__)


ROUTES = (
    health,
    media,
    evaluations,
    evaluation_frames,
    evaluation_media,
    selections,
    pairs,
    tuner,
    predictions,
    users,
    styles,
    blocks,
    calibrations,
    generations,
    refinements,
    docs,
    pages,
    evaluation_pages,
    taste_page,
    refinement_page,
    assets,
    login,
)
"""What the service answers, a module a subject. The order is that of the interface's description."""


def create_app(settings: Settings, *, limits: HttpLimits | None = None, evaluator: str = REAL_EVALUATOR) -> FastAPI:
    """Builds the service; its store opens and its workers start with the application's lifespan.

    Args:
        settings: roots, token, limits, number of workers.
        limits: caps on requests.
        evaluator: ``module:class`` that the workers run; tests give :class:`dqa.testing.ScriptedEvaluator`.
    """
    caps = limits or HttpLimits()
    metrics = Metrics()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with _running(settings, caps, metrics, evaluator) as service:
            app.state.service = service
            yield

    app = FastAPI(
        title="DQA",
        version=dqa.__version__,
        description="Grades AI-generated video against the prompt it was made from.",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for part in ROUTES:
        app.include_router(part.router)
    _answer_errors(app)
    # The last added is the outermost: linger > observe > guard > bodies > heads > routes.
    app.add_middleware(Heads)
    app.add_middleware(JsonBodies, limits=caps)
    sessions = app.state.sessions = Sessions(settings)
    app.add_middleware(Guard, settings=settings, limits=caps, sessions=sessions)
    app.add_middleware(Observed, metrics=metrics)
    app.add_middleware(Linger)
    api = docs.describe(app)
    app.openapi = lambda: api
    return app


@contextlib.asynccontextmanager
async def _running(settings: Settings, limits: HttpLimits, metrics: Metrics, evaluator: str) -> AsyncGenerator[Service]:
    store = await run_in_threadpool(Store.open, settings)
    supervisor = Supervisor(settings, store, metrics, evaluator)
    changes = Changes(store, metrics)
    supervisor.start()
    schedule = TrainingSchedule(settings, store)
    schedule.start()
    generating = Generating(settings, store)
    generating.start()
    looking = asyncio.create_task(changes.run())
    try:
        slots = CapacityLimiter(limits.frames_at_once)
        yield Service(settings, limits, store, supervisor, changes, metrics, slots, generating)
    finally:
        changes.stopping = True
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
        await run_in_threadpool(generating.stop)
        await run_in_threadpool(schedule.stop)
        await run_in_threadpool(supervisor.stop)
        store.close()


def _answer_errors(app: FastAPI) -> None:
    """Every failure leaves as a problem."""
    app.add_exception_handler(DQAError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _routing)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(OSError, _disk)
    app.add_exception_handler(Exception, _unexpected)


async def _expected(request: Request, error: Exception) -> Response:
    assert isinstance(error, DQAError)  # noqa: S101 - registered for these only
    if error.status >= 500:
        log.error("not available", error=error.sentence())
    return _told(request, error)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for these only
    first = error.errors()[0]
    # The place and the rule, never the value: what was sent may be long, or secret.
    place = ".".join(str(part) for part in first["loc"])[:200]
    return _told(request, InvalidRequest(f"{place}: {first['msg']}"[:400], fix="see /docs"))


def _told(request: Request, error: DQAError) -> Response:
    """A problem; on a page, to a browser, in words that a person reads."""
    if is_page(request.url.path) and "text/html" in request.headers.get("accept", ""):
        return page("refused.html", None, status=error.status, problem=error)
    return respond(problem_of(error))


async def _routing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for these only
    known: dict[int, DQAError] = {
        404: NoSuchRoute("there is nothing at this address", fix="see /docs"),
        405: MethodRefused("this address does not know that method", fix="see /docs"),
    }
    refusal = known.get(error.status_code, InvalidRequest("the request is malformed", fix="see /docs"))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = allowed(request.app.routes, request.scope)
    return respond(problem_of(refusal), headers)


async def _gone(_request: Request, _error: Exception) -> Response:
    return respond(problem_of(BodyTimeout("the connection closed before the body was there", fix="send it again")))


async def _disk(_request: Request, error: Exception) -> Response:
    """A full disk can show wherever something is written; anything else is a fault of ours."""
    if not isinstance(error, OSError) or not is_full(error):
        raise error
    log.error("the disk is full")
    return respond(problem_of(explained(error, "the state folder")))


async def _unexpected(_request: Request, _error: Exception) -> Response:
    return respond(internal())
