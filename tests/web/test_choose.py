"""From a pair to the next one: blind, by keyboard, recorded as shown, told what was expected only afterwards."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from tests.web.choosing import Pairs, asking, predict, until
from tests.web.counting import shown
from tests.web.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from dqa.record import EvaluationRecord
    from tests.web.chrome import Watch

PAIRS = [("wan21_04_base", "wan21_04_flex"), ("wan21_01_base", "wan21_01_flex"), ("wan21_07_flex", "wan21_07_base")]

_FOCUSED = """() => {
  const focused = document.activeElement;
  return focused.getAttribute('aria-label') || focused.labels?.[0]?.innerText || focused.innerText;
}"""


def begin(site: Site, page: Page, user: str, *, left: str = "a", ends: int | None = None) -> Pairs:
    page.emulate_media(reduced_motion="reduce")
    pairs = Pairs(page, [(site.recorded[a], site.recorded[b]) for a, b in PAIRS[:ends]], left, ends=ends is not None)
    page.goto(site.page("/choose", user=user))
    asking(page)
    return pairs


def chosen(page: Page) -> str:
    """The result's words, once they are there."""
    page.wait_for_selector('.choose[data-state="chosen"]')
    return page.locator(".result").inner_text()


def kept(site: Site, user: str) -> list[dict[str, object]]:
    return site.client.get("/v1/selections", params={"user": user}).json()["items"]


@pytest.mark.parametrize(
    ("left", "key", "expected"),
    [("a", "a", "a"), ("a", "b", "b"), ("b", "a", "b"), ("b", "b", "a"), ("b", "t", "tie")],
)
def test_a_choice_is_kept_as_it_was_shown(site: Site, page: Page, left: str, key: str, expected: str) -> None:
    user = f"{left}-{key}"
    predict(page)
    begin(site, page, user, left=left)
    names = page.evaluate("() => [...document.querySelectorAll('.pane video')].length")
    assert names == 2
    page.keyboard.press(key)
    chosen(page)
    (one,) = kept(site, user)
    first, second = (site.recorded[name].id for name in PAIRS[0])
    assert (one["a"], one["b"], one["chosen"], one["left"], one["why"]) == (first, second, expected, left, [])


def test_the_left_clip_is_the_one_the_service_said(
    site: Site, page: Page, counted: dict[str, EvaluationRecord]
) -> None:
    page.emulate_media(reduced_motion="reduce")
    predict(page)
    Pairs(page, [(counted["two"], counted["also two"])], "b")
    page.goto(site.page("/choose", user="sides"))
    asking(page)
    assert shown(page) == [100, 0]
    page.get_by_role("button", name="A is better").click()
    assert "You chose A." in chosen(page)
    assert kept(site, "sides")[0]["chosen"] == "b"


