"""The page of refinements: the figures as they are stored, hostile text as text, whole without script."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import pytest

from dqa.ids import new_id
from dqa.service.web.cycles_plot import cycles_plot
from dqa.service.web.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from dqa.store.refinement_figures import Run, figures
from tests.web.site import Site
from tests.web.verdicts import HOSTILE

if TYPE_CHECKING:
    from playwright.sync_api import Page

NUMBERS = itertools.count()  # ids sort by time only if they are not of one millisecond


def refined(user: str, cycles: int, text: str = "a wolf", outcome: str = "accepted") -> dict[str, Any]:
    told = {
        "prompt": text,
        "seed": 1,
        "media": "md_1",
        "grade": "C",
        "action": "refine",
        "final": 0.4,
        "advice": [text],
    }
    made = [{"attempt": n + 1, "evaluation": new_id("ev"), **told} for n in range(cycles)]
    return {
        "schema": "dqa.refinement/1", "id": f"rf_{next(NUMBERS):026}", "created": "2026-01-02T03:04:05.000Z",
        "brief": text,
        "user": user, "profile": "embedded", "writer": text, "generator": text, "min_grade": "B", "max_retries": 3,
        "outcome": outcome, "cycles": made, "best": made[0]["evaluation"],
        "accepted": made[-1]["evaluation"] if outcome == "accepted" else None,
    }  # fmt: skip


def keep(site: Site, *records: dict[str, Any]) -> None:
    with site.store() as store:
        for record in records:
            store.refinements.save(record)


@pytest.mark.slow
def test_the_figures_of_the_store_are_drawn_and_every_text_is_text(site: Site, page: Page) -> None:
    user = "refiner"
    keep(site, *(refined(user, n) for n in (3, 2, 3, 1, 1, 2)), refined(user, 4, " ".join(HOSTILE), "exhausted"))
    page.goto(site.page("/refinements", user=user, window=3))
    told = site.client.get("/v1/refinements/figures", params={"user": user, "window": 3}).json()
    text = page.locator("main").inner_text()
    assert f"{told['all']['cycles']['value']:.2f}" in text
    assert f"n = {told['windows'][0]['cycles']['n']}" in text
    assert page.locator(".curve circle.dot").count() == 2, "the last window has no accepted clip"
    assert page.locator("details.run").count() == 7
    assert page.locator("details.run").first.locator("tbody tr").count() == 4
    assert page.evaluate("window.ran") is None
    assert page.get_by_role("link", name="Refinements").get_attribute("aria-current") == "page"
    page.locator("details.run summary").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.locator("details.run").nth(1).locator("tbody tr").first.is_visible()


def test_before_the_first_run_it_says_how_to_make_one(site: Site) -> None:
    answer = site.client.get("/refinements", params={"user": "nobody-yet"})
    assert answer.status_code == 200
    assert "No run yet" in answer.text


def test_a_user_s_page_leads_through_all_runs(site: Site) -> None:
    keep(site, *(refined("many", 1, f"brief number {n}.") for n in range(23)))
    first = site.client.get("/refinements", params={"user": "many"}).text
    link = re.search(r'href="(/refinements\?[^"]*cursor[^"]*)">Older', first)
    assert link is not None
    second = site.client.get(link[1].replace("&amp;", "&")).text
    shown = [set(re.findall(r"brief number (\d+)\.", text)) for text in (first, second)]
    assert [len(part) for part in shown] == [20, 3]
    assert not shown[0] & shown[1]
    assert "brief number" not in site.client.get("/refinements", params={"user": "another"}).text


@pytest.mark.parametrize("window", [1, 2, 5, 100])
def test_every_dot_lies_in_the_plot_and_more_cycles_lie_higher(window: int) -> None:
    runs = [Run("now", "failed" if n % 7 == 3 else "accepted", 1 + n % 4) for n in range(40)]
    plot = cycles_plot(figures(runs, window))
    assert plot is not None
    for dot in plot.dots:
        assert LEFT < dot.x <= WIDTH - RIGHT
        assert TOP <= dot.y <= HEIGHT - BOTTOM
        if dot.low_y is not None and dot.high_y is not None:
            assert TOP <= dot.high_y <= dot.y <= dot.low_y <= HEIGHT - BOTTOM + 1e-9
    by_mean = sorted(plot.dots, key=lambda dot: dot.mean.value)
    assert [dot.y for dot in by_mean] == sorted((dot.y for dot in plot.dots), reverse=True)
    assert plot.dots[-1].last <= len(runs)


def test_without_an_accepted_clip_there_is_no_curve() -> None:
    assert cycles_plot(figures([], 10)) is None
    assert cycles_plot(figures([Run("now", "exhausted", 4)], 10)) is None
