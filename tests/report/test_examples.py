"""What a score looks like before there are ratings: the user's own clips, never as a statement on acceptance."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest

from dqa.record import EvaluationRecord
from dqa.report import examples as subject
from dqa.report.examples import Earlier, Example, examples
from dqa.report.render import render_views
from dqa.report.view import ClipView, clip_view
from tests.report.example import example
from tests.report.test_anchors import anchored, judged
from tests.report.test_render import HOSTILE, Tags, plain


def picture_of(record: EvaluationRecord) -> str:
    """A picture by which its clip can be told."""
    return f"data:image/jpeg;base64,{base64.b64encode(record.media.sha256.encode()).decode()}"


@pytest.fixture(scope="module")
def view() -> ClipView:
    return clip_view(example())  # type: ignore[arg-type]


def other(number: int, score: float, final: float = 0.1, **changes: Any) -> EvaluationRecord:
    """An evaluation of another clip, whose benchmark gave ``score``; ``changes`` are of its recipe."""
    made = _EXAMPLE
    channel = made.channels["benchmark"].model_copy(update={"score": score})
    recipe = made.reproduce.model_copy(update={"media": f"/clips/clip{number}.mp4", **changes})
    return made.model_copy(
        update={
            "id": f"ev_{number:03}",
            "media": made.media.model_copy(update={"sha256": f"{number:064x}"}),
            "channels": {**made.channels, "benchmark": channel},
            "reproduce": recipe,
            "final": final,
        }
    )


_EXAMPLE = example().record


def found(view: ClipView, *records: EvaluationRecord) -> tuple[Example, ...]:
    return examples([view], Earlier(records, picture_of))["benchmark"]


def names(looks: tuple[Example, ...]) -> list[str]:
    return [look.name for look in looks]


def test_the_nearest_clip_stands_at_each_score(view: ClipView) -> None:
    looks = found(view, other(1, 0.55), other(2, 0.62), other(3, 0.68), other(4, 0.75), other(5, 0.99))
    assert names(looks) == ["", "clip2.mp4", "clip5.mp4"]
    assert [look.near for look in looks] == [0, 3, 1]
    assert looks[1].score == 0.62
    assert looks[1].picture == picture_of(other(2, 0.62))


def test_the_final_score_has_examples_of_its_own(view: ClipView) -> None:
    everything = examples([view], Earlier([other(1, 0.9, final=0.3)], picture_of))
    assert names(everything[None]) == ["clip1.mp4", "", ""]
    assert names(everything["benchmark"]) == ["", "", "clip1.mp4"]
    assert set(everything) == {None, "spatial", "benchmark", "visionreward"}, "those that scored the clip"


@pytest.mark.parametrize(
    "changes",
    [
        {"profile_sha256": "cd" * 32},
        {"dqa_version": "0.0.1"},
        {"benchmark_backend": "vbench"},
        {"checklist": {"version": 1, "sha256": "5e" * 32}},
    ],
)
def test_clips_judged_in_another_way_are_no_examples(view: ClipView, changes: dict[str, Any]) -> None:
    data = other(1, 0.6).model_dump(mode="json", by_alias=True)
    data["reproduce"].update(changes)
    assert names(found(view, EvaluationRecord.model_validate(data))) == ["", "", ""]


@pytest.mark.parametrize("changes", [{"user": "somebody-else"}, {"profile": "rtx3090"}])
def test_clips_of_others_and_of_other_profiles_are_no_examples(view: ClipView, changes: dict[str, Any]) -> None:
    assert names(found(view, other(1, 0.6).model_copy(update=changes))) == ["", "", ""]


def test_another_judges_score_is_no_example_and_no_final_either(view: ClipView) -> None:
    made = other(1, 0.6, final=0.6)
    judge = made.channels["benchmark"].model
    assert judge is not None
    channel = made.channels["benchmark"].model_copy(update={"model": judge.model_copy(update={"revision": "2"})})
    changed = made.model_copy(update={"channels": {**made.channels, "benchmark": channel}})
    everything = examples([view], Earlier([changed], picture_of))
    assert names(everything["benchmark"]) == names(everything[None]) == ["", "", ""]


def test_of_a_calibrated_record_the_channels_own_score_counts_and_the_final_does_not(view: ClipView) -> None:
    data = other(1, 0.3, final=0.6).model_dump(mode="json", by_alias=True)
    data["channels"]["benchmark"]["raw"]["uncalibrated_score"] = 0.91
    data["reproduce"]["calibration"] = {"version": 1, "sha256": "5e" * 32}
    everything = examples([view], Earlier([EvaluationRecord.model_validate(data)], picture_of))
    assert names(everything["benchmark"]) == ["", "", "clip1.mp4"]
    assert names(everything[None]) == ["", "", ""]


def test_a_preference_by_another_taste_is_no_example(view: ClipView) -> None:
    def liked(record: EvaluationRecord, version: int, score: float) -> EvaluationRecord:
        channel = record.channels["preference"].model_copy(update={"status": "ok", "score": score})
        recipe = record.reproduce.model_copy(update={"taste_version": version})
        return record.model_copy(update={"channels": {**record.channels, "preference": channel}, "reproduce": recipe})

    shown = replace(view, record=liked(view.record, 2, 0.5))
    earlier = [liked(other(1, 0.5), 1, 0.6), liked(other(2, 0.5), 2, 0.9)]
    looks = examples([shown], Earlier(earlier, picture_of))["preference"]
    assert names(looks) == ["", "", "clip2.mp4"]


def test_a_clip_that_can_not_be_shown_makes_room_for_the_next(view: ClipView) -> None:
    records = [other(1, 0.6), other(2, 0.65), other(3, 0.9)]
    gone = {records[0].id, records[2].id}
    earlier = Earlier(records, lambda record: None if record.id in gone else picture_of(record))
    looks = examples([view], earlier)["benchmark"]
    assert names(looks) == ["", "clip2.mp4", ""]
    assert looks[2].near == 1
    assert "clips of yours scored near it, but none can be shown" in render_views([view], earlier=earlier)


def test_a_clip_is_no_example_of_itself_but_clips_of_one_report_are_of_each_other(view: ClipView) -> None:
    def refuse(record: EvaluationRecord) -> str | None:
        raise AssertionError("a report has pictures of its own clips")

    earlier = Earlier([view.record.model_copy(update={"id": "ev_before"})], refuse)
    assert not any(look.record for looks in examples([view], earlier).values() for look in looks)
    beside = replace(view, record=other(1, 0.9))
    looks = examples([view, beside], Earlier([], refuse))["benchmark"]
    assert names(looks) == ["", "", "clip1.mp4"]
    assert (looks[2].picture or "").startswith("data:image/jpeg;base64,")
    assert len(looks[2].picture or "") <= 24_000


def test_a_clip_counts_once_by_its_newest_verdict(view: ClipView) -> None:
    newer, older = other(2, 0.6), other(1, 0.9).model_copy(update={"media": other(2, 0.6).media})
    looks = found(view, newer, older)
    assert names(looks) == ["", "clip2.mp4", ""]


def test_few_clips_are_opened_however_many_there_are(view: ClipView) -> None:
    opened: list[str] = []

    def gone(record: EvaluationRecord) -> None:
        opened.append(record.media.sha256)

    examples([view], Earlier([other(i, 0.6) for i in range(200)], gone))
    assert len(opened) == len(set(opened)) == subject.TRIES
    opened.clear()

    def there(record: EvaluationRecord) -> str:
        opened.append(record.media.sha256)
        return picture_of(record)

    records = [other(i, 0.25 + i / 300, final=0.25 + (199 - i) / 300) for i in range(200)]
    examples([view], Earlier(records, there))
    assert len(opened) == len(set(opened)) <= subject.PICTURES


def test_a_page_for_several_people_shows_nobodys_other_clips(view: ClipView) -> None:
    somebody = replace(view, record=view.record.model_copy(update={"user": "somebody-else"}))
    earlier = Earlier([other(1, 0.6), other(2, 0.6).model_copy(update={"user": "somebody-else"})], picture_of)
    assert examples([view, somebody], earlier) == {}
    assert render_views([view, somebody], earlier=earlier) == render_views([view, somebody])


def test_the_page_shows_them_and_says_what_they_are_not(view: ClipView) -> None:
    page = render_views([view], earlier=Earlier([other(1, 0.61), other(2, 0.62, final=0.88)], picture_of))
    text = plain(page)
    assert "not calibrated yet" in text
    assert "clips of yours that scored near 0.3, 0.6 and 0.9" in text
    assert "they don't say how many people would accept the clip" in text
    assert "benchmark Does it meet standards? 0.30 no clip of yours near it 0.60 scored 0.61: clip1.mp4" in text
    assert f'<img src="{picture_of(other(1, 0.61))}" alt="A clip of yours that scored 0.61">' in page
    assert "final score All channels together. 0.30" in text
    Tags(page)


def test_a_channel_without_any_says_so_in_one_line(view: ClipView) -> None:
    page = plain(render_views([view], earlier=Earlier([other(1, 0.61)], picture_of)))
    assert "final score All channels together. No clip of yours scored near 0.3, 0.6 or 0.9 yet." in page


def test_a_first_report_says_that_there_are_none_yet(view: ClipView) -> None:
    page = render_views([view], earlier=Earlier([], picture_of))
    assert "There are none yet that were judged in the same way" in plain(page)
    assert 'class="anchors"' not in page


def test_the_same_records_give_the_same_page(view: ClipView) -> None:
    earlier = Earlier([other(1, 0.59), other(2, 0.61), other(3, 0.9)], picture_of)
    before = view.record.to_json()
    assert render_views([view], earlier=earlier) == render_views([view], earlier=earlier)
    backwards = Earlier(earlier.records[::-1], picture_of)
    assert render_views([view], earlier=backwards) == render_views([view], earlier=earlier)
    assert view.record.to_json() == before


def test_a_calibrated_page_stays_as_it_is() -> None:
    view, calibrations = clip_view(judged(3)), {"embedded": anchored()}  # type: ignore[arg-type]
    plain_page = render_views([view], calibrations=calibrations)
    earlier = Earlier([other(1, 0.61, calibration=judged(3).record.reproduce.calibration)], picture_of)
    assert render_views([view], calibrations=calibrations, earlier=earlier) == plain_page
    assert 'class="own"' not in plain_page


@pytest.mark.parametrize("evil", HOSTILE)
def test_a_hostile_name_is_shown_as_text(evil: str, view: ClipView) -> None:
    name = evil.replace("/", "") + "\u202e"
    page = render_views([view], earlier=Earlier([other(1, 0.61, media=f"/clips/{name}")], picture_of))
    tame = render_views([view], earlier=Earlier([other(1, 0.61)], picture_of))
    assert [tag for tag, _ in Tags(page).all] == [tag for tag, _ in Tags(tame).all]
    assert not re.search("[\u202a-\u202e]", page)
    assert " 49" not in plain(page).replace(plain(tame), "")
