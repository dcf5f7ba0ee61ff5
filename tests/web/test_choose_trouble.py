"""When something fails: one sentence, a way on, and no choice lost or counted twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from tests.web.choosing import Pairs, asking, predict, until
from tests.web.counting import counting_clip, shown
from tests.web.site import Site, evaluation, running_site

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Route

    from dqa.record import EvaluationRecord
    from tests.web.chrome import Watch


def opened(site: Site, page: Page, user: str, *pairs: tuple[EvaluationRecord, EvaluationRecord]) -> Pairs:
    page.emulate_media(reduced_motion="reduce")
    predict(page)
    given = Pairs(page, pairs)
    page.goto(site.page("/choose", user=user))
    return given


def trouble(page: Page) -> str:
    page.wait_for_selector('.choose[data-state="trouble"]')
    return page.locator(".trouble-text").inner_text()


def kept(site: Site, user: str) -> list[dict[str, object]]:
    return site.client.get("/v1/selections", params={"user": user}).json()["items"]


@pytest.fixture
def both(site: Site) -> tuple[EvaluationRecord, EvaluationRecord]:
    return site.recorded["wan21_04_base"], site.recorded["wan21_04_flex"]


def test_a_choice_that_does_not_arrive_is_kept_and_sent_again(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("ERR_FAILED", "ERR_CONNECTION")
    pairs = opened(site, page, "offline", both)
    asking(page)
    page.route("**/v1/selections", lambda route: route.abort())
    page.keyboard.press("a")
    assert trouble(page) == "The service can't be reached. Is it running?"
    assert kept(site, "offline") == []
    page.unroute("**/v1/selections")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector('.choose[data-state="chosen"]')
    (one,) = kept(site, "offline")
    assert [posted["test_id"] for posted in pairs.posted] == [one["test_id"]] * 2


def test_who_chose_by_a_button_on_a_phone_sees_the_trouble_and_the_way_on(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("ERR_FAILED")
    page.set_viewport_size({"width": 360, "height": 500})
    opened(site, page, "phone", both)
    asking(page)
    page.route("**/v1/selections", lambda route: route.abort())
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.get_by_role("button", name="A is better").press("Enter")
    trouble(page)
    box = page.locator(".trouble").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 500 - box["height"]
    page.unroute("**/v1/selections")
    page.keyboard.press("Enter")
    page.wait_for_selector('.choose[data-state="chosen"]')


def test_an_answer_that_is_lost_does_not_count_the_choice_twice(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("ERR_FAILED")

    def arrives_but_answer_is_lost(route: Route) -> None:
        route.fetch()
        route.abort()

    opened(site, page, "lost answer", both)
    asking(page)
    page.route("**/v1/selections", arrives_but_answer_is_lost)
    page.keyboard.press("b")
    trouble(page)
    page.unroute("**/v1/selections")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector('.choose[data-state="chosen"]')
    assert len(kept(site, "lost answer")) == 1


def test_a_choice_outlives_the_page(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("ERR_FAILED")
    opened(site, page, "reload", both, both)
    asking(page)
    page.get_by_label("style").check()
    page.route("**/v1/selections", lambda route: route.abort())
    page.keyboard.press("t")
    trouble(page)
    page.unroute("**/v1/selections")
    page.reload()
    asking(page)
    (one,) = kept(site, "reload")
    assert (one["chosen"], one["why"], one["left"]) == ("tie", ["style"], "a")
    assert page.evaluate("() => localStorage.length") == 0


def test_too_many_choices_say_when_to_go_on(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("429")
    opened(site, page, "hasty", both)
    asking(page)
    problem = {"type": "urn:dqa:problem:busy", "status": 429, "detail": "that is a lot of choices; rest a little"}
    page.route(
        "**/v1/selections",
        lambda route: route.fulfill(
            status=429, headers={"Retry-After": "7"}, content_type="application/problem+json", body=json.dumps(problem)
        ),
    )
    page.keyboard.press("a")
    assert trouble(page) == "That is a lot of choices; rest a little. Try again in 7 s."
    assert page.evaluate("() => localStorage.length") == 1


def test_a_choice_that_is_refused_for_good_is_not_sent_for_ever(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("422")
    opened(site, page, "refused", both)
    asking(page)
    problem = {"type": "urn:dqa:problem:usage", "status": 422, "detail": "that is no choice"}
    page.route("**/v1/selections", lambda route: route.fulfill(status=422, body=json.dumps(problem)))
    page.keyboard.press("a")
    assert trouble(page) == "That is no choice."
    assert page.evaluate("() => localStorage.length") == 0


def test_learning_that_fails_does_not_stop_choosing(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("503")
    opened(site, page, "no step", both, both)
    asking(page)
    page.route("**/v1/tuner/steps", lambda route: route.fulfill(status=503, body="{}"))
    page.route("**/v1/tuner/predictions*", lambda route: route.fulfill(status=503, body="{}"))
    page.keyboard.press("a")
    page.get_by_text("Your choice is kept. It will be learned from later").wait_for()
    assert "can't be told just now" in page.locator(".expected").inner_text()
    page.keyboard.press("n")
    asking(page)


def test_a_clip_that_is_gone_is_named_and_the_pair_can_be_passed_over(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    watch.expect("404")
    gone = evaluation(counting_clip(site.clips / "gone.mp4", 8, 8), "gone", user="counting")
    site.record(gone)
    (site.clips / "gone.mp4").unlink()
    opened(site, page, "gone", (both[0], gone), both)
    words = trouble(page)
    assert words.startswith("Clip B can't be shown: The clip is no longer where it was judged")
    assert page.get_by_role("button", name="A is better").is_disabled(), "nobody can judge what they can't see"
    page.keyboard.press("s")
    asking(page)


def test_a_service_that_is_down_is_asked_again(site: Site, page: Page, watch: Watch) -> None:
    watch.expect("ERR_FAILED")
    pair = site.recorded["wan21_04_base"], site.recorded["wan21_04_flex"]
    page.emulate_media(reduced_motion="reduce")
    Pairs(page, [pair])
    page.route("**/v1/pairs/next*", lambda route: route.abort())
    page.goto(site.page("/choose", user="down"))
    assert trouble(page) == "The service can't be reached. Is it running?"
    page.unroute_all()
    Pairs(page, [pair])
    page.get_by_role("button", name="Try again").click()
    asking(page)


def test_clips_that_the_browser_can_not_play_are_gone_through_frame_by_frame(
    site: Site, page: Page, counted: dict[str, EvaluationRecord]
) -> None:
    odd = evaluation(counting_clip(site.clips / "odd.mp4", 6, 8, "mpeg4", first=200), "odd", user="counting")
    site.record(odd)
    opened(site, page, "codec", (odd, counted["two"]))
    asking(page)
    assert "This browser can't play these clips" in page.locator(".stepping").inner_text()
    assert not page.get_by_role("button", name="Play", exact=True).is_visible()
    assert shown(page) == [200, 0]
    for n, numbers in ((1, [200, 1]), (2, [201, 2]), (3, [201, 3]), (4, [202, 4])):
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "(n) => document.querySelector('.where').textContent.startsWith(`Frame ${n} `)", arg=n + 1
        )
        until(page, lambda numbers=numbers: shown(page) == numbers)
    page.keyboard.press("a")
    page.wait_for_selector('.choose[data-state="chosen"]')


def test_clips_that_the_browser_never_begins_to_load_are_gone_through_frame_by_frame(
    site: Site, page: Page, counted: dict[str, EvaluationRecord]
) -> None:
    """As on phones that load no video before someone plays it."""
    page.add_init_script("HTMLMediaElement.prototype.load = () => {};")
    page.add_init_script("Object.defineProperty(HTMLMediaElement.prototype, 'src', { set() {} });")
    page.clock.install()
    opened(site, page, "phone", (counted["two"], counted["three"]))
    page.wait_for_function("() => document.querySelector('.choose').dataset.state === 'loading'")
    page.clock.run_for(11_000)
    asking(page)
    assert "This browser can't play these clips" in page.locator(".stepping").inner_text()
    assert shown(page) == [0, 0]


def test_pictures_are_shown_side_by_side_without_playback(site: Site, page: Page) -> None:
    pictures = []
    for name, grey in (("dark", 20), ("bright", 230)):
        path = site.clips / f"{name}.png"
        _picture(path, grey)
        pictures.append(evaluation(path, "a wall", user="counting"))
    site.record(*pictures)
    opened(site, page, "pictures", (pictures[0], pictures[1]))
    asking(page)
    assert shown(page) == [0, 255]
    for name in ("Play", "One frame forward", "Half speed", "Loop"):
        assert not page.get_by_role("button", name=name, exact=True).is_visible()
    assert not page.get_by_role("slider", name="Frame").is_visible()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    page.keyboard.press("w")
    assert page.get_by_role("slider", name="Divider between A and B").is_visible()
    page.keyboard.press("b")
    page.wait_for_selector('.choose[data-state="chosen"]')
    assert kept(site, "pictures")[0]["chosen"] == "b"


def _picture(path: Path, grey: int) -> None:
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = 256, 64, "rgb24"
        image = np.full((64, 256, 3), grey, dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.slow
def test_with_a_token_one_logs_in_chooses_and_logs_out(tmp_path: Path, browser: Browser) -> None:
    from tests.web import chrome

    with (
        running_site(tmp_path / "s", ["wan21_04_base", "wan21_04_flex"], token="canary-token") as site,
        chrome.visit(browser, reduced_motion="reduce") as (page, watch),
    ):
        predict(page)
        Pairs(page, [(site.recorded["wan21_04_base"], site.recorded["wan21_04_flex"])] * 2)
        page.goto(site.page("/choose", user="ann"))
        assert page.get_by_role("heading", name="Log in").is_visible()
        watch.expect("403")
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        assert page.get_by_role("alert").inner_text() == "That is not the service's token."
        page.get_by_label("Token").fill("canary-token")
        page.keyboard.press("Enter")
        asking(page)
        assert page.url == site.page("/choose", user="ann")
        page.keyboard.press("a")
        page.wait_for_selector('.choose[data-state="chosen"]')
        assert len(kept(site, "ann")) == 1
        assert "canary" not in page.content() + json.dumps(page.context.storage_state())
        watch.expect("401")  # the browser's own line on what is still under way as one logs out
        page.get_by_role("button", name="Log out").click()
        page.get_by_role("heading", name="Log in").wait_for()
        page.goto(site.page("/choose"))
        assert page.get_by_role("heading", name="Log in").is_visible()


def test_a_choice_that_waits_to_be_sent_can_not_be_skipped(
    site: Site, page: Page, watch: Watch, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    """It will be sent, and counts; "Skipped" would say that it does not."""
    watch.expect("ERR_FAILED")
    opened(site, page, "no way back", both, both)
    asking(page)
    page.route("**/v1/selections", lambda route: route.abort())
    page.keyboard.press("a")
    trouble(page)
    page.unroute("**/v1/selections")
    assert page.get_by_role("button", name="Skip").is_disabled()
    page.keyboard.press("s")
    assert page.locator(".say").inner_text() != "Skipped."
    assert kept(site, "no way back") == []
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector('.choose[data-state="chosen"]')
    assert len(kept(site, "no way back")) == 1


def test_reasons_ticked_for_one_pair_are_not_those_of_another_after_going_back(
    site: Site, page: Page, both: tuple[EvaluationRecord, EvaluationRecord]
) -> None:
    opened(site, page, "ticks", both, both)
    asking(page)
    page.get_by_label("style").check()
    page.get_by_role("link", name="Taste").click()
    page.wait_for_url("**/taste*")
    page.go_back()
    asking(page)
    assert page.locator("[name=why]:checked").count() == 0
