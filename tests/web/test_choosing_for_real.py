"""The whole loop on the real service, nothing stood in for: asked, shown, chosen, predicted, learned from, asked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dqa.record import ChannelResult, EvaluationRecord
from tests.web.choosing import asking
from tests.web.site import Site, evaluation

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

USER = "for real"


@pytest.fixture(scope="module")
def judged(site: Site) -> dict[str, float]:
    """Six clips of two prompts, told apart by how sharp they were judged; the user likes the sharper one."""
    from tests.web.counting import counting_clip

    sharpness: dict[str, float] = {}
    for n in range(6):
        path = counting_clip(site.clips / f"real{n}.mp4", 16, 16, first=10 * n)
        record = _judged(path, f"prompt {n // 3}", 0.1 + 0.15 * n)
        site.record(record)
        sharpness[record.id] = 0.1 + 0.15 * n
    return sharpness


def _judged(path: Path, prompt: str, score: float) -> EvaluationRecord:
    base = evaluation(path, prompt, user=USER)
    channels = {
        **base.channels,
        "semantic": ChannelResult(status="ok", score=score, confidence=0.9, reason="Scripted."),
    }
    return base.model_copy(update={"channels": channels})


@pytest.mark.slow
def test_choices_on_the_page_teach_a_taste(site: Site, page: Page, judged: dict[str, float]) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.goto(site.page("/choose", user=USER))
    for n in range(1, 7):
        asking(page)
        left, right = _on_screen(page, judged)
        page.keyboard.press("a" if judged[left] > judged[right] else "b")
        page.wait_for_selector('.choose[data-state="chosen"]')
        words = page.locator(".expected").inner_text()
        assert "It expected" in words or "still learning" in words
        page.get_by_text(f"{n} choice").first.wait_for()
        kept = site.client.get("/v1/selections", params={"user": USER}).json()["items"]
        assert len(kept) == n
        one = kept[-1]
        assert judged[one[one["chosen"]]] == max(judged[one["a"]], judged[one["b"]])
        assert one[one["left"]] == left
        page.keyboard.press("n")
    state = site.client.get("/v1/tuner", params={"user": USER}).json()
    assert state["choices"] == 6
    assert state["taste"] is not None
    pairs = {frozenset((one["a"], one["b"])) for one in kept}
    assert len(pairs) == 6, "no pair was asked about twice"
    worst, best = sorted(judged, key=lambda name: judged[name])[:: len(judged) - 1]
    told = site.client.get("/v1/tuner/predictions", params={"a": best, "b": worst, "user": USER}).json()
    assert told["p_a"] > 0.5


def _on_screen(page: Page, judged: dict[str, float]) -> list[str]:
    """The evaluations shown, left and right, told by the numbers in the pictures."""
    from tests.web.counting import shown

    names = list(judged)
    return [names[number // 10] for number in shown(page)]


def test_the_sides_are_drawn_by_chance(site: Site, judged: dict[str, float]) -> None:
    del judged
    asked = [site.client.get("/v1/pairs/next", params={"user": USER}).json()["left"] for _ in range(40)]
    assert 5 < asked.count("a") < 35


def test_a_skipped_pair_is_not_asked_about_at_once(site: Site, judged: dict[str, float]) -> None:
    del judged
    first = site.client.get("/v1/pairs/next", params={"user": USER}).json()
    ids = (first["b"]["id"], first["a"]["id"])
    second = site.client.get("/v1/pairs/next", params={"user": USER, "skip": "~".join(ids)}).json()
    assert {second["a"]["id"], second["b"]["id"]} != set(ids)
