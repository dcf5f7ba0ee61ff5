"""The taste page in a real browser: what was learned, the way back, and what to do when nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.site import Site
from tests.web.verdicts import HOSTILE, tasting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.web.chrome import Watch

pytestmark = pytest.mark.slow


def state(site: Site, user: str) -> dict[str, object]:
    return site.client.get("/v1/tuner", params={"user": user, "profile": "embedded"}).json()


def test_it_shows_what_was_learned(site: Site, page: Page) -> None:
    tasting(site, "taster", 80)
    told = state(site, "taster")
    taste = told["taste"]
    assert isinstance(taste, dict)
    page.goto(site.page("/taste", user="taster"))
    text = page.locator("main").inner_text()
    assert f"{100 * taste['held_out']['accuracy']:.0f} %" in text
    assert f"of {taste['held_out']['pairs']} choices were predicted right" in text
    for words in (*taste["likes"], *taste["dislikes"], *taste["patterns"], *taste["winning_patterns"]):
        assert words in text
    assert f"version {told['version']} serves" in text
    assert page.locator(".versions tbody tr").count() == 4
    assert page.locator(".curve circle.dot").count() == len(taste["curve"])
    plotted = page.locator(".curve svg").evaluate(
        "(svg) => ({chance: svg.querySelector('line.chance').y1.baseVal.value,"
        " dots: [...svg.querySelectorAll('circle')].map((c) => [c.cx.baseVal.value, c.cy.baseVal.value])})"
    )
    rows = [row.split("\t") for row in _table(page)]
    for (_, y), row in zip(plotted["dots"], rows, strict=True):
        better = float(row[2].removesuffix(" %")) > 50
        assert (y < plotted["chance"]) == better, "above the line of guessing only if better than guessing"
    xs = [x for x, _ in plotted["dots"]]
    assert xs == sorted(xs)


def _table(page: Page) -> list[str]:
    page.locator(".curve summary").click()
    return page.locator(".curve tbody tr").all_inner_texts()


def test_rolling_back_asks_first_and_works_by_keyboard(site: Site, page: Page) -> None:
    tasting(site, "returner")
    assert state(site, "returner")["version"] == 3
    page.goto(site.page("/taste", user="returner"))
    back = page.get_by_role("button", name="Roll back to 1")
    back.focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert state(site, "returner")["version"] == 3, "Escape is a no"
    page.keyboard.press("Enter")
    page.get_by_role("button", name="No", exact=True).click()
    assert state(site, "returner")["version"] == 3
    back.click()
    page.get_by_role("button", name="Yes").click()
    page.locator("tr.serving th", has_text="1").wait_for()
    assert state(site, "returner")["version"] == 1
    assert "version 1 serves" in page.locator("main").inner_text()
    page.get_by_role("button", name="Roll back to 3").click()
    page.get_by_role("button", name="Yes").click()
    page.locator("tr.serving th", has_text="3").wait_for()
    assert state(site, "returner")["version"] == 3


def test_a_reset_leaves_a_way_back(site: Site, page: Page) -> None:
    tasting(site, "resetter", 40)
    page.goto(site.page("/taste", user="resetter"))
    page.get_by_role("button", name="Reset the taste").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_role("heading", name="No version serves").wait_for()
    assert state(site, "resetter")["version"] is None
    page.get_by_role("button", name="Roll back to 2").click()
    page.get_by_role("button", name="Yes").click()
    page.locator("tr.serving").wait_for()
    assert state(site, "resetter")["version"] == 2


def test_a_refused_rollback_is_told(site: Site, page: Page, watch: Watch) -> None:
    tasting(site, "late", 40)
    page.goto(site.page("/taste", user="late"))
    page.evaluate("document.querySelector('[data-act=rollback]').dataset.version = '77'")
    watch.expect("404")
    page.get_by_role("button", name="Roll back to").click()
    page.get_by_role("button", name="Yes").click()
    page.locator("#trouble").wait_for()
    assert "77" in page.locator("#trouble").inner_text()
    assert page.locator("#trouble").evaluate("(told) => told.getBoundingClientRect().top") >= 0, "on the screen"
    assert page.get_by_role("button", name="Roll back to").evaluate("(e) => e === document.activeElement")
    assert state(site, "late")["version"] == 2


def test_nothing_known_says_what_to_do(site: Site, page: Page, watch: Watch) -> None:
    watch.expect("404")  # nothing to choose between
    page.goto(site.page("/taste", user="nobody"))
    assert "Choose between two clips" in page.locator("main").inner_text()
    page.get_by_role("main").get_by_role("link", name="Choose").click()
    page.wait_for_url("**/choose?user=nobody*")


def test_choices_not_learned_from_can_be(site: Site, page: Page) -> None:
    tasting(site, "waiter", 6, every=100)
    page.goto(site.page("/taste", user="waiter"))
    page.get_by_role("heading", name="6 choices, not learned from yet").wait_for()
    page.get_by_role("button", name="Learn now").click()
    page.locator("tr.serving").wait_for()


@pytest.mark.parametrize("name", HOSTILE[:6])
def test_a_hostile_user_name_stays_text(site: Site, page: Page, name: str) -> None:
    page.goto(site.page("/taste", user=name))
    assert name in page.locator("h1").inner_text()
    assert page.evaluate("window.ran") is None
    assert page.locator("main img, main script").count() == 0


def test_without_script_it_is_whole(site: Site, browser: Browser) -> None:
    from tests.web import chrome

    tasting(site, "plain", 40)
    with chrome.visit(browser, java_script_enabled=False) as (page, _):
        page.goto(site.page("/taste", user="plain"))
        assert page.locator(".curve circle.dot").count() > 3
        assert page.get_by_role("button", name="Roll back").count() == 0, "what would not work is not shown"
        assert "dqa tuner rollback --to N" in page.locator("main").inner_text()
        assert "needs JavaScript" not in page.locator("body").inner_text()


def test_on_a_phone_the_page_is_as_wide_as_the_phone(site: Site, browser: Browser) -> None:
    from tests.web import chrome

    tasting(site, "phone")
    with chrome.visit(browser, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as (page, _):
        page.goto(site.page("/taste", user="phone"))
        page.locator(".versions tbody tr").first.wait_for()
        assert page.evaluate("[document.documentElement.scrollWidth, innerWidth]") == [360, 360]
