"""The report: one file that loads and runs nothing, and says everything the record says."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from dqa.report import words
from dqa.report.render import render
from dqa.report.view import clip_view
from dqa.synthesis import GRADES
from tests.report.example import ExampleEvaluation, example

HOSTILE = (
    "</script><img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "'; background: url(http://evil.example/x)",
    "{{ 7 * 7 }}{% raw %}",
    "</style><svg onload=alert(1)>",
    "javascript:alert(1)",
    '=HYPERLINK("http://evil.example")',
)


class Tags(HTMLParser):
    """All tags of a page, with their attributes; balanced, or it says which is not."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "rect", "line", "path"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.all: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))
        if tag not in self.VOID or (tag == "rect" and self.get_starttag_text()[-2:] != "/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.all.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.all if name == tag]


@pytest.fixture(scope="module")
def good() -> ExampleEvaluation:
    return example()


@pytest.fixture(scope="module")
def bad() -> ExampleEvaluation:
    return example("wan21_07_base", good=False)


def plain(page: str) -> str:
    """The page's text without tags."""
    return " ".join(html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", page, flags=re.DOTALL)).split())


def test_it_says_everything_the_record_says(good: ExampleEvaluation) -> None:
    text, record = plain(render([good])), good.record
    said = [record.prompt, record.reasoning, *record.advice, *record.notes, record.id, "0.74", "B+", "Accept it"]
    said += [result.reason for result in record.channels.values()]
    said += [evidence.text for result in record.channels.values() for evidence in result.evidence]
    said += [d.reason for d in (record.channels["benchmark"].dimensions or {}).values()]
    said += [a.reason for a in (record.channels["visionreward"].axes or {}).values()]
    said += ["girl", "cute dragon", "Apache-2.0", "not comparable", "dqa reproduce", record.reproduce.sha256]
    for part in said:
        assert " ".join(part.split()) in text, part


def test_it_says_what_the_profile_can_not_judge(good: ExampleEvaluation) -> None:
    told, text = words.profile_words("embedded"), plain(render([good]))
    assert told.cannot
    for line in (*told.can, *told.cannot):
        assert line in text


def test_every_grade_stands_on_the_scale_at_its_threshold(good: ExampleEvaluation) -> None:
    page = render([good])
    for low, grade, _ in GRADES:
        assert f"<b>{grade}</b><i>{low:.2f}</i>" in page
    style = re.search(r"grid-template-columns: ([^;]*fr);", re.search(r"\.steps \{[^}]*", page).group())  # type: ignore[union-attr]
    assert style is not None
    widths = [float(part[:-2]) / 100 for part in style.group(1).split()]
    assert widths == pytest.approx([step.high - step.low for step in words.scale()])


def test_it_loads_and_runs_nothing(good: ExampleEvaluation, bad: ExampleEvaluation) -> None:
    page = render([good, bad])
    tags = Tags(page)
    names = {tag for tag, _ in tags.all}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "base", "audio", "video", "use", "image"}
    for tag, attributes in tags.all:
        assert not [a for a in attributes if a.startswith("on") or a == "style"], (tag, attributes)
        assert (attributes.get("src") or "data:image/jpeg;base64,").startswith("data:image/jpeg;base64,")
        assert (attributes.get("href") or "#").startswith("#")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "url(" not in page


def test_its_policy_allows_its_one_style_sheet_and_pictures_and_nothing_else(good: ExampleEvaluation) -> None:
    page = render([good])
    policy = next(m["content"] for m in Tags(page).named("meta") if m.get("http-equiv") == "Content-Security-Policy")
    style = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    assert len(style) == 1
    digest = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("evil", HOSTILE)
def test_hostile_text_is_shown_as_text_wherever_it_stands(evil: str, good: ExampleEvaluation) -> None:
    def spoil(value: object) -> object:
        if isinstance(value, dict):
            return {k: spoil(v) if k not in KEPT else v for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(v) for v in value]
        return evil if isinstance(value, str) else value

    data = good.record.model_dump(mode="json", by_alias=True)
    spoilt = replace(good, record=type(good.record).model_validate(spoil(data)))
    page = render([spoilt, spoilt], title=evil)
    clean_page = render([good, good], title="t")
    assert {t for t, _ in Tags(page).all} <= {t for t, _ in Tags(clean_page).all}
    assert evil not in page.replace(html.escape(evil), "") or html.escape(evil) == evil
    assert evil in html.unescape(page)
    assert "7 * 7" not in evil or " 49" not in plain(page)


KEPT = {"schema", "kind", "status", "grade", "action", "sha256", "profile", "created", "id", "dqa_version"}
KEPT |= {"channels"}  # of the recipe: names of channels; the results are spoilt one by one below


def test_hostile_channel_results_are_text_too(good: ExampleEvaluation) -> None:
    evil = HOSTILE[0]
    data = good.record.model_dump(mode="json", by_alias=True)
    for result in data["channels"].values():
        result["reason"] = evil
        for evidence in result["evidence"]:
            evidence["text"] = evil
        if result["model"]:
            result["model"].update(id=evil, licence=evil, weakness=evil, revision=evil, sha256=evil)
    data["channels"]["spatial"]["raw"]["entities"][0]["name"] = evil
    data["channels"]["benchmark"]["dimensions"][evil] = {"score": 0.1, "raw": 1, "status": "ok", "reason": evil}
    data["channels"]["benchmark"]["raw"]["curves"][evil] = [1.0] * 64
    data["channels"]["benchmark"]["raw"]["aspects"][evil] = 0.5
    for axis in data["channels"]["visionreward"]["axes"].values():
        axis.update(reason=evil, advice=evil)
    spoilt = replace(good, record=type(good.record).model_validate(data))
    page = render([spoilt, good])
    assert "<img src=x" not in page
    assert "</script>" not in page
    assert page.count(html.escape(evil)) > 12
    Tags(page)


def test_direction_marks_are_spelled_out(good: ExampleEvaluation) -> None:
    data = good.record.model_dump(mode="json", by_alias=True)
    data["prompt"] = "a cat \u202egnp.exe\u2066 \x1b[31m"
    data["reproduce"]["media"] = "/clips/\u202egpj.mp4"
    page = render([replace(good, record=type(good.record).model_validate(data))])
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x1b]", page)
    assert "\\u202egnp.exe" in page


