"""``DELETE`` on what runs as a job: it is cancelled while it is under way, and deleted once it has ended."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from dqa.service.context import Service
from dqa.service.problems import documented
from dqa.service.schemas import EvaluationStatus


def endings(others: str) -> dict[int | str, dict[str, Any]]:
    """What such a ``DELETE`` may answer, for the interface's description; ``others`` may need the upload too."""
    return {
        200: {"model": EvaluationStatus, "description": "It waited, and is cancelled"},
        202: {"model": EvaluationStatus, "description": "It runs, and will stop within seconds"},
        204: {"description": f"Deleted, and its upload with it unless {others} needs it"},
        **documented(404, 409),
    }


def cancel_or_delete(service: Service, job_id: str) -> Response:
    """Ends the job with that id, or deletes what it left; raises ``RecordNotFound`` where there is neither."""
    before = service.store.jobs.ask_to_cancel(job_id)
    if before == "queued":
        return JSONResponse({"id": job_id, "status": "cancelled"})
    if before == "running":
        return JSONResponse({"id": job_id, "status": "cancelling"}, 202)
    service.store.delete(job_id)
    return Response(status_code=204)
