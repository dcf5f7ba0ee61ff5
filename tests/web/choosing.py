"""Stand-ins for what the choose page asks, and what tests read off the page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dqa.ids import new_id
from dqa.record import EvaluationRecord

if TYPE_CHECKING:
    from playwright.sync_api import Page, Request, Route

# Looks at what is on the screen, each time it is painted: the media time of both clips' newest frames. While a clip is
# put to another time, as at each new beginning, its old frame stays until the new one is there: that counts apart.
_WATCH_FRAMES = """() => {
  const [left, right] = document.querySelectorAll('.pane video');
  const shown = [null, null];
  window.frames_seen = [];
  window.between = 0;
  const watch = (window.watch = {}); // a newer watch ends an older one
  [left, right].forEach((video, i) => {
    const note = (now, frame) => { shown[i] = frame.mediaTime; video.requestVideoFrameCallback(note); };
    video.requestVideoFrameCallback(note);
    video.addEventListener('seeking', () => { shown[i] = null; });
  });
  const began = performance.now();
  const look = (now) => {
    if (window.watch !== watch) return;
    if (shown[0] !== null && shown[1] !== null) window.frames_seen.push([(now - began) / 1000, ...shown]);
    else if (window.frames_seen.length) window.between += 1;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}"""


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


def asking(page: Page) -> None:
    """Waits until the page asks for a choice."""
    page.wait_for_selector('.choose[data-state="asking"]', timeout=20_000)


def frames(page: Page) -> list[int]:
    """The frames on the screen, left and right, read off each video's own clock."""
    script = "() => [...document.querySelectorAll('.pane video')].map((v) => v.currentTime)"
    return [int(at * 16 + 1e-6) for at in page.evaluate(script)]


def watch_frames(page: Page) -> None:
    """Begins to note what is on the screen."""
    page.evaluate(_WATCH_FRAMES)


def seen(page: Page) -> list[tuple[float, float, float]]:
    """What was noted: seconds since, media time of the left frame, of the right one."""
    return [(at, left, right) for at, left, right in page.evaluate("() => window.frames_seen")]


def between(page: Page) -> int:
    """How many paints fell into the moments when a clip was being put to another time."""
    return page.evaluate("() => window.between")
