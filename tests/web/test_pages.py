"""The frame that all pages share."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.web.choosing import until
from tests.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.web.chrome import Watch

_LINES = """(element) => {
  const range = document.createRange();
  range.selectNodeContents(element);
  return range.getClientRects().length;
}"""


def test_the_root_leads_to_choosing(site: Site, page: Page) -> None:
    page.goto(site.page("/"))
    assert page.url == site.page("/choose")
    assert page.locator('nav a[aria-current="page"]').inner_text() == "Choose"


def test_the_page_keeps_its_user_and_profile(site: Site, page: Page) -> None:
    page.goto(site.page("/choose", user="ann", profile="embedded"))
    page.get_by_label("User", exact=True).fill("bob & <b>co</b>")
    page.get_by_label("User", exact=True).press("Enter")
    page.wait_for_url("**/choose?user=bob*")
    assert page.locator("body").get_attribute("data-user") == "bob & <b>co</b>"
    assert page.locator("header b").count() == 0
    for link in page.locator("nav a").all():
        query = parse_qs(urlsplit(link.get_attribute("href") or "").query)
        assert query == {"user": ["bob & <b>co</b>"], "profile": ["embedded"]}


def test_the_watch_itself_sees_a_stranger_and_a_violation(site: Site, page: Page, watch: Watch) -> None:
    page.goto(site.page("/choose"))
    page.evaluate("fetch('http://192.0.2.1/x').catch(() => 0)")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    assert page.evaluate("window.ran") is None
    until(page, lambda: any("Content Security Policy" in line for line in watch.complaints))
    watch.expect("Content Security Policy", "192.0.2.1", "Failed to fetch")
    watch.requests = [url for url in watch.requests if "192.0.2.1" not in url]


@pytest.mark.parametrize("width", [360, 768, 1600])
def test_nothing_is_wider_than_the_screen(site: Site, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(site.page("/choose", user="a name that goes on and on and on and on"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for words in page.locator("nav a, .who label span").all():
        assert words.evaluate(_LINES) == 1, f"{words.inner_text()} is broken in two"


def test_going_back_shows_the_profile_whose_page_it_is(site: Site, page: Page) -> None:
    page.goto(site.page("/taste", profile="embedded"))
    page.get_by_role("combobox", name="Profile").select_option("laptop")
    page.wait_for_url("**/taste?*profile=laptop")
    page.go_back()
    page.wait_for_url("**/taste?profile=embedded")
    assert (
        page.get_by_role("combobox", name="Profile").input_value()
        == page.locator("body").get_attribute("data-profile")
        == "embedded"
    )
