"""A verdict's page in a real browser: boxes where they belong, curves one can walk along, hostile text as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dqa.report.overlay import regions
from dqa.synthesis import WEIGHTS
from tests.web.site import Site
from tests.web.verdicts import HOSTILE, hostile, silent_image, whole

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.web.chrome import Watch

pytestmark = pytest.mark.slow

_CORNERS = """(figure) => {
  const picture = figure.querySelector('img').getBoundingClientRect();
  return [...figure.querySelectorAll('rect.box')].map((rect) => {
    const {x, y, width, height} = rect.getBBox();
    const to = rect.getScreenCTM();
    const at = (px, py) => { const p = new DOMPoint(px, py).matrixTransform(to); return [p.x, p.y]; };
    const [[x0, y0], [x1, y1]] = [at(x, y), at(x + width, y + height)];
    return [(x0 - picture.left) / picture.width, (y0 - picture.top) / picture.height,
            (x1 - picture.left) / picture.width, (y1 - picture.top) / picture.height];
  });
}"""


@pytest.mark.parametrize("width", [390, 1200])
def test_boxes_lie_where_the_record_says(site: Site, page: Page, width: int) -> None:
    record = whole(site)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(site.page(f"/evaluations/{record.id}"))
    frames = {region.frame for region in regions(record)}
    assert len(frames) == 2
    for number in frames:
        figure = page.locator(f"#frame-{number}")
        figure.scroll_into_view_if_needed()
        image = figure.locator("img")
        assert image.evaluate("async (i) => { await i.decode(); return i.naturalWidth / i.naturalHeight; }") == (
            pytest.approx(record.media.width / record.media.height, abs=0.01)
        )
        wanted = [
            (
                x / record.media.width,
                y / record.media.height,
                (x + w) / record.media.width,
                (y + h) / record.media.height,
            )
            for x, y, w, h in (region.box for region in regions(record) if region.frame == number and region.box)
        ]
        assert figure.evaluate(_CORNERS) == [pytest.approx(corners, abs=0.005) for corners in wanted]
        names = [r.name for r in regions(record) if r.frame == number]
        assert figure.locator(".tag text").all_text_contents() == names
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_says_all_that_the_record_says(site: Site, page: Page) -> None:
    record = whole(site)
    page.goto(site.page(f"/evaluations/{record.id}"))
    text = page.locator("main").inner_text()
    for part in (
        record.prompt, record.reasoning, *record.advice, *record.notes, "Accept it.", f"dqa reproduce {record.id}",
        "It obeys the prompt (0.71)", "whether you will like it is not known",
        "1000 labels, no people", "boxes are coarse", "licence Apache-2.0", "subject consistency", "aesthetic",
        "castle not found", "Abstained. Too short to tell.", "abstained", "unavailable",
    ):  # fmt: skip
        assert part in text, part
    for channel, result in record.channels.items():
        shown = page.locator(f"#channel-{channel} .score b").inner_text()
        assert shown == ("–" if result.score is None else f"{result.score:.2f}")
    rows = [row.split("\t") for row in page.locator(".shares tbody tr").all_inner_texts()]
    assert [row[0] for row in rows] == [*WEIGHTS, "final"]
    for name, score, _, weight, adds in rows[:-1]:
        result = record.channels[name]
        if result.score is None:
            assert (score, weight, adds) == (result.status, "–", "–")
        else:
            assert adds == f"{result.score * record.weights[name]:.2f}"
    assert page.locator("#main h1, #main h2, #main h3").count() > 8


def test_curves_show_the_moment_and_its_frame_by_pointer_and_by_key(site: Site, page: Page) -> None:
    record = whole(site)
    page.goto(site.page(f"/evaluations/{record.id}"))
    plot = page.get_by_role("slider").first
    under = page.locator("figure.under")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 20)
    under.wait_for()
    assert under.locator("b").inner_text() == "1.98 s"  # the nearest of 64 moments to 0.4 of 5 s
    assert "frame 32" in under.inner_text()
    assert (
        under.locator("img")
        .evaluate(
            "async (i) => { while (!i.naturalWidth) await new Promise(r => setTimeout(r, 50)); return i.currentSrc; }"
        )
        .endswith("/frames/32.jpg?max_side=320")
    )
    page.mouse.move(5, 5)
    under.wait_for(state="hidden")
    page.keyboard.press("Tab")
    plot.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert plot.get_attribute("aria-valuenow") == "1"
    assert (plot.get_attribute("aria-valuetext") or "").startswith("0.08 s: ")
    page.keyboard.press("End")
    assert plot.get_attribute("aria-valuenow") == "63"


def test_hostile_text_stays_text(site: Site, page: Page) -> None:
    record = hostile(site)
    page.goto(site.page(f"/evaluations/{record.id}", user=HOSTILE[1]))
    page.get_by_role("slider").first.focus()
    page.keyboard.press("End")
    assert page.evaluate("window.ran") is None
    assert page.evaluate("[...document.scripts].every((s) => s.src.startsWith(location.origin + '/assets/'))")
    assert page.evaluate(
        "[...document.querySelectorAll('*')].every((e) => [...e.attributes].every((a) => !/^on/i.test(a.name)))"
    )
    assert page.locator("main img[src]:not([src^='/v1/evaluations/'])").count() == 0
    text = page.locator("main").inner_text()
    assert HOSTILE[0] in text
    assert "49$" not in text
    assert "\u202e" not in text
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 360, "names of any length are broken, not cut"


def test_an_image_without_any_score(site: Site, page: Page) -> None:
    record = silent_image(site)
    page.goto(site.page(f"/evaluations/{record.id}"))
    main = page.locator("main")
    assert "no final score" in main.inner_text()
    assert "0.00" not in main.locator(".cards").inner_text()
    assert main.locator(".cards .score b").all_inner_texts() == ["–"] * 3
    for reason in ("Outside what it knows.", "There is no model for it.", "It ran out of memory."):
        assert reason in main.inner_text()
    assert page.locator("video").count() == 0
    picture = page.get_by_alt_text("The image that was judged")
    assert picture.evaluate("async (i) => { await i.decode(); return [i.naturalWidth, i.naturalHeight]; }") == [
        320,
        200,
    ]


def test_a_clip_that_is_gone_is_said_to_be_gone(site: Site, page: Page, watch: Watch) -> None:
    copy = site.clips / "gone.mp4"
    copy.write_bytes((site.clips / "wan21_07_flex.mp4").read_bytes() + b"\0gone")
    from tests.web.site import evaluation

    record = evaluation(copy, "a clip that will be gone")
    site.record(record)
    copy.unlink()
    page.goto(site.page(f"/evaluations/{record.id}"))
    assert "no longer where it was judged" in page.locator(".notice").inner_text()
    assert page.locator("main img").count() == 0
    assert not [url for url in watch.requests if "/frames/" in url]


def test_links_lead_from_evidence_to_its_frame(site: Site, page: Page) -> None:
    record = whole(site)
    page.goto(site.page(f"/evaluations/{record.id}"))
    page.locator("#channel-spatial a.when").first.click()
    assert page.url.endswith("#frame-14")
    assert page.locator("#frame-14").evaluate("(f) => f.matches(':target')")


def test_without_script_it_is_whole(site: Site, browser: Browser) -> None:
    from tests.web import chrome

    record = whole(site)
    with chrome.visit(browser, java_script_enabled=False) as (page, _):
        page.goto(site.page(f"/evaluations/{record.id}"))
        assert page.locator(".plot path.line").count() == 3
        assert page.locator("rect.box").count() == 3
        assert "needs JavaScript" not in page.locator("body").inner_text()


def test_what_is_under_way_turns_into_the_verdict(site: Site, page: Page) -> None:
    media = site.service.upload(site.clips / "wan21_04_base.mp4")
    name = site.service.ask(media, "a wolf sleep:2").json()["id"]
    page.goto(site.page(f"/evaluations/{name}"))
    page.get_by_role("heading", name="under way").wait_for()
    page.get_by_role("heading", name="a wolf sleep:2").wait_for(timeout=30_000)


def test_a_failed_one_says_why(site: Site, page: Page, watch: Watch) -> None:
    media = site.service.upload(site.clips / "wan21_04_base.mp4")
    name = site.service.ask(media, "fail").json()["id"]
    site.service.ended(name)
    page.goto(site.page(f"/evaluations/{name}"))
    assert "no frame could be decoded" in page.locator(".notice").inner_text()
    assert "/secret" not in page.content()
    watch.expect("404")
    page.goto(site.page("/evaluations/ev_00000000000000000000000000"))
    assert page.get_by_role("heading", name="There is nothing here").is_visible()