def test_a_very_long_prompt_is_there_in_full_and_folded(good: ExampleEvaluation) -> None:
    data = good.record.model_dump(mode="json", by_alias=True)
    data["prompt"] = " ".join(f"word{i}" for i in range(10_000))
    page = render([replace(good, record=type(good.record).model_validate(data))])
    assert data["prompt"] in plain(page)
    assert '<details class="long">' in page


def test_the_same_record_gives_the_same_page(good: ExampleEvaluation) -> None:
    assert render([good]) == render([good])


def test_several_come_best_first_with_their_differences(good: ExampleEvaluation, bad: ExampleEvaluation) -> None:
    page = render([bad, good])
    text = plain(page)
    assert text.index("wan21_07_flex.mp4") < text.index("wan21_07_base.mp4")
    assert "wan21_07_flex.mp4 is 0.24 ahead of wan21_07_base.mp4" in text
    assert page.count("<article") == 2


def test_a_verdict_without_a_score_and_a_still_image_render(good: ExampleEvaluation) -> None:
    data = good.record.model_dump(mode="json", by_alias=True)
    data.update(final=None, grade=None, action="review", prompt_adherence=None, weights={}, advice=[], notes=[])
    data["media"].update(kind="image", frames=1, duration_s=0.0)
    for result in data["channels"].values():
        result.update(status="abstained", score=None, confidence=None, evidence=[], raw={}, model=None)
        result.pop("dimensions", None)
        result.pop("axes", None)
    observation = replace(good.observation, stills=good.observation.stills[:1], representative=0)
    page = render([ExampleEvaluation(type(good.record).model_validate(data), observation)])
    Tags(page)
    text = plain(page)
    assert "not judged" in text
    assert "Abstained" in text
    assert "Over time" not in text


def test_pictures_are_bounded(good: ExampleEvaluation) -> None:
    page = render([good])
    uris = re.findall(r'src="(data:[^"]*)"', page)
    assert len(uris) == len(set(uris)) == 10, "the representative frame, one more with a finding, eight of the strip"
    assert sum(map(len, uris)) < 700_000
    view = clip_view(good)  # type: ignore[arg-type]
    assert max(view.main.picture.width, view.main.picture.height) <= 960


def test_every_picture_and_drawing_has_words(good: ExampleEvaluation, bad: ExampleEvaluation) -> None:
    tags = Tags(render([good, bad]))
    assert all(image.get("alt") for image in tags.named("img"))
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in tags.named("svg"))
    assert all(cell.get("scope") for cell in tags.named("th"))
    assert len(tags.named("h1")) == 1


def test_no_evaluation_no_report() -> None:
    with pytest.raises(ValueError, match="at least one"):
        render([])
