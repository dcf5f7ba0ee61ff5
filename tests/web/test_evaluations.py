"""The list of evaluations in a real browser: a thousand rows, filters, keyboard, and few pictures asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from dqa.record import EvaluationRecord
from tests.web.site import Site, running_site
from tests.web.verdicts import HOSTILE, hostile, thousand

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.web.chrome import Watch

pytestmark = pytest.mark.slow

_LONG_TASKS = """
window.longest = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) window.longest = Math.max(window.longest, entry.duration);
}).observe({type: "longtask", buffered: true});
"""
_ATTEMPTS = 4


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, list[EvaluationRecord]]]:
    with running_site(tmp_path_factory.mktemp("many")) as site:
        yield site, thousand(site)


def open_list(site: Site, page: Page, **query: object) -> None:
    page.goto(site.page("/evaluations", **query))
    page.locator("body.enhanced .rows .row[data-index]").first.wait_for()


def focused(page: Page) -> int:
    return int(page.evaluate("document.activeElement.closest('li')?.dataset.index ?? -1"))


def wait_for_count(page: Page, text: str) -> None:
    page.locator(".count", has_text=re.compile(f"^{text}")).wait_for()


@pytest.mark.alone
def test_a_thousand_are_scrolled_without_a_long_task_or_a_large_document(
    many: tuple[Site, list[EvaluationRecord]], page: Page
) -> None:
    """No task over 200 ms. Other work on the machine only lengthens tasks, so the best of a few runs counts."""
    site, made = many
    page.add_init_script(_LONG_TASKS)
    longest: list[float] = []
    for _ in range(_ATTEMPTS):
        open_list(site, page)
        wait_for_count(page, "1,008 evaluations")
        for step in range(40):
            page.evaluate("(share) => scrollTo(0, share * document.body.scrollHeight)", step / 40)
            page.wait_for_timeout(16)
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.locator(f".row[data-index='{len(made) + 7}']").wait_for()
        assert page.evaluate("document.querySelectorAll('*').length") < 600
        assert page.locator(".row").count() <= 30
        page.get_by_label("Prompt holds").fill("number 77")
        wait_for_count(page, "11 evaluations")
        longest.append(page.evaluate("window.longest"))
        print(longest)
        if longest[-1] < 200:
            break
    assert min(longest) < 200, longest


@pytest.mark.alone
def test_pictures_are_asked_for_where_the_reader_rests(
    many: tuple[Site, list[EvaluationRecord]], page: Page, watch: Watch
) -> None:
    site, made = many
    open_list(site, page)
    page.wait_for_timeout(300)
    for step in range(60):
        page.evaluate("(share) => scrollTo(0, share * document.body.scrollHeight)", step / 60)
        page.wait_for_timeout(20)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = page.locator(f".row[data-index='{len(made) + 7}']")
    last.locator(".thumb img").wait_for(timeout=60_000)
    asked = [url for url in watch.requests if "/frames/" in url]
    # Two screens of about twelve rows, and a little: not the thousand that flew by.
    assert len(asked) <= 60, len(asked)
    size = last.locator(".thumb img").evaluate("(i) => [i.naturalWidth, i.naturalHeight]")
    assert max(size) == 224


def test_filters_narrow_the_list_and_live_in_the_address(many: tuple[Site, list[EvaluationRecord]], page: Page) -> None:
    site, _ = many
    open_list(site, page)
    page.get_by_label("Grade").select_option("F")
    wait_for_count(page, "100 evaluations")
    assert set(page.locator(".row .badge").all_inner_texts()) == {"F"}
    assert {text[:5] for text in page.locator(".row .meta").all_inner_texts()} == {"0.39 "}, "0.40 would be a C"
    page.get_by_label("Judged for").fill("anna")
    wait_for_count(page, "10 evaluations")
    page.get_by_label("Prompt holds").fill("NUMBER 500")
    wait_for_count(page, "1 evaluation,")
    assert page.locator(".row .what").inner_text() == "wolf number 500 in a wood"
    page.reload()
    wait_for_count(page, "1 evaluation,")
    assert page.get_by_label("Prompt holds").input_value() == "NUMBER 500"
    page.get_by_label("Prompt holds").fill("no such prompt")
    page.locator(".count", has_text="None matches").wait_for()
    page.get_by_role("link", name="Clear").click()
    wait_for_count(page, "1,008 evaluations")


def test_the_keyboard_reaches_every_row(many: tuple[Site, list[EvaluationRecord]], page: Page) -> None:
    site, made = many
    open_list(site, page)
    page.locator(".entry").first.focus()
    for _ in range(30):
        page.keyboard.press("ArrowDown")
    assert focused(page) == 30
    in_view = page.evaluate(
        "(() => {const r = document.activeElement.getBoundingClientRect(); return [r.top, r.bottom];})()"
    )
    assert in_view[0] >= 0
    assert in_view[1] <= 900
    page.keyboard.press("End")
    page.locator(".row[data-index='1007'] a:focus").wait_for()
    page.keyboard.press("Home")
    assert focused(page) == 0
    page.keyboard.press("k")
    assert focused(page) == 0
    newest = made[-1]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/evaluations/{newest.id}*")
    page.get_by_role("heading", name=newest.prompt).wait_for()


def test_until_the_rows_are_there_the_list_can_be_read(
    many: tuple[Site, list[EvaluationRecord]], page: Page, watch: Watch
) -> None:
    """The rows that the page came with lie one below the other, while more are asked for and if none come."""
    site, _ = many
    watch.expect("503")
    page.route("**/v1/evaluations?*", lambda route: route.fulfill(status=503, body='{"detail": "busy"}'))
    page.goto(site.page("/evaluations"))
    wait_for_count(page, "Busy")
    tops = page.evaluate("[...document.querySelectorAll('.rows .row')].map((row) => row.getBoundingClientRect().top)")
    assert len(tops) == 50
    assert all(below - above > 80 for above, below in pairwise(tops))
    assert page.get_by_role("link", name="Older").is_visible()


def test_a_service_that_comes_back_is_not_said_to_be_down(
    many: tuple[Site, list[EvaluationRecord]], page: Page, watch: Watch
) -> None:
    site, _ = many
    watch.expect("ERR_FAILED")
    open_list(site, page)
    page.route("**/v1/evaluations?*", lambda route: route.abort())
    page.evaluate("scrollTo(0, document.body.scrollHeight)")  # beyond what was asked for at first
    wait_for_count(page, "The service can't be reached")
    page.unroute("**/v1/evaluations?*")
    page.mouse.wheel(0, -50)
    page.locator('.row[data-index="1007"]').wait_for()
    wait_for_count(page, "1,008 evaluations")


def test_back_from_a_verdict_the_list_stands_where_it_was_left(
    many: tuple[Site, list[EvaluationRecord]], page: Page
) -> None:
    site, _ = many
    open_list(site, page)
    page.evaluate("scrollTo(0, 40000)")
    row = page.locator('.row[data-index="475"] a')
    prompt = row.locator(".what").inner_text()
    row.click()
    page.get_by_role("heading", level=1, name=prompt).wait_for()
    page.go_back()
    row.wait_for()
    assert abs(page.evaluate("scrollY") - 40000) < 200
    assert row.locator(".what").inner_text() == prompt


def test_without_script_the_list_is_paged(many: tuple[Site, list[EvaluationRecord]], browser: Browser) -> None:
    from tests.web import chrome

    site, made = many
    with chrome.visit(browser, java_script_enabled=False) as (page, _):
        page.goto(site.page("/evaluations", grade="", q="wolf"))
        assert page.locator(".row").count() == 50
        assert page.locator(".row .what").first.inner_text() == made[-1].prompt
        assert page.locator(".row.tone-bad .meta").first.inner_text().startswith("0.39 ")
        page.get_by_role("link", name="Older").click()
        assert page.locator(".row .what").first.inner_text() == made[-51].prompt
        page.get_by_label("Prompt holds").fill("number 999")
        page.get_by_role("button", name="Filter").click()
        assert page.locator(".row").count() == 1


def test_hostile_text_stays_text(site: Site, page: Page) -> None:
    record = hostile(site)
    open_list(site, page, q=HOSTILE[0])
    assert page.locator(".row").count() >= 1
    assert HOSTILE[0] in page.locator(".row .what").first.inner_text()
    assert "\u202e" not in page.locator(".rows").inner_text()
    assert page.evaluate("window.ran") is None
    assert page.locator(".rows script, .rows svg, .what img").count() == 0
    page.locator(".entry").first.click()
    page.wait_for_url(f"**/evaluations/{record.id}*")


def test_an_empty_store_says_what_to_do_and_filters_that_hide_all_say_so(tmp_path: Path, page: Page) -> None:
    with running_site(tmp_path, ids=()) as site:
        page.goto(site.page("/evaluations"))
        page.locator("body.enhanced").wait_for()
        wait_for_count(page, "0 evaluations")
        assert "Nothing was judged yet" in page.locator(".empty").inner_text()
        page.get_by_label("Prompt holds").fill("wolf")
        wait_for_count(page, "None matches")
        assert page.locator(".empty").count() == 0
