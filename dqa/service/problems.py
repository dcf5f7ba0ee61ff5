"""Errors as ``application/problem+json`` (RFC 9457). The detail never tells what lies on this machine."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, JsonValue
from starlette.responses import JSONResponse, Response

from dqa.errors import DQAError, InputError, MediaTooLarge, UsageError
from dqa.service.headers import SECURITY_HEADERS

MEDIA_TYPE = "application/problem+json"


class Unauthorized(DQAError):
    status = 401
    type = "unauthorized"
    title = "A token is needed"


class MalformedHttp(UsageError):
    status = 400
    type = "malformed-http"
    title = "This is no HTTP"


class HostRefused(UsageError):
    status = 400
    type = "host-refused"
    title = "This host name is not served"


class OriginRefused(UsageError):
    status = 403
    type = "origin-refused"
    title = "Requests from other web sites are refused"


class NoSuchRoute(UsageError):
    status = 404
    type = "no-such-route"
    title = "There is nothing at this address"


class NoPair(UsageError):
    status = 404
    type = "no-pair"
    title = "There is no pair to choose between"


class MethodRefused(UsageError):
    status = 405
    type = "method-refused"
    title = "This address does not know that method"


class BodyTimeout(UsageError):
    status = 408
    type = "body-timeout"
    title = "The body came too slowly"


class BodyTooLarge(MediaTooLarge):
    type = "body-too-large"
    title = "The body is too large"


class WrongContentType(InputError):
    status = 415
    type = "wrong-content-type"
    title = "The body has the wrong content type"


class InvalidRequest(UsageError):
    type = "invalid-request"
    title = "The request does not have the expected form"


class HeadersTooLarge(UsageError):
    status = 431
    type = "headers-too-large"
    title = "The headers are too many or too long"


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(examples=["urn:dqa:problem:media-not-found"])
    title: str
    status: int
    detail: str
    evaluation: str | None = Field(None, description="the evaluation that failed, when there is one")


def problem_of(error: DQAError) -> dict[str, JsonValue]:
    """The error as a problem body."""
    return {
        "type": f"urn:dqa:problem:{error.type}",
        "title": error.title,
        "status": error.status,
        "detail": error.public(),
    }


def internal() -> dict[str, JsonValue]:
    """What a client is told about a fault of ours: nothing but that it happened."""
    return problem_of(DQAError("the service failed in a way it did not expect", fix="see the service's log"))


def respond(problem: dict[str, JsonValue], headers: dict[str, str] | None = None) -> Response:
    """A problem as a response."""
    status = problem["status"]
    assert isinstance(status, int)  # noqa: S101 - every problem is made by problem_of
    return JSONResponse(problem, status, headers={**SECURITY_HEADERS, **(headers or {})}, media_type=MEDIA_TYPE)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: these statuses hold a problem."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _DESCRIPTIONS[status], "content": content} for status in statuses}


_DESCRIPTIONS = {
    400: "The host name is not served, or the request is malformed",
    401: "A bearer token is needed",
    403: "The media may not be read, or the request came from another web site",
    404: "There is no such thing",
    405: "The address does not know that method",
    408: "The body came too slowly",
    409: "In conflict with what is there",
    413: "The body or media is too large",
    415: "Not a supported format",
    416: "That part of the file can't be sent: more than one range, or behind its end",
    422: "The input can't be used",
    429: "Too much at once; Retry-After says when to come back",
    431: "Too many headers",
    503: "Something needed is not available",
}
EVERYWHERE = documented(400, 401, 403, 422, 431, 503)
"""What any route but the health checks may answer."""
