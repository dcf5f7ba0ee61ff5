"""Stand-ins for what the choose page asks, and what tests read off the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dqa.ids import new_id
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route


class Pairs:
    """Answers ``GET /v1/pairs/next`` with scripted pairs, in turn; keeps what was asked of the service in order.

    After the last pair comes the first again, unless it ``ends``.
    """

    def __init__(
        self,
        page: Page,
        pairs: Sequence[tuple[EvaluationRecord, EvaluationRecord]],
        left: str = "a",
        *,
        ends: bool = False,
    ) -> None:
        self._ends = ends
        self._pairs = list(pairs)
        self.left = left
        self.given = 0
        self.asked: list[str] = []
        self.posted: list[dict[str, Any]] = []
        page.route("**/v1/pairs/next*", self._next)
        page.on("request", self._note)

    def _next(self, route: Route) -> None:
        if self._ends and self.given >= len(self._pairs):
            problem = {"type": "urn:dqa:problem:no-pair", "status": 404, "detail": "there are no two clips; grade two"}
            route.fulfill(status=404, content_type="application/problem+json", body=json.dumps(problem))
            return
        a, b = self._pairs[self.given % len(self._pairs)]
        self.given += 1
        body = {"test_id": new_id("pair"), "a": side(a), "b": side(b), "left": self.left, "why": "close"}
        route.fulfill(json=body)

    def _note(self, request: Request) -> None:
        path = request.url.split("/", 3)[3].partition("?")[0]
        if path.startswith("v1/"):
            self.asked.append(f"{request.method} /{path}")
        if request.method == "POST" and path == "v1/selections":
            self.posted.append(request.post_data_json)


def predict(page: Page, **prediction: Any) -> None:
    """Answers ``GET /v1/tuner/predictions``."""
    body = {"p_a": 0.5, "interval": [0.2, 0.8], "abstained": False, "version": 1, "because": [], **prediction}
    page.route("**/v1/tuner/predictions*", lambda route: route.fulfill(json=body))


def side(record: EvaluationRecord) -> dict[str, Any]:
    """A clip of a pair as the service describes it: blind."""
    media = record.media.model_dump(include={"kind", "width", "height", "fps", "frames", "duration_s"})
    return {"id": record.id, "prompt": record.prompt, "profile": record.profile, **media}


def until(page: Page, holds: Callable[[], bool], seconds: float = 30) -> None:
    """Waits, the page living on, until something holds."""
    for _ in range(int(seconds * 40)):
        if holds():
            return
        page.wait_for_timeout(25)
    assert holds(), f"not within {seconds} seconds"


def asking(page: Page) -> None:
    """Waits until the page asks for a choice; fails at once, with its words, when it tells of trouble instead."""
    page.wait_for_selector('.choose:is([data-state="asking"], [data-state="trouble"], [data-state="none"])')
    state = page.locator(".choose").get_attribute("data-state")
    assert state == "asking", f"{state}: {page.locator('.trouble-text, .none-text').all_inner_texts()}"
