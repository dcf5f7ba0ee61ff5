"""Two clips in step, in a real browser: what is on the screen at one moment belongs together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from dqa.record import EvaluationRecord
from tests.conftest import real_clips
from tests.web.choosing import Pairs, asking
from tests.web.counting import counting_clip, looks, numbered_clip, shown, start_looking
from tests.web.site import Site, evaluation

if TYPE_CHECKING:
    from playwright.sync_api import Page

FRAME = 1 / 16


def settled(page: Page, numbers: list[int]) -> None:
    """Waits until these frames are shown, and sees that they stay."""
    for _ in range(800):
        if shown(page) == numbers:
            break
        page.wait_for_timeout(25)
    page.wait_for_timeout(150)
    assert shown(page) == numbers


@pytest.fixture
def two(site: Site, page: Page, counted: dict[str, EvaluationRecord]) -> Page:
    return opened(site, page, counted["two"], counted["also two"])


def opened(site: Site, page: Page, left: EvaluationRecord, right: EvaluationRecord, still: bool = True) -> Page:
    """The choose page with that pair; on its first frame unless it shall play."""
    if still:
        page.emulate_media(reduced_motion="reduce")
    Pairs(page, [(left, right)])
    page.goto(site.page("/choose", user="player"))
    asking(page)
    return page


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("names", [("wan21_01_base", "wan21_01_flex"), ("wan21_04_base", "wan21_04_flex")])
def test_real_clips_are_never_more_than_a_frame_apart_in_ten_seconds(
    site: Site, page: Page, names: tuple[str, str]
) -> None:
    clips = [site.clips / f"numbered-{name}.mp4" for name in names]
    for clip, name, first in zip(clips, names, (0, 100), strict=True):
        numbered_clip(clip, next(real.path for real in real_clips() if real.id == name), first)
    left, right = (evaluation(clip, "counting", user="counting") for clip in clips)
    site.record(left, right)
    opened(site, page, left, right, still=False)
    start_looking(page)
    page.wait_for_timeout(10_100)
    seen = looks(page)
    assert seen[-1][0] > 9.5
    assert apart(seen) <= 1
    assert len({left for _, left, _ in seen}) >= 10, "it did play"
    assert sum(b[1] < a[1] for a, b in pairwise(seen)) >= 1, "and began again together"


def apart(seen: list[tuple[float, int, int]]) -> int:
    """The most frames that the two clips were apart; the right one counts from 100."""
    return max(abs(100 + left - right) for _, left, right in seen)


def test_nothing_moves_until_it_is_asked_to_where_less_motion_is_wanted(two: Page) -> None:
    two.wait_for_timeout(400)
    assert shown(two) == [0, 100]
    assert two.get_by_role("button", name="Play", exact=True).is_visible()


def test_a_step_is_one_frame_on_both(two: Page) -> None:
    for n in (1, 2, 3):
        two.keyboard.press("ArrowRight")
        settled(two, [n, 100 + n])
    two.get_by_role("button", name="One frame back").click()
    settled(two, [2, 102])
    two.get_by_role("button", name="One frame forward").click()
    settled(two, [3, 103])
    two.keyboard.press("End")
    settled(two, [31, 131])
    two.keyboard.press("ArrowRight")
    settled(two, [31, 131])
    two.keyboard.press("Home")
    settled(two, [0, 100])
    two.keyboard.press("ArrowLeft")
    settled(two, [0, 100])


def test_many_steps_at_once_are_all_taken(two: Page) -> None:
    for _ in range(12):
        two.keyboard.press("ArrowRight")
    settled(two, [12, 112])
    assert "Frame 13 of 32" in two.locator(".where").inner_text()


def test_every_frame_can_be_reached_by_the_bar(two: Page) -> None:
    bar = two.get_by_role("slider", name="Frame")
    for n in (17, 5, 30, 0, 31):
        bar.fill(str(n))
        settled(two, [n, 100 + n])
        assert bar.get_attribute("aria-valuetext") == f"Frame {n + 1} of 32"
    bar.focus()
    two.keyboard.press("ArrowLeft")
    settled(two, [30, 130])


@pytest.mark.alone
def test_a_pause_stops_both_on_the_same_frame(two: Page) -> None:
    for _ in range(3):
        two.keyboard.press("Space")
        two.wait_for_timeout(530)
        two.keyboard.press("Space")
        two.wait_for_timeout(400)
        left, right = shown(two)
        assert right == 100 + left


@pytest.mark.alone
@pytest.mark.parametrize(
    "lacking", ["delete window.VideoFrame", "delete HTMLVideoElement.prototype.requestVideoFrameCallback"]
)
def test_a_browser_that_tells_less_of_its_frames_shows_and_plays_them_too(
    site: Site, page: Page, counted: dict[str, EvaluationRecord], lacking: str
) -> None:
    page.add_init_script(lacking)
    opened(site, page, counted["two"], counted["also two"])
    page.keyboard.press("ArrowRight")
    settled(page, [1, 101])
    page.get_by_role("slider", name="Frame").fill("20")
    settled(page, [20, 120])
    page.keyboard.press("Space")
    start_looking(page)
    page.wait_for_timeout(2500)
    assert len({left for _, left, _ in looks(page)}) > 3
    page.keyboard.press("Space")
    page.wait_for_timeout(600)
    left, right = shown(page)
    assert right == 100 + left


def test_another_container_and_codec_is_in_step_too(
    site: Site, page: Page, counted: dict[str, EvaluationRecord]
) -> None:
    opened(site, page, counted["two"], counted["webm"])
    for n in (1, 2):
        page.keyboard.press("ArrowRight")
        settled(page, [n, 100 + n])
    page.get_by_role("slider", name="Frame").fill("20")
    settled(page, [20, 120])


def test_with_two_rates_a_step_is_one_of_the_finer_and_both_show_that_moment(
    site: Site, page: Page, counted: dict[str, EvaluationRecord]
) -> None:
    opened(site, page, counted["two"], counted["fine"])
    for n in range(1, 8):
        page.keyboard.press("ArrowRight")
        settled(page, [int((n + 0.5) / 24 * 16), n])


@pytest.mark.alone
def test_the_shorter_clip_waits_on_its_last_frame_and_both_begin_again(
    site: Site, page: Page, counted: dict[str, EvaluationRecord]
) -> None:
    opened(site, page, counted["two"], counted["three"])
    page.keyboard.press("End")
    settled(page, [31, 47])
    page.keyboard.press("Space")
    start_looking(page)
    page.wait_for_timeout(7500)
    seen = looks(page)
    assert {left - min(right, 31) for _, left, right in seen} <= {-1, 0, 1}
    assert max(right for _, _, right in seen) > 33, "the longer one plays on"
    assert sum(b[2] < a[2] for a, b in pairwise(seen)) >= 1


@pytest.mark.alone
def test_a_clip_that_stops_by_itself_stops_the_other_until_both_go_on(two: Page) -> None:
    two.keyboard.press("Space")
    two.wait_for_timeout(400)
    start_looking(two)
    for side in (1, 0):
        two.evaluate("(i) => document.querySelectorAll('.pane video')[i].pause()", side)
        two.wait_for_timeout(1500)
    went_on_together(two)


@pytest.mark.alone
def test_a_pushed_clip_is_pulled_back(two: Page) -> None:
    two.keyboard.press("Space")
    two.wait_for_timeout(300)
    start_looking(two)
    two.evaluate("() => { document.querySelectorAll('.pane video')[1].currentTime += 0.4; }")
    two.wait_for_timeout(2500)
    went_on_together(two)


@pytest.mark.alone
def test_a_clip_that_runs_away_is_held(two: Page) -> None:
    two.keyboard.press("Space")
    two.wait_for_timeout(300)
    start_looking(two)
    for _ in range(4):
        two.evaluate("() => { document.querySelectorAll('.pane video')[1].playbackRate = 2; }")
        two.wait_for_timeout(500)
    went_on_together(two)


def went_on_together(page: Page) -> None:
    """What was seen was never apart, and it did not just stand still."""
    seen = looks(page)
    assert apart(seen) <= 1
    later = [left for at, left, _ in seen if at > seen[-1][0] / 2]
    assert len(set(later)) > 3


@pytest.mark.alone
@pytest.mark.parametrize(("key", "name", "rate"), [("2", "Half speed", 0.5), ("4", "Quarter speed", 0.25)])
def test_slow_motion(two: Page, key: str, name: str, rate: float) -> None:
    two.keyboard.press(key)
    button = two.get_by_role("button", name=name)
    assert button.get_attribute("aria-pressed") == "true"
    two.keyboard.press("Space")
    two.wait_for_timeout(300)
    start_looking(two)
    two.wait_for_timeout(1500)
    seen = looks(two)
    (start, first, _), (end, last, _) = seen[0], seen[-1]
    assert FRAME * (last - first) / (end - start) == pytest.approx(rate, abs=0.12)
    assert apart(seen) <= 1
    two.keyboard.press("1")
    assert button.get_attribute("aria-pressed") == "false"


@pytest.mark.alone
def test_without_loop_both_end_on_their_last_frames_and_play_begins_anew(two: Page) -> None:
    two.keyboard.press("l")
    assert two.get_by_role("button", name="Loop").get_attribute("aria-pressed") == "false"
    two.get_by_role("slider", name="Frame").fill("28")
    settled(two, [28, 128])
    two.keyboard.press("Space")
    two.get_by_role("button", name="Play", exact=True).wait_for(timeout=15_000)
    settled(two, [31, 131])
    two.keyboard.press("Space")
    two.wait_for_timeout(500)
    assert shown(two)[0] < 25


def test_wipe_lays_one_over_the_other(two: Page) -> None:
    two.keyboard.press("w")
    divider = two.get_by_role("slider", name="Divider between A and B")
    left, right = (two.locator(f".pane.{side}").bounding_box() for side in ("left", "right"))
    assert left == right
    divider.focus()
    two.keyboard.press("ArrowRight")
    assert divider.get_attribute("aria-valuenow") == "52"
    two.keyboard.press("End")
    assert divider.get_attribute("aria-valuenow") == "100"
    two.keyboard.press("Home")
    two.keyboard.press("PageUp")
    assert divider.get_attribute("aria-valuenow") == "10"
    assert shown(two) == [0, 100], "the arrows were the divider's"
    assert "A on the left 10 per cent" in (divider.get_attribute("aria-valuetext") or "")
    clip = two.evaluate("() => getComputedStyle(document.querySelector('.pane.right')).clipPath")
    assert clip.replace("0px", "0").startswith("inset(0 0 0 10%")
    two.keyboard.press("w")
    assert not divider.is_visible()


def test_the_divider_is_dragged(two: Page) -> None:
    two.get_by_role("button", name="Wipe").click()
    box = two.locator(".stage").bounding_box()
    assert box is not None
    at = box["y"] + box["height"] / 2
    two.mouse.move(box["x"] + box["width"] / 2, at)
    two.mouse.down()
    two.mouse.move(box["x"] + box["width"] / 4, at, steps=4)
    two.mouse.up()
    two.mouse.move(box["x"] + box["width"] * 0.9, at)
    divider = two.get_by_role("slider", name="Divider between A and B")
    assert int(divider.get_attribute("aria-valuenow") or 0) == pytest.approx(25, abs=1)
    picture = two.locator(".stage").screenshot()
    assert colour_at(picture, 0.6) != colour_at(picture, 0.4, 0.5)


def colour_at(png: bytes, *across: float) -> list[bool]:
    """Whether a screenshot is bright at those shares of its width, half way down."""
    import cv2
    import numpy as np

    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image is not None
    return [bool(image[image.shape[0] // 2, int(x * image.shape[1])] > 127) for x in across]


def test_actual_size_shows_pixels_as_they_are_and_moves_both(two: Page) -> None:
    two.keyboard.press("z")
    assert two.get_by_role("button", name="Actual size").get_attribute("aria-pressed") == "true"
    fits = "() => [...document.querySelectorAll('.pane canvas')].map((v) => getComputedStyle(v).objectFit)"
    assert two.evaluate(fits) == ["none", "none"]
    two.keyboard.press("Shift+ArrowRight")
    where = "() => [...document.querySelectorAll('.pane canvas')].map((v) => getComputedStyle(v).objectPosition)"
    assert two.evaluate(where) == ["60% 50%", "60% 50%"]
    assert shown(two) == [0, 100]
    two.keyboard.press("z")
    assert two.evaluate(fits) == ["contain", "contain"]


@pytest.mark.alone
def test_a_large_file_is_streamed_and_in_step_too(site: Site, page: Page, counted: dict[str, EvaluationRecord]) -> None:
    large = counting_clip(site.clips / "large.mp4", 32, 16, first=100)
    with large.open("ab") as file:
        file.write((70_000_000).to_bytes(4, "big") + b"free" + bytes(70_000_000 - 8))
    record = evaluation(large, "counting", user="counting")
    site.record(record)
    opened(site, page, counted["two"], record)
    source = page.evaluate("() => document.querySelector('.pane.right video').currentSrc")
    assert source == site.page(f"/v1/evaluations/{record.id}/media"), "not held in the page's memory"
    page.keyboard.press("ArrowRight")
    settled(page, [1, 101])
    page.get_by_role("slider", name="Frame").fill("20")
    settled(page, [20, 120])
    page.keyboard.press("Space")
    start_looking(page)
    page.wait_for_timeout(2500)
    went_on_together(page)
