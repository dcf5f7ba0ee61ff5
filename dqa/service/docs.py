"""``/openapi.json`` and ``/docs``: the interface described, without script and without any other server."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, JSONResponse, Response

from dqa.service.problems import EVERYWHERE, Problem

router = APIRouter(tags=["documentation"], responses=EVERYWHERE)

_templates = Environment(
    loader=PackageLoader("dqa.service"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@router.get(
    "/openapi.json", summary="This interface, for machines", responses={200: {"content": {"application/json": {}}}}
)
async def openapi(request: Request) -> Response:
    return JSONResponse(request.app.openapi())


@router.get("/docs", summary="This interface, for people", response_class=HTMLResponse)
async def docs(request: Request) -> Response:
    style = _templates.get_template("docs.css").render()
    page = _templates.get_template("docs.html").render(api=request.app.openapi(), style=style)
    return HTMLResponse(page, headers={"Content-Security-Policy": _policy(style)})


def _policy(style: str) -> str:
    """Nothing may load or run on the page; its own style is named by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of ``app``, with the problem body and the token in it."""
    api = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    components = api.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.pop("HTTPValidationError", None)  # never sent: every error is a problem
    schemas.pop("ValidationError", None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    api["security"] = [{"token": []}, {}]
    return api
