"""Who can't see well, can't use a mouse, or holds a phone: what can be checked by machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.web.choosing import Pairs, asking, predict, until
from tests.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

# Every text's contrast with what lies behind it, by the formula of WCAG 2.2, 1.4.3.
_CONTRAST = """() => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.8) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility({visibilityProperty: true}) || element.disabled) continue;
    if (element.closest('.hidden, .skip-link, option, :disabled')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(parse(style.color)), light(behind(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = `${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}`;
    if (ratio < 4.5) poor.push(`${name}: ${ratio.toFixed(2)}`);
  }
  return poor;
}"""

_CONTROLS = "button, input, select, a[href], [role=slider], [tabindex='0']"
# A control is as large as what it can be hit by: its label for what is hidden under it.
_SMALL = """(selector) => [...document.querySelectorAll(selector)].filter((e) => {
  if (!e.checkVisibility() || e.closest('.hidden, .skip-link, dialog, .prompt')) return false;
  const box = (e.type === 'checkbox' ? e.parentElement : e).getBoundingClientRect();
  return box.width < 44 - 0.5 || box.height < 44 - 0.5;
}).map((e) => `${e.tagName}.${e.className} ${e.getBoundingClientRect().width} x ${e.getBoundingClientRect().height}`)"""


def opened(site: Site, page: Page) -> Page:
    page.emulate_media(reduced_motion="reduce")
    predict(page, p_a=0.7, interval=[0.5, 0.9], because=["A is sharper"])
    Pairs(page, [(site.recorded["wan21_04_base"], site.recorded["wan21_04_flex"])])
    page.goto(site.page("/choose", user="access"))
    asking(page)
    return page


def test_every_control_has_a_name(site: Site, page: Page) -> None:
    opened(site, page).keyboard.press("w")
    tree = page.locator("body").aria_snapshot()
    roles = re.findall(
        r"^\s*- (button|slider|checkbox|textbox|combobox|link|group|figure|region)(?: \"(.*?)\")?", tree, re.M
    )
    unnamed = [role for role, name in roles if not name]
    assert len(roles) > 25
    assert unnamed == []
    names = [name for role, name in roles if role == "button"]
    assert len(set(names)) == len(names), "and no two buttons the same"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(site: Site, page: Page, scheme: str) -> None:
    opened(site, page)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.get_by_label("motion").check()
    assert page.evaluate(_CONTRAST) == []
    page.keyboard.press("?")
    assert page.evaluate(_CONTRAST) == []
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_selector('.choose[data-state="chosen"]')
    assert page.evaluate(_CONTRAST) == []


@pytest.mark.parametrize("width", [360, 1200])
def test_controls_are_large_enough_to_hit(site: Site, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    opened(site, page).keyboard.press("w")
    assert page.evaluate(_SMALL, _CONTROLS) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_focus_is_seen_on_every_control_and_nothing_holds_it(site: Site, page: Page) -> None:
    opened(site, page).keyboard.press("w")
    seen: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        state = page.evaluate(
            """() => {
              const e = document.activeElement;
              if (e === document.body) return null;
              const ring = e.type === 'checkbox' ? e.nextElementSibling : e;
              const style = getComputedStyle(ring);
              return [e.outerHTML.slice(0, 90), style.outlineStyle, style.outlineWidth];
            }"""
        )
        if state is None or (seen and state[0] == seen[0]):
            break
        seen.append(state[0])
        assert (state[1], state[2]) == ("solid", "3px"), state
    else:
        pytest.fail("the focus never came back")
    assert len(seen) > 25
    assert "skip-link" in seen[0]


def test_what_happens_is_told_to_who_does_not_see(site: Site, page: Page) -> None:
    opened(site, page)
    said = page.get_by_role("status")
    assert said.inner_text() == "Two clips to choose between."
    page.keyboard.press("b")
    page.wait_for_selector('.choose[data-state="chosen"]')
    assert said.inner_text() == "You chose B. It expected A with 70 % (90 % interval 50 % to 90 %)."


def test_the_help_gives_the_focus_back(site: Site, page: Page) -> None:
    opened(site, page)
    keys = page.get_by_role("button", name="Keys")
    keys.focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    assert keys.evaluate("(e) => e === document.activeElement")


def test_the_choice_is_made_by_touch_on_a_phone(site: Site, browser: Browser) -> None:
    from tests.web import chrome

    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
    with chrome.visit(browser, **phone) as (page, _):
        opened(site, page)
        left, right = (page.locator(f".pane.{side}").bounding_box() for side in ("left", "right"))
        assert left
        assert right
        assert right["y"] >= left["y"] + left["height"], "one above the other"
        assert left["width"] > 280
        page.get_by_role("button", name="Wipe").tap()
        page.get_by_label("motion").tap()
        better = page.get_by_role("button", name="A is better")
        assert better.is_visible()
        box = better.bounding_box()
        assert box
        assert box["y"] + box["height"] <= 740, "in reach without scrolling"
        better.tap()
        page.wait_for_selector('.choose[data-state="chosen"]')
        page.get_by_role("button", name="Next pair").tap()
        asking(page)


def test_what_was_learned_arrives_without_moving_what_is_under_the_finger(site: Site, browser: Browser) -> None:
    from tests.web import chrome

    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    with chrome.visit(browser, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as (page, _):
        page.route("**/v1/tuner/steps", hold)
        opened(site, page)
        page.get_by_role("button", name="A is better").tap()
        page.wait_for_selector('.choose[data-state="chosen"]')
        until(page, lambda: len(held) == 1)
        button = page.locator(".next")
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box
        finger = page.context.new_cdp_session(page)
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
        held[0].continue_()
        page.get_by_text("learned from so far").wait_for()
        assert button.bounding_box() == box
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        asking(page)


def test_after_next_pair_the_keyboard_is_at_the_new_pair_and_chooses_nothing(site: Site, page: Page) -> None:
    opened(site, page)
    page.keyboard.press("a")
    page.wait_for_selector('.choose[data-state="chosen"]')
    page.keyboard.press("Enter")
    asking(page)
    assert page.locator(".asked").evaluate("(e) => e === document.activeElement")
    assert page.evaluate("scrollY") == 0
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert page.locator(".choose").get_attribute("data-state") == "asking"
