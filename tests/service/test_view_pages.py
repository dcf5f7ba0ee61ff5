"""The pages of evaluations and taste as plain HTTP: whole without script, closed to others, words that fit."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from dqa.record import ChannelResult, EvaluationRecord
from dqa.service.web import PAGE_POLICY
from dqa.service.web.plots import AT_ONCE, learning_curve
from dqa.service.web.taste_words import held_out_tiles, learned_tiles, position_words, training_words
from dqa.service.web.verdict import in_a_word, shares
from dqa.store.trainings import Training, TrainingState
from dqa.taste.taste import CurvePoint, HeldOut, Position
from dqa.testing import scripted_record
from tests.service.running import RunningService, running


@pytest.fixture(scope="module")
def judged(service: RunningService, media: str) -> str:
    return service.ask(media, "a wolf & <b>a fox</b>", wait=True).json()["id"]


def pages(judged: str) -> list[str]:
    return [
        "/evaluations",
        f"/evaluations/{judged}",
        "/taste",
        "/evaluations?q=%3Cscript%3E&grade=F",
        "/taste?user=%3Cb%3E",
        "/refinements?user=%3Cb%3E",
    ]


@pytest.mark.parametrize("number", range(6))
def test_pages_hold_no_script_or_style_of_their_own(service: RunningService, judged: str, number: int) -> None:
    answer = service.client.get(pages(judged)[number])
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    text = answer.text
    assert re.findall(r"<script[^>]*>(.*?)</script>", text, re.S) == [""] * text.count("<script")
    assert not re.search(r"<style|\sstyle=|\son\w+=|https?://(?!127)", text)
    assert all(path.startswith("/") for path in re.findall(r'(?:src|href|action)="(?!#)([^"]*)', text))
    assert "<b>a fox" not in text
    assert "<bdi><b>" not in text
    assert "<script>&" not in text


def test_every_asset_a_page_names_is_there(service: RunningService, judged: str) -> None:
    named = {m for path in pages(judged) for m in re.findall(r'"(/assets/[^"]+)"', service.client.get(path).text)}
    assert {"/assets/report.css", "/assets/views.css", "/assets/evaluations.js", "/assets/taste.js"} <= named
    for name in named:
        answer = service.client.get(name)
        assert answer.status_code == 200
        for imported in re.findall(r'from "(/assets/[^"]+)"', answer.text):
            assert service.client.get(imported).status_code == 200


@pytest.mark.parametrize(
    "path", ["/evaluations/ev_1", "/evaluations/ev_00000000000000000000000000", "/evaluations/%3Cb%3E"]
)
def test_what_is_not_there_is_a_page_too(service: RunningService, path: str) -> None:
    answer = service.client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "there is no evaluation with that id" in answer.text


@pytest.mark.parametrize("query", [{"grade": "Z"}, {"cursor": "x"}, {"q": "x" * 201}, {"of": "\0"}])
def test_filters_that_can_not_be_are_refused(service: RunningService, query: dict[str, str]) -> None:
    assert service.client.get("/evaluations", params=query).status_code == 422


@pytest.mark.parametrize(
    "address", ["/evaluations?grade=Z", "/taste?user=%00", "/refinements?window=0", "/choose?profile=a/b"]
)
def test_a_person_is_told_in_words_what_a_program_is_told_as_a_problem(service: RunningService, address: str) -> None:
    read = service.client.get(address, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (read.status_code, read.headers["content-type"]) == (422, "text/html; charset=utf-8")
    assert "<h1>The request does not have the expected form</h1>" in read.text
    assert 'href="/evaluations"' in read.text
    assert read.headers["content-security-policy"] == PAGE_POLICY
    asked = service.client.get(address)
    assert (asked.status_code, asked.headers["content-type"]) == (422, "application/problem+json")


def test_an_empty_filter_is_none(service: RunningService, judged: str) -> None:
    text = service.client.get("/evaluations?q=&grade=&action=&of=&by=").text
    assert 'href="/evaluations/ev_' in text
    assert judged in service.client.get("/evaluations?q=a+fox&grade=&action=&of=&by=").text
    assert ">Clear<" not in text


def test_with_a_token_nobody_looks_without_it(tmp_path: Any) -> None:
    with running(tmp_path, token="s3cret-token-of-the-service") as service:
        for path in ("/evaluations", "/taste", "/refinements", "/evaluations/ev_1"):
            answer = httpx.get(f"{service.url}{path}")
            assert answer.status_code in (303, 401)
            assert "Taste of" not in answer.text
        assert service.client.get("/taste").status_code == 200


@pytest.mark.parametrize("act", ["rollback", "reset", "steps"])
@pytest.mark.parametrize("origin", ["null", "http://evil.example"])
def test_other_sites_change_no_taste(service: RunningService, act: str, origin: str) -> None:
    answer = service.client.post(f"/v1/tuner/{act}", json={"user": "victim"}, headers={"Origin": origin})
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:dqa:problem:origin-refused")


def with_channels(adherence: float | None, **results: dict[str, Any]) -> EvaluationRecord:
    channels = {name: ChannelResult.model_validate(value) for name, value in results.items()}
    return scripted_record("ev_x").model_copy(
        update={"channels": channels, "prompt_adherence": adherence, "weights": {"preference": 0.4}}
    )


def liking(score: float | None, *evidence: str, status: str = "ok", reason: str = "Because.") -> dict[str, Any]:
    return {"status": status, "score": score, "reason": reason, "evidence": [{"text": text} for text in evidence]}


@pytest.mark.parametrize(
    ("adherence", "result", "said"),
    [
        (
            0.91,
            liking(0.21, "speaks for it: smooth motion (+0.30)", "speaks against it: warm colours (-0.52)",
                   "speaks against it: a fast pace (-0.20)"),
            "It obeys the prompt (0.91); you will probably not like it (0.21), because of warm colours, a fast pace.",
        ),
        (
            0.2,
            liking(0.8, "speaks for it: smooth motion (+0.30)"),
            "It does not obey the prompt (0.20); you will probably like it (0.80), because of smooth motion.",
        ),
        (0.5, liking(0.5), "It obeys the prompt in part (0.50); you may like it or not (0.50)."),
        (
            None,
            liking(None, status="abstained", reason="Learning: about 7 more choices."),
            "Whether it obeys the prompt was not judged; whether you will like it is not known "
            "(Learning: about 7 more choices).",
        ),
    ],
)  # fmt: skip
def test_obedience_and_taste_are_told_apart(adherence: float | None, result: dict[str, Any], said: str) -> None:
    assert in_a_word(with_channels(adherence, preference=result)) == said


def test_a_channel_without_a_score_adds_nothing_and_says_so() -> None:
    rows = {
        s.channel: s
        for s in shares(with_channels(None, preference=liking(0.5), semantic=liking(None, status="failed")))
    }
    assert (rows["preference"].adds, rows["semantic"].adds, rows["spatial"].adds) == (0.2, None, None)
    assert (rows["semantic"].status, rows["spatial"].status) == ("failed", "not asked")


def test_a_learning_curve_is_where_its_numbers_are() -> None:
    points = [
        CurvePoint(choices=10 * (i + 1), pairs=10, accuracy=a, brier=0.2) for i, a in enumerate((0.0, 1.0, 0.5, 1.0))
    ]
    plot = learning_curve(points)
    assert plot is not None
    first, second, third, fourth = plot.dots
    assert (first.accuracy, second.accuracy, third.accuracy) == (0.0, 0.5, 0.5)
    assert (fourth.pairs, fourth.accuracy) == (30, pytest.approx(2.5 / 3)), f"the newest that hold {AT_ONCE}"
    assert second.y == plot.chance_y
    assert first.y > plot.chance_y > fourth.y
    assert first.x < second.x < third.x < fourth.x == plot.x_ticks[-1].at
    assert fourth.high_y < fourth.y < fourth.low_y
    assert plot.path.startswith(f"M{first.x:.1f} {first.y:.1f}L")
    assert learning_curve([]) is None
    one = learning_curve(points[:1])
    assert one is not None
    assert [t.text for t in one.x_ticks] == ["0", "2", "4", "6", "8", "10"]


def test_figures_say_what_they_mean() -> None:
    poor = HeldOut(pairs=40, accuracy=0.52, brier=0.26, loss=0.7, ece=0.2, abstained=0.9)
    good = HeldOut(pairs=40, accuracy=0.85, brier=0.14, loss=0.4, ece=0.03, abstained=0.1)
    assert "no better than guessing" in held_out_tiles(poor)[2].meaning
    assert "with care" in held_out_tiles(poor)[1].meaning
    assert [tile.figure for tile in held_out_tiles(good)] == ["85 %", "3 %", "0.140", "10 %"]
    assert "about 70 of 100" in held_out_tiles(good)[1].meaning
    assert [t.figure for t in learned_tiles(12, 0.4, 50.0)] == ["12", "40 %", "50"]
    assert learned_tiles(12, 0.4, None)[2].figure == "none"


@pytest.mark.parametrize(
    ("left", "biased", "word"),
    [(38, True, "The left side draws"), (2, True, "The right side draws"), (20, False, "no sign")],
)
def test_a_side_that_draws_is_named(left: int, biased: bool, word: str) -> None:
    low, high = (left - 2) / 40, (left + 2) / 40
    assert word in position_words(Position(left=left, of=40, low=low, high=high, biased=biased))


@pytest.mark.parametrize(
    ("status", "progress", "outcome", "said"),
    [
        ("queued", {}, None, "A training is queued."),
        ("running", {"step": 3, "of": 50}, None, "A training runs, step 3 of 50."),
        ("refused", {}, {"reason": "no better."}, "The last training was refused: no better."),
        ("failed", {}, {}, "The last training was ended by a failure."),
    ],
)
def test_a_training_says_how_it_stands(
    status: TrainingState, progress: dict[str, Any], outcome: dict[str, Any] | None, said: str
) -> None:
    training = Training("tr_1", "u", "embedded", status, {}, progress, outcome, None, 0.0, None, None, None)
    assert training_words(training) == said
    assert training_words(None) == ""
