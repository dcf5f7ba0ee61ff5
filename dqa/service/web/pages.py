"""How a page is made: a template, who looks at it, and headers that let nothing else in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from jinja2 import ChoiceLoader, PackageLoader, PrefixLoader
from starlette.responses import HTMLResponse

from dqa.models.profiles import profile_names
from dqa.report.templating import templates
from dqa.service.context import ServiceDep

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Scripts and styles are files of this service; so even a fault in escaping would run nothing."""

_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    # With no-referrer a browser calls the origin of a form "null", and the guard could not tell it is ours.
    "Referrer-Policy": "same-origin",
}
_SECTIONS = (
    ("choose", "Choose", "/choose"),
    ("taste", "Taste", "/taste"),
    ("evaluations", "Evaluations", "/evaluations"),
    ("refinements", "Refinements", "/refinements"),
)

_templates = templates(
    ChoiceLoader([PackageLoader("dqa.service.web"), PrefixLoader({"report": PackageLoader("dqa.report")})])
)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose choices a page shows and takes, and by which models.

    Attributes:
        user: from the query, else the service's.
        profile: likewise.
        profiles: those there are.
        leaves: whether there is a session to end: a token is set, and this browser gave it.
    """

    user: str
    profile: str
    profiles: tuple[str, ...]
    leaves: bool


async def _viewer(
    request: Request,
    service: ServiceDep,
    user: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")] = None,
    profile: Annotated[str | None, Query(max_length=64, pattern=r"^[\w.-]*$")] = None,
) -> Viewer:
    known = (*profile_names(),)
    chosen = profile if profile in known else service.settings.profile
    return Viewer(user or service.settings.user, chosen, known, bool(request.scope.get("dqa.session")))


ViewerDep = Annotated[Viewer, Depends(_viewer)]


def page(
    template: str, viewer: Viewer | None, *, section: str = "", status: int = 200, **values: object
) -> HTMLResponse:
    """A page from ``templates/<template>``.

    Args:
        template: a file that extends ``base.html``.
        viewer: who looks at it; None before there is anybody (no navigation then).
        section: the part of the navigation it belongs to: ``choose``, ``taste``, ``evaluations`` or
            ``refinements``.
        status: the HTTP status.
        values: what the template shows; text is escaped.
    """
    text = _templates.get_template(template).render(viewer=viewer, section=section, sections=_SECTIONS, **values)
    return HTMLResponse(text, status, headers=_HEADERS)
