"""Prompts and predictions of strangers on the choose page: text, and nothing but text (A16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.web.choosing import Pairs, asking, predict
from tests.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

HOSTILE = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "<svg onload='window.hit = 1'><a href='javascript:window.hit=1'>x</a></svg>",
    "</p></section><iframe srcdoc='<script>parent.hit = 1</script>'></iframe>",
    "javascript:window.hit=1",
    "{{ 7 * 7 }} ${window.hit = 1} <%= 1 %>",
    "\" autofocus onfocus='window.hit = 1' x=\"",
    "&lt;b&gt; &amp; &#60;script&#62;",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_prompt_is_shown_as_it_is_written(site: Site, page: Page, text: str) -> None:
    a, b = (site.recorded[name].model_copy(update={"prompt": text}) for name in ("wan21_04_base", "wan21_04_flex"))
    predict(page, because=[text])
    Pairs(page, [(a, b)])
    elements = _elements(site, page)
    page.goto(site.page("/choose", user=text))
    asking(page)
    assert page.locator(".asked").inner_text().strip() == text.strip()
    page.keyboard.press("a")
    page.wait_for_selector('.choose[data-state="chosen"]')
    assert page.locator(".expected li").inner_text() == text
    assert page.get_by_label("User", exact=True).input_value() == text
    page.wait_for_timeout(150)
    assert page.evaluate("window.hit") is None
    assert set(_tags(page)) <= elements | {"UL", "LI", "DIV", "SPAN", "P", "VIDEO"}


def _elements(site: Site, page: Page) -> set[str]:
    page.goto(site.page("/choose", user="harmless"))
    asking(page)
    return set(_tags(page))


def _tags(page: Page) -> list[str]:
    return page.evaluate("() => [...document.querySelectorAll('body *')].map((e) => e.tagName.toUpperCase())")


def test_what_is_invisible_or_turns_the_line_is_spelled_out(site: Site, page: Page) -> None:
    text = "a wolf\u202egpj.exe\u202c in\u200b the\ufeff snow\x07 with \u0639\u0631\u0628\u064a "
    text += "and \U0001f43a\u200d\u2744\ufe0f"
    a, b = (site.recorded[name].model_copy(update={"prompt": text}) for name in ("wan21_04_base", "wan21_04_flex"))
    Pairs(page, [(a, b)])
    page.goto(site.page("/choose", user="turns"))
    asking(page)
    shown = page.locator(".asked").inner_text()
    for written in ("\\u202e", "\\u202c", "\\u200b", "\\ufeff", "\\u0007"):
        assert written in shown
    assert "\u202e" not in shown
    assert "\u0639\u0631\u0628\u064a" in shown, "letters of any script are letters"
    assert "\U0001f43a\u200d\u2744\ufe0f" in shown, "and joined emoji stay joined"
    assert page.locator(".asked .stranger").evaluate("(e) => getComputedStyle(e).unicodeBidi") == "isolate"


@pytest.mark.parametrize("text", ["word " * 2000, "W" * 10_000, "\n" * 5000 + "x", "<b>" * 3000])
@pytest.mark.parametrize("width", [360, 1200])
def test_a_long_prompt_takes_little_room_and_can_be_read(site: Site, page: Page, text: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    a, b = (site.recorded[name].model_copy(update={"prompt": text}) for name in ("wan21_04_base", "wan21_04_flex"))
    Pairs(page, [(a, b)])
    page.goto(site.page("/choose", user="long"))
    asking(page)
    box = page.locator(".asked").bounding_box()
    assert box is not None
    assert box["height"] < 120
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    region = page.get_by_role("region", name="What both were asked to show")
    assert region.get_attribute("tabindex") == "0", "it scrolls, so the keyboard reaches it"
    region.focus()
    page.keyboard.press("End")
    page.wait_for_timeout(300)
    assert region.evaluate("(e) => e.scrollTop") > 0
    assert page.locator(".where").inner_text().startswith("Frame"), "and the key was not the player's"
