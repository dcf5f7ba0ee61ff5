"""``/login`` and ``/logout``: a browser gives the service's token once, and keeps a session instead of it."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from dqa.service.bodies import too_large
from dqa.service.doors import LOGIN, safe_next
from dqa.service.problems import BodyTimeout
from dqa.service.sessions import LIFETIME_S, Sessions
from dqa.service.web import page

router = APIRouter(include_in_schema=False)

_MOST_BYTES = 8192
_LONGEST_S = 10.0


@router.get(LOGIN)
async def ask(request: Request) -> Response:
    onward = safe_next(request.query_params.get("next"))
    if not _sessions(request).needed or _sessions(request).valid(request.headers.get("cookie")):
        return RedirectResponse(onward, 303)
    return page("login.html", None, onward=onward, wrong="")


@router.post(LOGIN)
async def log_in(request: Request) -> Response:
    sessions, address = _sessions(request), request.client.host if request.client else ""
    fields = await _fields(request)
    onward = safe_next(fields.get("next"))
    wait_s = sessions.guesses.wait_s(address)
    if wait_s:
        again = page("login.html", None, status=429, onward=onward, wrong=f"Too many wrong tokens. Wait {wait_s} s.")
        again.headers["Retry-After"] = str(wait_s)
        return again
    if not sessions.is_token(fields.get("token", "")):
        sessions.guesses.wrong(address)
        return page("login.html", None, status=403, onward=onward, wrong="That is not the service's token.")
    answer = RedirectResponse(onward, 303)
    answer.set_cookie(
        sessions.cookie,
        sessions.begin(),
        max_age=LIFETIME_S,
        httponly=True,
        samesite="strict",
        secure=_is_https(request),
    )
    return answer


@router.post("/logout")
async def log_out(request: Request) -> Response:
    sessions = _sessions(request)
    sessions.end(request.headers.get("cookie"))
    answer = RedirectResponse(LOGIN, 303)
    answer.delete_cookie(sessions.cookie, httponly=True, samesite="strict", secure=_is_https(request))
    return answer


async def _fields(request: Request) -> dict[str, str]:
    """A small form's fields; the first of each name counts."""
    body = b""
    try:
        async with asyncio.timeout(_LONGEST_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise too_large(_MOST_BYTES)
    except TimeoutError:
        raise BodyTimeout("the body came too slowly", fix="send it in one go") from None
    try:
        given = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError:  # not ASCII, or too many fields
        return {}
    return {name: values[0] for name, values in given.items()}


def _is_https(request: Request) -> bool:
    return request.url.scheme == "https" or _sessions(request).https


def _sessions(request: Request) -> Sessions:
    return request.app.state.sessions
