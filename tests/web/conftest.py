"""The site and the browser. Tests here skip where there is no chromium or no playwright."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from dqa.record import EvaluationRecord
from tests.report.browser import CHROMIUM
from tests.web.counting import counting_clip
from tests.web.site import Site, evaluation, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.web.chrome import Watch


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service whose store holds the real clips; tests that choose do so as users of their own."""
    with running_site(tmp_path_factory.mktemp("site")) as started:
        yield started


@pytest.fixture(scope="package")
def counted(site: Site) -> dict[str, EvaluationRecord]:
    """Clips that show their own frame numbers: 32 frames at 16 fps, the same 3 s long, and at 24 fps."""
    clips = {
        "two": counting_clip(site.clips / "two.mp4", 32, 16),
        "also two": counting_clip(site.clips / "also.mp4", 32, 16, first=100),
        "three": counting_clip(site.clips / "three.mp4", 48, 16),
        "fine": counting_clip(site.clips / "fine.mp4", 48, 24),
        "webm": counting_clip(site.clips / "w.webm", 32, 16, "libvpx", first=100),
    }
    made = {name: evaluation(path, "counting", user="counting") for name, path in clips.items()}
    site.record(*made.values())
    return made


# Of this package and no longer: while it runs, no other test could start an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    pytest.importorskip("playwright.sync_api")
    from tests.web import chrome

    with chrome.browser() as started:
        yield started


@pytest.fixture
def visited(browser: Browser) -> Iterator[tuple[Page, Watch]]:
    """A page in a fresh profile, and its watch; at the end nothing may have complained or gone elsewhere."""
    from tests.web import chrome

    with chrome.visit(browser) as both:
        yield both


@pytest.fixture
def page(visited: tuple[Page, Watch]) -> Page:
    return visited[0]


@pytest.fixture
def watch(visited: tuple[Page, Watch]) -> Watch:
    return visited[1]
