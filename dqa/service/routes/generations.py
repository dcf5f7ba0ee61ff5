"""``/v1/generations``: clips made by the operator's ComfyUI, as jobs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
import time

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from dqa.errors import Busy, Cancelled, DQAError, RecordNotFound
from dqa.ids import new_id
from dqa.prompt import check_prompt
from dqa.service.context import KeyHeader, Service, ServiceDep
from dqa.service.generation_schemas import GenerationRequest, GenerationView, Generator
from dqa.service.generator import workflow_file, workflow_names
from dqa.service.problems import EVERYWHERE, documented, problem_of, respond
from dqa.store.generations import Generation
from dqa.store.jobs import ENDED
from dqa.store.keys import IdempotencyKey

router = APIRouter(prefix="/v1/generations", tags=["generations"], responses=EVERYWHERE)

_ID = re.compile(r"gen_[0-9a-hjkmnp-tv-z]{26}")
_LOOK_S = 0.2


@router.get("", summary="Whether clips can be made, and by which workflows", response_model=Generator)
def generator(service: ServiceDep) -> Generator:
    """By the operator's settings alone; whether ComfyUI runs shows when a clip is asked for."""
    names = workflow_names(service.settings)
    try:
        workflow_file(service.settings, None)
    except DQAError as error:
        return Generator(configured=False, workflows=names, why=error.public())
    return Generator(configured=True, workflows=names, why=None)


@router.post(
    "",
    status_code=202,
    summary="Have a clip made from a prompt",
    responses={
        200: {"model": GenerationView, "description": "It is made (with `wait`): `media_id` is the clip"},
        202: {"model": GenerationView, "description": "Queued; `Location` says how it stands"},
        **documented(404, 408, 409, 413, 415, 429),
    },
)
async def generate(asked: GenerationRequest, service: ServiceDep, key: KeyHeader = None) -> Response:
    """The operator's ComfyUI runs the operator's workflow with this prompt and seed; its first picture or video is
    kept as media."""
    try:
        gen_id = await run_in_threadpool(_queue, service, asked, key)
    except Busy as error:
        return respond(problem_of(error), {"Retry-After": "30"})
    service.generating.wake()
    if asked.wait is not False:
        longest = service.limits.longest_wait_s
        await _ended(service, gen_id, longest if asked.wait is True else min(asked.wait, longest))
    return await run_in_threadpool(_after_post, service, gen_id)


@router.get(
    "/{generation_id}", summary="How a generation stands", response_model=GenerationView, responses=documented(404)
)
def get_generation(generation_id: str, service: ServiceDep) -> GenerationView:
    return _view(_find(service, generation_id))


@router.delete(
    "/{generation_id}",
    summary="Cancel a generation under way, delete one that has ended",
    status_code=204,
    responses={
        200: {"model": GenerationView, "description": "It waited, and is cancelled"},
        202: {"model": GenerationView, "description": "It runs, and is taken off ComfyUI within seconds"},
        204: {"description": "Deleted, and its clip with it unless something else needs it"},
        **documented(404, 409),
    },
)
def delete_generation(generation_id: str, service: ServiceDep) -> Response:
    found = _find(service, generation_id)
    before = service.store.generations.ask_to_cancel(found.id)
    if before in ("queued", "running"):
        service.generating.wake()
        return _answer(_find(service, generation_id), 200 if before == "queued" else 202)
    service.store.generations.delete(found.id)
    return Response(status_code=204)


def _queue(service: Service, asked: GenerationRequest, key: str | None) -> str:
    prompt = check_prompt(asked.prompt)
    workflow_file(service.settings, asked.workflow)  # nothing would ever run it
    user = asked.user or service.settings.user
    # Drawn here and kept: a run that is taken up by another process must be the same.
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    kept = {"prompt": prompt, **asked.model_dump(include={"negative", "workflow", "attempt"}), "seed": seed}
    known_by = _key(key, asked, user)
    most = service.settings.queue_size
    return service.store.generations.add(new_id("gen"), user, kept, most, known_by)[0]


def _key(key: str | None, asked: GenerationRequest, user: str) -> IdempotencyKey | None:
    """The key with what it stands for; how long to wait is no part of that."""
    if key is None:
        return None
    body = json.dumps({**asked.model_dump(mode="json", exclude={"wait"}), "user": user}, sort_keys=True)
    return IdempotencyKey(key, "generations", hashlib.sha256(body.encode()).hexdigest())


async def _ended(service: Service, gen_id: str, timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while not service.changes.stopping and time.monotonic() < until:
        found = await run_in_threadpool(service.store.generations.get, gen_id)
        if found is None or found.status in ENDED:
            return
        await asyncio.sleep(_LOOK_S)


def _find(service: Service, generation_id: str) -> Generation:
    found = service.store.generations.get(generation_id) if _ID.fullmatch(generation_id) else None
    if found is None:
        raise RecordNotFound("there is no generation with that id", fix="check the id")
    return found


def _view(found: Generation) -> GenerationView:
    told = {"id": found.id, "status": found.status, "media_id": found.media_id, "error": found.error}
    return GenerationView.model_validate({**told, **found.request})


def _answer(found: Generation, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse(_view(found).model_dump(mode="json", exclude_none=True), status, headers=headers)


def _after_post(service: Service, gen_id: str) -> Response:
    """How it stands, for who asked: 202 while it lasts, and its failure as a problem."""
    found = _find(service, gen_id)
    where = {"Location": f"/v1/generations/{found.id}"}
    if found.status == "failed" and found.error is not None:
        return respond(found.error, where)
    if found.status == "cancelled":
        return respond(problem_of(Cancelled("it was cancelled", fix="ask again if you need it")), where)
    return _answer(found, 200 if found.status == "done" else 202, where)