def test_a_page_opened_for_two_clips_asks_about_them_first(site: Site, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    predict(page)
    names = {site.recorded[name].id for name in ("wan21_07_flex", "wan21_01_base")}
    a, b = names
    page.goto(site.page("/choose", user="sent", a=a, b=b))
    asking(page)
    page.keyboard.press("a")
    chosen(page)
    (one,) = kept(site, "sent")
    assert {one["a"], one["b"]} == names


def test_nothing_tells_which_clip_is_which(site: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    predict(page, p_a=0.9)
    begin(site, page, "blind")
    record = site.recorded["wan21_04_base"]
    for text in (page.content(), *asked):
        for telling in ("wan21", "flex", "_base", "scripted", record.media.sha256, str(record.grade), "predictions"):
            assert telling not in text, telling


def test_from_loading_to_the_next_pair_by_keyboard_alone(site: Site, page: Page) -> None:
    predict(page, p_a=0.71, interval=[0.55, 0.83], because=["A moves more smoothly"])
    pairs = begin(site, page, "keys", left="b")
    reached: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name = page.evaluate(_FOCUSED)
        reached.append(re.sub(r"\s+", " ", name or "").strip())
        if reached[-1] == "motion":
            page.keyboard.press("Space")
        if reached[-1] == "flicker":
            page.keyboard.press("Space")
        if reached[-1].startswith("B is better"):
            break
    order = ["Play", "One frame back", "One frame forward", "Frame", "Normal speed", "Loop", "Wipe", "motion"]
    assert [name for name in reached if name in order] == order
    page.keyboard.press("Enter")
    words = chosen(page)
    assert "You chose B." in words
    assert "It expected A with 71 % (90 % interval 55 % to 83 %)." in words
    assert "A moves more smoothly" in words
    assert "object" not in words
    meter = page.locator(".meter .between")
    assert meter.evaluate("(e) => [e.style.left, e.style.right]") == ["17%", "55%"], "A is on the left"
    page.get_by_text("1 choice learned from so far.").wait_for()
    (one,) = kept(site, "keys")
    assert (one["chosen"], one["left"], one["why"]) == ("a", "b", ["motion", "flicker"])
    assert page.evaluate("() => document.activeElement.className") == "primary next"
    page.keyboard.press("Enter")
    asking(page)
    assert pairs.given == 2
    assert page.locator("[name=why]:checked").count() == 0, "the reasons were the last choice's"
    page.keyboard.press("t")
    assert "A tie, you say." in chosen(page)
    page.keyboard.press("n")
    asking(page)
    assert len(kept(site, "keys")) == 2


def test_what_was_expected_is_asked_after_the_choice_and_before_learning(site: Site, page: Page) -> None:
    predict(page)
    pairs = begin(site, page, "order")
    assert not [path for path in pairs.asked if "tuner" in path]
    page.keyboard.press("b")
    chosen(page)
    page.get_by_text("1 choice learned from so far.").wait_for()
    telling = [p for p in pairs.asked if "/media" not in p and "/pairs/" not in p]
    assert telling == ["POST /v1/selections", "GET /v1/tuner/predictions", "POST /v1/tuner/steps"]


def test_the_clips_are_predicted_as_they_were_shown(site: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "predictions" in r.url else None)
    predict(page, p_a=0.2, interval=[0.1, 0.4])
    begin(site, page, "as shown", left="b")
    page.keyboard.press("b")
    assert "It expected B with 80 % (90 % interval 60 % to 90 %)." in chosen(page)
    first, second = (site.recorded[name].id for name in PAIRS[0])
    assert f"a={second}&b={first}" in asked[0], "a is the one on the left"


def test_while_it_learns_it_says_how_many_choices_more(site: Site, page: Page) -> None:
    predict(page, abstained=True, more_choices=31)
    begin(site, page, "learner")
    page.keyboard.press("a")
    assert "does not guess" in chosen(page)
    page.get_by_text("1 choice learned from so far; learning: about 30 more until it guesses.").wait_for()


@pytest.mark.parametrize(
    ("prediction", "words"),
    [
        ({"abstained": True, "p_a": None, "interval": None}, "still learning your taste"),
        ({"p_a": 0.5, "interval": [0.3, 0.7]}, "expected neither: 50 % each"),
        ({"p_a": 0.5, "because": ["<b>bold</b> & co"]}, "<b>bold</b> & co"),
    ],
)
def test_what_it_says_of_itself(site: Site, page: Page, prediction: dict[str, object], words: str) -> None:
    predict(page, **prediction)
    begin(site, page, f"says {json.dumps(prediction)}")
    page.keyboard.press("a")
    assert words in chosen(page)


def test_a_skip_keeps_nothing_and_asks_for_another_pair(site: Site, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "pairs/next" in r.url else None)
    pairs = begin(site, page, "skips")
    page.get_by_label("motion").check()
    page.keyboard.press("s")
    until(page, lambda: pairs.given == 2)
    asking(page)
    page.wait_for_timeout(300)
    assert pairs.given == 2
    first, second = (site.recorded[name].id for name in PAIRS[0])
    assert f"{first}~{second}" in unquote(asked[1])
    assert page.locator("[name=why]:checked").count() == 0
    assert kept(site, "skips") == []


def test_when_no_pair_is_left_it_says_what_to_do(site: Site, page: Page, watch: Watch) -> None:
    watch.expect("404")
    predict(page)
    begin(site, page, "last", ends=1)
    page.keyboard.press("a")
    chosen(page)
    page.keyboard.press("n")
    page.get_by_role("heading", name="Nothing to choose between").wait_for()
    assert "There are no two clips; grade two." in page.locator(".none").inner_text()


def test_keys_with_a_modifier_held_down_or_in_a_field_choose_nothing(site: Site, page: Page) -> None:
    begin(site, page, "careful")
    for key in ("Control+a", "Alt+b", "Meta+t"):
        page.keyboard.press(key)
    page.get_by_label("User", exact=True).press("b")
    page.keyboard.press("?")
    assert not page.locator("dialog[open]").count()
    page.locator("body").click(position={"x": 5, "y": 300})
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("b")
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.wait_for_timeout(200)
    assert page.locator(".choose").get_attribute("data-state") == "asking"
    assert kept(site, "careful") == []


def test_a_key_held_down_chooses_once(site: Site, page: Page) -> None:
    predict(page)
    begin(site, page, "held")
    page.keyboard.down("a")
    for _ in range(5):
        page.keyboard.down("a")
    page.keyboard.up("a")
    chosen(page)
    page.wait_for_timeout(300)
    assert len(kept(site, "held")) == 1


def test_the_space_bar_plays_after_a_click_on_another_button(site: Site, page: Page) -> None:
    begin(site, page, "space")
    page.get_by_role("button", name="Wipe").click()
    page.keyboard.press("Space")
    page.get_by_role("button", name="Pause").wait_for()
    assert page.get_by_role("button", name="Wipe").get_attribute("aria-pressed") == "true", "and did not press it again"


def test_settings_of_the_player_stay_for_the_next_pair(site: Site, page: Page) -> None:
    predict(page)
    begin(site, page, "settings")
    for key in ("2", "l", "w"):
        page.keyboard.press(key)
    page.keyboard.press("s")
    page.wait_for_timeout(100)
    asking(page)
    assert page.get_by_role("button", name="Half speed").get_attribute("aria-pressed") == "true"
    assert page.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "false"
    assert page.get_by_role("slider", name="Divider between A and B").is_visible()


def test_two_prompts_are_shown_each_with_its_clip(site: Site, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    Pairs(page, [(site.recorded["wan21_01_base"], site.recorded["wan21_04_base"])], "b")
    page.goto(site.page("/choose", user="prompts"))
    asking(page)
    texts = page.locator(".asked .prompt").all_inner_texts()
    assert [text.partition(":")[0] for text in texts] == ["A", "B"]
    assert site.recorded["wan21_04_base"].prompt in texts[0]
